//! TOML values that know where they stand.
//!
//! A service is made of several files (the first definition and its drop-ins), so a value carries
//! its file as well as its place in it. What is merged and expanded here has been parsed, and
//! nothing has been checked against the schema.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    report::Findings,
    text::{At, FileId, Sources},
};

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub at: At,
    pub data: Data,
}

/// What it is.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Text(String),
    Integer(i64),
    Flag(bool),
    Array(Vec<Value>),
    Table(Vec<Entry>),
    /// A float or a date, as it is written: no key of ours takes one.
    Other(&'static str),
}

/// A key and its value, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_at: At,
    pub value: Value,
}

impl Value {
    /// What it is, with its article, for messages.
    pub fn noun(&self) -> &'static str {
        match &self.data {
            Data::Text(_) => "a string",
            Data::Integer(_) => "an integer",
            Data::Flag(_) => "a boolean",
            Data::Array(_) => "a list",
            Data::Table(_) => "a table",
            Data::Other(noun) => noun,
        }
    }

    /// Its entries, if it is a table.
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Table(entries) => entries,
            Data::Text(_) | Data::Integer(_) | Data::Flag(_) | Data::Array(_) | Data::Other(_) => {
                &[]
            }
        }
    }

    /// Applies `change` to every string in it, keys excepted.
    pub fn each_text(&mut self, change: &mut impl FnMut(&mut String, At)) {
        let at = self.at;
        match &mut self.data {
            Data::Text(text) => change(text, at),
            Data::Array(values) => values.iter_mut().for_each(|value| value.each_text(change)),
            Data::Table(entries) => {
                entries.iter_mut().for_each(|entry| entry.value.each_text(change));
            }
            Data::Integer(_) | Data::Flag(_) | Data::Other(_) => {}
        }
    }
}

/// Parses a file. All its syntax errors are noted; what could be read in spite of them is
/// returned, and whether it is all.
pub(crate) fn parse(sources: &Sources, file: FileId, findings: &mut Findings) -> (Value, bool) {
    let (table, errors) = DeTable::parse_recoverable(sources.text(file));
    let whole = errors.is_empty();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let at = At { file, start: span.start, end: span.end };
        let message = error.message().lines().next().unwrap_or_default();
        let help = "see https://toml.io for how TOML is written; strings are quoted, \
                    a table stands once";
        findings.syntax(at, format!("cannot parse: {message}"), help);
    }
    let at = At { file, start: table.span().start, end: table.span().end };
    (from_table(table.get_ref(), at, file), whole)
}

/// Parses one value, such as a default of the schema.
pub(crate) fn parse_one(text: &str) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    Some(from_toml(&value, At::NOWHERE.file))
}

fn from_table(table: &DeTable<'_>, at: At, file: FileId) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_at: At { file, start: key.span().start, end: key.span().end },
            value: from_toml(value, file),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_at.start);
    Value { at, data: Data::Table(entries) }
}

fn from_toml(value: &Spanned<DeValue<'_>>, file: FileId) -> Value {
    let at = At { file, start: value.span().start, end: value.span().end };
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Text(text.to_string()),
        // What does not fit is beyond every limit of ours, and is told so.
        DeValue::Integer(integer) => Data::Integer(
            i64::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i64::MAX),
        ),
        DeValue::Boolean(flag) => Data::Flag(*flag),
        DeValue::Array(array) => {
            Data::Array(array.iter().map(|value| from_toml(value, file)).collect())
        }
        DeValue::Table(table) => return from_table(table, at, file),
        DeValue::Float(_) => Data::Other("a float"),
        DeValue::Datetime(_) => Data::Other("a date"),
    };
    Value { at, data }
}

/// Lays `upper` over `lower`, key by key. `exclusive` says of a key, by its path, which group of
/// alternatives it belongs to: a drop-in that chooses another one takes the first one's place.
pub(crate) fn merge<G: Eq>(
    lower: &mut Value,
    upper: Value,
    path: &str,
    exclusive: &impl Fn(&str) -> Option<G>,
) {
    let (Data::Table(below), Data::Table(above)) = (&mut lower.data, upper.data) else { return };
    let group = |key: &str| exclusive(&join(path, key));
    let chosen: Vec<G> = above.iter().filter_map(|entry| group(&entry.key)).collect();
    below.retain(|entry| group(&entry.key).is_none_or(|group| !chosen.contains(&group)));
    for entry in above {
        match below.iter_mut().find(|other| other.key == entry.key) {
            Some(Entry { value, .. })
                if matches!((&value.data, &entry.value.data), (Data::Table(_), Data::Table(_))) =>
            {
                merge(value, entry.value, &join(path, &entry.key), exclusive);
            }
            Some(other) => *other = entry,
            None => below.push(entry),
        }
    }
}

/// `path.key`, or `key` at the top.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}
