//! Who decides on each key: the files of `sysctl.d` among each other, and the table among them.
//!
//! Files count as systemd-sysctl has it: later lines win over earlier ones, keys that are written
//! out over patterns, wherever they stand; and a pattern leaves a key alone that `-key` names.
//!
//! The table stands among them as if it were `50-cooper.conf`, but that nothing a distribution
//! ships wins over it: Alpine's `rp_filter=1` and its like have lower names on one system and
//! higher ones on the next. So what wins is a file in `/etc/sysctl.d` or `/run/sysctl.d` with a
//! higher name, and `/etc/sysctl.conf`: an administrator's word, or Cilium's.

use std::collections::{BTreeMap, BTreeSet};

use facts::Sysctl;

use super::conf::{self, Assignment};
use crate::modules::config::Place;
use crate::{Root, files, glob};

/// The name that the table would have as a file.
const OWN_NAME: &str = "50-cooper.conf";
/// `/etc/sysctl.conf` stands where Debian and Fedora link it.
const OLD: (&str, &str) = ("99-sysctl.conf", "/etc/sysctl.conf");

/// What one key is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Below `/proc/sys`.
    pub key: String,
    /// What to write.
    pub value: String,
    /// Who says so.
    pub by: By<'a>,
    /// The entry of the table that a file's line won over.
    pub instead_of: Option<&'a Sysctl>,
}

/// Who decides on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// An entry of the table.
    Table(&'a Sysctl),
    /// A line of a file.
    File {
        /// Which.
        place: Place,
        /// Nobody wants to hear that it failed.
        is_quiet: bool,
    },
}

/// A line, and where it stands to the table.
#[derive(Clone, Debug)]
struct Line {
    assignment: Assignment,
    /// It is written after the table.
    is_after: bool,
    /// It wins over the table.
    is_stronger: bool,
}

/// All that this machine's files say.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// One for each key or pattern, in the order in which they are written.
    lines: Vec<Line>,
    /// Lines that say nothing.
    pub odd: Vec<Place>,
}

impl Lines {
    /// Reads all files.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let mut all = Self::default();
        let found = files::find(root, "sysctl.d").into_iter();
        let mut found: Vec<(String, String, bool)> = found
            .map(|file| {
                let is_local = file.is_local();
                (file.name, file.path, is_local)
            })
            .collect();
        let is_old = |path: &str| {
            let real = |path: &str| root.path(path).canonicalize().ok();
            real(path).is_some() && real(path) == real(OLD.1)
        };
        if !found.iter().any(|(_, path, _)| is_old(path)) {
            let at = found.partition_point(|(name, _, _)| name.as_str() <= OLD.0);
            found.insert(at, (OLD.0.to_owned(), OLD.1.to_owned(), true));
        }
        for (name, path, is_local) in found {
            let (assignments, odd) = conf::parse(&path, &root.read(&path).unwrap_or_default());
            all.odd.extend(odd);
            let is_after = name.as_str() > OWN_NAME;
            for assignment in assignments {
                all.add(Line { assignment, is_after, is_stronger: is_after && is_local });
            }
        }
        all
    }

    /// A second line for a key takes the place of the first, and goes to the end: of two patterns
    /// that match the same key the later one wins. One that says the same leaves the first where
    /// it is, but lends it its word against the table.
    fn add(&mut self, line: Line) {
        let new = &line.assignment;
        let same = self.lines.iter_mut().find(|old| old.assignment.key == new.key);
        match same {
            Some(old) if old.assignment.value == new.value => {
                old.assignment.is_quiet |= new.is_quiet;
                if line.is_stronger && !old.is_stronger {
                    old.is_stronger = true;
                    old.assignment.place = line.assignment.place;
                }
            }
            Some(_) => {
                self.lines.retain(|old| old.assignment.key != new.key);
                self.lines.push(line);
            }
            None => self.lines.push(line),
        }
    }

    /// For each key that is there or written out, the line that decides among the files. What a
    /// `-key` keeps from patterns has a line without a value.
    fn deciding(&self, root: &Root) -> BTreeMap<String, (usize, &Line)> {
        let mut deciding = BTreeMap::new();
        let numbered = || self.lines.iter().enumerate();
        for (at, line) in numbered().filter(|(_, line)| line.assignment.is_pattern()) {
            if line.assignment.value.is_some() {
                let keys = expand(root, &line.assignment.key);
                deciding.extend(keys.into_iter().map(|key| (key, (at, line))));
            }
        }
        for (at, line) in numbered().filter(|(_, line)| !line.assignment.is_pattern()) {
            deciding.insert(line.assignment.key.clone(), (at, line));
        }
        deciding
    }
}

/// What each key is to be, in the order to write them: what one does to another comes out as with
/// systemd-sysctl.
#[must_use]
pub fn targets<'a>(table: &'a [Sysctl], lines: &Lines, root: &Root) -> Vec<Target<'a>> {
    let deciding = lines.deciding(root);
    let mut wanted: BTreeMap<String, (usize, &'a Sysctl)> = BTreeMap::new();
    for (at, entry) in table.iter().enumerate() {
        let keys = keys(entry, root).into_iter();
        wanted.extend(keys.map(|key| (key, (at, entry))));
    }
    let keys: BTreeSet<&String> = deciding.keys().chain(wanted.keys()).collect();
    let mut found: Vec<_> = keys
        .into_iter()
        .filter_map(|key| decide(key, deciding.get(key).copied(), wanted.get(key).copied()))
        .collect();
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, target)| target).collect()
}

/// The keys that an entry is about: one, which need not be there, or those that match.
#[must_use]
pub fn keys(entry: &Sysctl, root: &Root) -> Vec<String> {
    let key = conf::normal(&entry.key);
    if glob::is_pattern(&key) { expand(root, &key) } else { vec![key] }
}

/// Where a target stands: files with lower names than the table, the table, the others.
type Order = (u8, usize);

fn decide<'a>(
    key: &str,
    line: Option<(usize, &Line)>,
    wanted: Option<(usize, &'a Sysctl)>,
) -> Option<(Order, Target<'a>)> {
    let (order, value, by, instead_of) = match (line, wanted) {
        (Some((at, line)), wanted) if wins(line, wanted) => {
            let Assignment { value, place, is_quiet, .. } = &line.assignment;
            let by = By::File { place: place.clone(), is_quiet: *is_quiet };
            let order = (if line.is_after { 2 } else { 0 }, at);
            (order, value.clone()?, by, wanted.map(|(_, entry)| entry))
        }
        (_, Some((at, entry))) => ((1, at), entry.value.clone(), By::Table(entry), None),
        (_, None) => return None,
    };
    Some((order, Target { key: key.to_owned(), value, by, instead_of }))
}

fn wins(line: &Line, wanted: Option<(usize, &Sysctl)>) -> bool {
    let Some((_, entry)) = wanted else { return true };
    let is_for_patterns = line.assignment.is_pattern() || line.assignment.value.is_none();
    line.is_stronger && (!is_for_patterns || glob::is_pattern(&entry.key))
}

/// The keys that match a pattern, a component at a time: as in a shell, `*` matches no slash, and
/// no dot at the beginning.
fn expand(root: &Root, pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for part in pattern.split('/') {
        let mut next = Vec::new();
        for above in found {
            if glob::is_pattern(part) {
                let names = names(root, &above);
                let names =
                    names.iter().filter(|name| glob::matches(part.as_bytes(), name.as_bytes()));
                next.extend(names.map(|name| join(&above, name)));
            } else {
                next.push(join(&above, part));
            }
        }
        found = next;
    }
    found.retain(|key| root.path(&file(key)).is_file());
    found.sort();
    found
}

fn names(root: &Root, above: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root.path(&file(above))) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).collect()
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

/// The file of a key.
#[must_use]
pub fn file(key: &str) -> String {
    format!("/proc/sys/{key}")
}
