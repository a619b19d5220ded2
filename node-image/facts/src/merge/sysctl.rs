//! Kernel parameters: of several wishes for one key, the value that all of them accept.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Side, Tell, join};
use crate::{
    entry::{Severity, Sysctl},
    problem::{About, Problem},
};

/// One entry per key. What `own`, the node's own settings, says about a key counts more than
/// what any profile says.
pub(super) fn merge(
    entries: Vec<Sysctl>,
    own: &BTreeMap<String, String>,
    tell: &mut Tell<'_>,
) -> Vec<Sysctl> {
    let keys: BTreeSet<(bool, String)> = entries.iter().map(Entry::key).collect();
    let mut merged: Vec<Sysctl> = keys
        .iter()
        .filter_map(|(_, key)| {
            let group = wishes(key, &entries);
            let value = match own.get(key) {
                Some(value) => imposed(key, value, &group, tell),
                None => agreed(&group, tell),
            };
            Some(Sysctl { key: key.clone(), ..value.apply(join(group, tell)?) })
        })
        .collect();
    let ours = own.iter().filter(|(key, _)| !merged.iter().any(|entry| entry.key == **key));
    let ours: Vec<Sysctl> = ours.map(|(key, value)| of_the_node(key, value)).collect();
    merged.extend(ours);
    merged.sort_by_key(Entry::key);
    merged
}

/// All that is wished for a key: by those who name it, and by those whose pattern covers it and
/// who do not name it besides.
fn wishes(key: &str, entries: &[Sysctl]) -> Vec<Sysctl> {
    let named: Vec<&Sysctl> = entries.iter().filter(|entry| entry.key == key).collect();
    let names = |entry: &Sysctl| named.iter().any(|named| named.by == entry.by);
    let covering = entries.iter().filter(|entry| entry.key != key && covers(&entry.key, key));
    let mut group: Vec<Sysctl> = named.iter().map(|entry| (*entry).clone()).collect();
    group.extend(covering.filter(|entry| !names(entry)).cloned());
    group.sort_by(|a, b| a.by.cmp(&b.by));
    group
}

/// Whether a pattern means `key`: a `*` stands for any one component.
pub(super) fn covers(pattern: &str, key: &str) -> bool {
    let (mut wanted, mut found) = (pattern.split('.'), key.split('.'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == found || wanted == "*" => {}
            (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

/// What a key is to be.
struct Value {
    value: String,
    accept: Vec<String>,
    at_least: bool,
}

impl Value {
    fn apply(self, entry: Sysctl) -> Sysctl {
        let Self { value, accept, at_least } = self;
        Sysctl { value, accept, at_least, ..entry }
    }
}

/// The value that all accept: the first that one of them would write, else the first that one of
/// them accepts. All of `group` is sorted by who says it.
fn agreed(group: &[Sysctl], tell: &mut Tell<'_>) -> Value {
    let written = group.iter().map(|entry| &entry.value);
    let accepted = group.iter().flat_map(|entry| &entry.accept);
    let mut good: Vec<String> = Vec::new();
    for value in written.chain(accepted) {
        let known = good.iter().any(|good| same(good, value));
        if !known && group.iter().all(|entry| entry.accepts(value)) {
            good.push(value.clone());
        }
    }
    let at_least = group.iter().all(|entry| entry.at_least);
    if good.is_empty() {
        contradict(group, tell);
        good.extend(group.first().map(|entry| entry.value.clone()));
    }
    let bound = group.iter().max_by_key(|entry| entry.value.parse::<u64>().ok());
    let value = match bound {
        Some(bound) if at_least => bound.value.clone(),
        _ => good.first().cloned().unwrap_or_default(),
    };
    good.retain(|other| !same(other, &value));
    Value { value, accept: good, at_least }
}

/// The first two that have no value in common; else all of them together.
fn contradict(group: &[Sysctl], tell: &mut Tell<'_>) {
    let pair = group.iter().enumerate().find_map(|(index, a)| {
        let b = group.iter().skip(index).find(|b| !b.meets(a))?;
        Some(vec![a, b])
    });
    let enemies = pair.unwrap_or_else(|| group.iter().collect());
    let sides: Vec<Side<'_>> = enemies
        .iter()
        .map(|entry| Side {
            by: &entry.by,
            wants: entry.wish(),
            why: &entry.why,
            source: &entry.source,
        })
        .collect();
    let key = group.iter().map(|entry| &entry.key).max_by_key(|key| !key.contains('*'));
    let key = key.map_or("", String::as_str);
    tell.contradiction(&format!("`{key}`"), &sides);
    if let Some(problem) = tell.problems.last_mut() {
        let way = format!("say which value counts, in node.toml: setup.sysctl.\"{key}\" = \"…\"");
        problem.ways_out.insert(0, way);
    }
}

/// The node's own value; a profile that cannot do with it is told.
fn imposed(key: &str, value: &str, group: &[Sysctl], tell: &mut Tell<'_>) -> Value {
    for entry in group.iter().filter(|entry| !entry.accepts(value)) {
        let (by, wish) = (entry.by.join(", "), entry.wish());
        tell.problems.push(Problem {
            severity: Severity::Warning,
            about: vec![About::Sysctl(key.to_string())],
            message: format!("`{key}` is {value} here, and {by} wants {wish}"),
            because: vec![format!("{} ({})", entry.why, entry.source)],
            ways_out: vec![format!("leave it out, or expect this of {by}")],
        });
    }
    Value { value: value.to_string(), accept: Vec::new(), at_least: false }
}

fn of_the_node(key: &str, value: &str) -> Sysctl {
    Sysctl {
        key: key.to_string(),
        value: value.to_string(),
        accept: Vec::new(),
        at_least: false,
        optional: false,
        module: None,
        why: "node.toml says so".to_string(),
        source: "node.toml".to_string(),
        by: vec!["node.toml".to_string()],
    }
}

/// Several numbers are the same whatever space is between them.
fn same(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

impl Sysctl {
    /// Whether `value` is as good as what this entry asks for.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        if same(&self.value, value) || self.accept.iter().any(|other| same(other, value)) {
            return true;
        }
        match (self.value.trim().parse::<u64>(), value.trim().parse::<u64>()) {
            (Ok(least), Ok(value)) => self.at_least && value >= least,
            _ => false,
        }
    }

    /// Whether one value would do for both.
    fn meets(&self, other: &Self) -> bool {
        let mine = [&self.value].into_iter().chain(&self.accept);
        let theirs = [&other.value].into_iter().chain(&other.accept);
        (self.at_least && other.at_least)
            || mine.into_iter().any(|value| other.accepts(value))
            || theirs.into_iter().any(|value| self.accepts(value))
    }

    /// What it asks for, in words: `0 or 2`, `at least 8192`.
    #[must_use]
    pub fn wish(&self) -> String {
        let bound = if self.at_least { "at least " } else { "" };
        let mut wish = format!("{bound}{}", self.value);
        for other in &self.accept {
            wish.push_str(" or ");
            wish.push_str(other);
        }
        wish
    }
}
