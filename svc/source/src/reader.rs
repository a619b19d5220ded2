//! A table of TOML, read as the schema says.
//!
//! Everything that the schema can judge is judged here: unknown keys, wrong types, wrong values,
//! alternatives that exclude each other, keys that mean nothing for this type of service. What a
//! value means is `define`'s business.

use graph::nearest;

use std::collections::BTreeMap;

use crate::{
    cgroup,
    kind::{Pair, Parsed, Shape},
    report::Findings,
    schema::{For, Key, Named, Schema},
    text::At,
    value::{Data, Entry, Value, join},
};

/// What a file says, key by key.
#[derive(Debug)]
pub(crate) struct Fields {
    found: BTreeMap<&'static str, Found>,
    /// Defaults are a oneshot's.
    pub oneshot: bool,
    /// The files could be parsed: what is not here is not there.
    pub whole: bool,
}

#[derive(Debug)]
struct Found {
    key: &'static Key,
    key_at: At,
    /// None: a table, or a value that is wrong, which has been told.
    value: Option<(At, Parsed)>,
}

/// Puts a table in the place of each shorthand: `log = "none"` is `log = { to = "none" }`.
pub(crate) fn expand_shorthands(schema: &Schema, value: &mut Value) {
    let Data::Table(entries) = &mut value.data else { return };
    for entry in entries {
        let shape = schema.key(&entry.key).map(|key| key.shape);
        let Some(Shape::Table { shorthand }) = shape else { continue };
        if !shorthand.is_empty() && !matches!(entry.value.data, Data::Table(_)) {
            let at = entry.value.at;
            let inner = Entry {
                key: shorthand.to_string(),
                key_at: entry.key_at,
                value: entry.value.clone(),
            };
            entry.value = Value { at, data: Data::Table(vec![inner]) };
        }
    }
}

/// Reads a whole file, `value`.
pub(crate) fn read(schema: &Schema, value: &Value, findings: &mut Findings) -> Fields {
    let mut reader = Reader {
        schema,
        findings,
        fields: Fields { found: BTreeMap::new(), oneshot: false, whole: true },
    };
    reader.table("", value);
    reader.alternatives();
    reader.fields
}

struct Reader<'a> {
    schema: &'a Schema,
    findings: &'a mut Findings,
    fields: Fields,
}

impl Reader<'_> {
    fn table(&mut self, path: &str, value: &Value) {
        for entry in value.entries() {
            let full = join(path, &entry.key);
            match self.schema.key(&full) {
                Some(key) => self.entry(key, entry),
                None => self.unknown(path, entry),
            }
        }
    }

    fn entry(&mut self, key: &'static Key, entry: &Entry) {
        let is_table = matches!(entry.value.data, Data::Table(_));
        let value = if is_table && matches!(key.shape, Shape::Table { .. }) {
            self.table(key.path, &entry.value);
            None
        } else if is_table && matches!(key.shape, Shape::CgroupKeys) {
            let pairs = self.cgroup(key.path, &entry.value);
            Some((entry.value.at, Parsed::Pairs(pairs)))
        } else {
            self.leaf(key, &entry.value)
        };
        self.fields.found.insert(key.path, Found { key, key_at: entry.key_at, value });
    }

    fn leaf(&mut self, key: &Key, value: &Value) -> Option<(At, Parsed)> {
        let mut wrongs = Vec::new();
        let parsed = key.shape.parse(value, &mut wrongs);
        for (at, wrong) in wrongs {
            self.findings.error(at, format!("`{}`: {}", key.path, wrong.message), wrong.help);
        }
        parsed.map(|parsed| (value.at, parsed))
    }

    /// `[cgroup]` has keys of the schema and files of the kernel's, whose names have dots.
    fn cgroup(&mut self, path: &str, value: &Value) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for entry in value.entries() {
            match self.schema.key(&join(path, &entry.key)) {
                Some(key) => self.entry(key, entry),
                None if matches!(entry.value.data, Data::Table(_)) || entry.key.contains('.') => {
                    cgroup::settings(&entry.key, entry, &mut pairs, self.findings);
                }
                None => self.unknown(path, entry),
            }
        }
        pairs
    }

    fn unknown(&mut self, table: &str, entry: &Entry) {
        let what = if matches!(entry.value.data, Data::Table(_)) { "table" } else { "key" };
        let message = match table {
            "" => format!("unknown {what} `{}`", entry.key),
            table => format!("unknown {what} `{}` in `{table}`", entry.key),
        };
        let help = unknown_help(self.schema, table, &entry.key);
        self.findings.error(entry.key_at, message, help);
    }

    /// Of a group of alternatives at most one may stand.
    fn alternatives(&mut self) {
        let mut chosen: BTreeMap<(&str, &str), Vec<(&str, At)>> = BTreeMap::new();
        for found in self.fields.found.values() {
            if let Some(group) = self.schema.group(found.key.path) {
                chosen.entry(group).or_default().push((found.key.name(), found.key_at));
            }
        }
        for ((table, _), mut keys) in chosen {
            keys.sort_by_key(|(_, at)| *at);
            if let [(first, first_at), (second, second_at), ..] = *keys {
                self.findings.error_with(
                    second_at,
                    format!("`{table}` has `{first}` and `{second}`: it can be only one"),
                    "leave one of them out",
                    vec![(first_at, format!("`{first}` is here"))],
                );
            }
        }
    }
}

/// What other supervisors call our keys.
const FOREIGN: &[(&str, &str)] = &[
    ("after-ms", "restart.min"),
    ("args", "exec"),
    ("before", "after` in the other service's file, or `requires"),
    ("cmd", "exec"),
    ("command", "exec"),
    ("contents", "requires` or `wants"),
    ("cwd", "run.cwd"),
    ("dependencies", "requires"),
    ("depends", "requires"),
    ("depends-on", "requires"),
    ("env", "environment"),
    ("environment-file", "env-file"),
    ("environmentfile", "env-file"),
    ("execstart", "exec"),
    ("execstop", "stop.exec"),
    ("execreload", "reload.exec"),
    ("execstartpre", "requires` with a oneshot of its own"),
    ("kill-mode", "stop.kill"),
    ("killmode", "stop.kill"),
    ("logfile", "log"),
    ("need", "requires"),
    ("needs", "requires"),
    ("notify", "ready.notify"),
    ("pidfile", "exec` with the option that keeps it in the foreground"),
    ("privatetmp", "run.mounts.tmpfs"),
    ("restart-delay", "restart.min"),
    ("restartsec", "restart.min"),
    ("rlimits", "run.limits"),
    ("run-as", "run.user"),
    ("term-signal", "stop.signal"),
    ("timeout", "ready.timeout` or `stop.timeout"),
    ("timeoutstartsec", "ready.timeout"),
    ("timeoutstopsec", "stop.timeout"),
    ("want", "wants"),
    ("workingdirectory", "run.cwd"),
];

fn unknown_help(schema: &Schema, table: &str, key: &str) -> String {
    let plain = key.to_lowercase().replace('_', "-");
    let foreign = FOREIGN.iter().find(|(foreign, _)| *foreign == plain);
    if let Some((_, ours)) = foreign.filter(|_| schema.key("exec").is_some()) {
        return format!("here that is `{ours}`");
    }
    if let Some(near) = nearest(key, schema.keys_in(table).map(Key::name)) {
        return format!("did you mean `{near}`?");
    }
    // The right word in the wrong table.
    let mut elsewhere = schema.all().filter(|other| other.name() == plain);
    if let (Some(other), None) = (elsewhere.next(), elsewhere.next()) {
        return match other.table() {
            "" => format!("`{plain}` stands at the top of the file, before the first table"),
            table => format!("`{plain}` stands in the table `{table}`"),
        };
    }
    let mut keys: Vec<&str> = schema.keys_in(table).map(Key::name).collect();
    keys.sort_unstable();
    format!("the keys here are: {}", keys.join(", "))
}

impl Fields {
    /// Notes every key that means nothing for this type of service.
    pub fn check_type(&self, process: bool, longrun: bool, findings: &mut Findings) {
        let kind = match (process, longrun) {
            (_, true) => return,
            (true, false) => "oneshot",
            (false, false) => "bundle",
        };
        let means_nothing = |found: &Found| match found.key.of {
            For::All => false,
            For::Process => !process,
            For::Longrun => !longrun,
        };
        for found in self.found.values() {
            // Once for a table, not for each of its keys.
            let told = self.found.get(found.key.table()).is_some_and(means_nothing);
            if means_nothing(found) && !told {
                let help = if process {
                    "leave the key out, or set `type = \"longrun\"`"
                } else {
                    "a bundle has no process: leave the key out, or set another `type`"
                };
                let message = format!("`{}` means nothing for a {kind}", found.key.path);
                findings.error(found.key_at, message, help);
            }
        }
    }

    /// Whether a key, or a table, stands in the file.
    pub fn has(&self, path: &str) -> bool {
        self.found.contains_key(path)
    }

    /// Where a key stands.
    pub fn key_at(&self, path: &str) -> Option<At> {
        self.found.get(path).map(|found| found.key_at)
    }

    /// Where a key's value stands.
    pub fn value_at(&self, path: &str) -> Option<At> {
        let found = self.found.get(path)?;
        found.value.as_ref().map(|(at, _)| *at)
    }

    /// What a key was given, if it was, and it was right.
    pub fn given(&self, path: &str) -> Option<&Parsed> {
        let (_, parsed) = self.found.get(path)?.value.as_ref()?;
        Some(parsed)
    }

    /// The text that a key was given.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.given(path) {
            Some(Parsed::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The entry of a table of pairs.
    pub fn pair(&self, path: &str, name: &str) -> Option<&Pair> {
        match self.given(path) {
            Some(Parsed::Pairs(pairs)) => pairs.iter().find(|pair| pair.name == name),
            _ => None,
        }
    }

    /// What a key was given, or else its default.
    fn get<'a>(&'a self, schema: &'a Schema, path: &str) -> Option<&'a Parsed> {
        self.given(path).or_else(|| schema.default(path, self.oneshot))
    }
}

/// Reads typed values of a file. The schema's shapes and defaults make each of these total: what
/// stands behind an `else` here can only be reached for a key that is not in the schema.
#[derive(Clone, Copy)]
pub(crate) struct Typed<'a> {
    pub schema: &'a Schema,
    pub fields: &'a Fields,
}

impl<'a> Typed<'a> {
    pub fn text(self, path: &str) -> String {
        match self.fields.get(self.schema, path) {
            Some(Parsed::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    pub fn named(self, path: &str) -> Vec<Named> {
        match self.fields.get(self.schema, path) {
            Some(Parsed::List(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    pub fn texts(self, path: &str) -> Vec<String> {
        self.named(path).into_iter().map(|named| named.name).collect()
    }

    pub fn flag(self, path: &str) -> bool {
        matches!(self.fields.get(self.schema, path), Some(Parsed::Flag(true)))
    }

    pub fn number<N: TryFrom<i64> + Default>(self, path: &str) -> N {
        match self.fields.get(self.schema, path) {
            Some(Parsed::Number(number)) => N::try_from(*number).unwrap_or_default(),
            _ => N::default(),
        }
    }

    pub fn millis(self, path: &str) -> u32 {
        match self.fields.get(self.schema, path) {
            Some(Parsed::Millis(ms)) => *ms,
            _ => 0,
        }
    }

    pub fn wide(self, path: &str) -> u64 {
        match self.fields.get(self.schema, path) {
            Some(Parsed::Wide(wide)) => *wide,
            _ => 0,
        }
    }

    pub fn signal(self, path: &str) -> u8 {
        match self.fields.get(self.schema, path) {
            Some(Parsed::Signal(signal)) => *signal,
            _ => 0,
        }
    }

    pub fn mode(self, path: &str) -> Option<u16> {
        match self.fields.given(path) {
            Some(Parsed::Mode(mode)) => Some(*mode),
            _ => None,
        }
    }

    pub fn mask(self, path: &str) -> Option<u64> {
        match self.fields.get(self.schema, path) {
            Some(Parsed::Mask(mask)) => Some(*mask),
            _ => None,
        }
    }

    pub fn pairs(self, path: &str) -> &'a [Pair] {
        match self.fields.given(path) {
            Some(Parsed::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    pub fn limits(self, path: &str) -> Vec<graph::LimitSpec> {
        match self.fields.given(path) {
            Some(Parsed::Limits(limits)) => limits.clone(),
            _ => Vec::new(),
        }
    }
}
