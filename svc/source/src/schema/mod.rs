//! Every key that a file may have: one table from which parsing, hints, suggestions and
//! `docs/services.md` come.
//!
//! **Invariant:** what is not in the table cannot be read, and what is in it is documented.

mod node;
mod service;

use std::collections::BTreeMap;

use crate::{
    kind::{Parsed, Shape},
    text::At,
    value::parse_one,
};

pub(crate) use node::NODE;
pub(crate) use service::SERVICE;

/// Which services a key is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum For {
    /// Any.
    All,
    /// Those with a process.
    Process,
    /// Longruns.
    Longrun,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Where it stands: `stop.timeout` is `timeout` in the table `stop`.
    pub path: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// What it is when it is absent, as TOML; empty: nothing.
    pub default: &'static str,
    /// The same for oneshots, where it differs.
    pub default_oneshot: &'static str,
    /// Who may have it.
    pub of: For,
    /// Of all keys in a table with the same group at most one may stand.
    pub group: &'static str,
    /// One line for people.
    pub doc: &'static str,
}

impl Key {
    const fn new(path: &'static str, shape: Shape, of: For, doc: &'static str) -> Self {
        Self { path, shape, default: "", default_oneshot: "", of, group: "", doc }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    const fn oneshot(self, default_oneshot: &'static str) -> Self {
        Self { default_oneshot, ..self }
    }

    const fn one_of(self, group: &'static str) -> Self {
        Self { group, ..self }
    }

    /// The last part of its path.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// All but the last part of its path.
    pub fn table(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }
}

/// A table of keys, with its defaults parsed.
pub(crate) struct Schema {
    keys: BTreeMap<&'static str, (&'static Key, Option<Parsed>, Option<Parsed>)>,
}

impl Schema {
    /// Parses the defaults, once.
    pub fn new(table: &'static [Key]) -> Self {
        let parsed = |key: &Key, text: &str| {
            let value = parse_one(text)?;
            key.shape.parse(&value, &mut Vec::new())
        };
        let keys = table
            .iter()
            .map(|key| {
                let default = parsed(key, key.default);
                let oneshot = parsed(key, key.default_oneshot);
                (key.path, (key, default, oneshot))
            })
            .collect();
        Self { keys }
    }

    /// The key at this path.
    pub fn key(&self, path: &str) -> Option<&'static Key> {
        self.keys.get(path).map(|(key, _, _)| *key)
    }

    /// What a key is when it is absent.
    pub fn default(&self, path: &str, oneshot: bool) -> Option<&Parsed> {
        let (_, default, for_oneshot) = self.keys.get(path)?;
        if oneshot { for_oneshot.as_ref().or(default.as_ref()) } else { default.as_ref() }
    }

    /// The keys that may stand in a table.
    pub fn keys_in(&self, table: &str) -> impl Iterator<Item = &'static Key> {
        self.keys.values().map(|(key, _, _)| *key).filter(move |key| key.table() == table)
    }

    /// All keys.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.values().map(|(key, _, _)| *key)
    }

    /// The group of alternatives that a key belongs to, named with its table.
    pub fn group(&self, path: &str) -> Option<(&'static str, &'static str)> {
        let key = self.key(path)?;
        (!key.group.is_empty()).then(|| (key.table(), key.group))
    }
}

/// A text and its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    pub name: String,
    pub at: At,
}

#[cfg(test)]
mod tests {
    use super::{NODE, SERVICE, Schema};
    use crate::{kind::Shape, value::parse_one};

    #[test]
    fn every_default_is_a_value_of_its_key() {
        for key in SERVICE.iter().chain(NODE) {
            for default in [key.default, key.default_oneshot] {
                if !default.is_empty() {
                    let value = parse_one(default).expect(key.path);
                    let mut wrongs = Vec::new();
                    assert!(key.shape.parse(&value, &mut wrongs).is_some(), "{}", key.path);
                    assert_eq!(wrongs, [], "{}", key.path);
                }
            }
        }
    }

    #[test]
    fn every_key_stands_in_a_table_and_is_explained() {
        for table in [SERVICE, NODE] {
            let schema = Schema::new(table);
            for key in table {
                assert!(key.doc.ends_with('.'), "{}", key.path);
                if !key.table().is_empty() {
                    let parent = schema.key(key.table()).expect(key.path);
                    assert!(
                        matches!(parent.shape, Shape::Table { .. } | Shape::CgroupKeys),
                        "{}",
                        key.path
                    );
                }
            }
            assert_eq!(schema.all().count(), table.len(), "a path is there twice");
        }
    }

    #[test]
    fn every_section_can_be_named() {
        let names = facts::Section::ALL.map(facts::Section::name);
        assert_eq!(super::service::SECTIONS, names);
    }

    #[test]
    fn a_shorthand_leads_to_a_key() {
        let schema = Schema::new(SERVICE);
        for key in SERVICE {
            let Shape::Table { shorthand } = key.shape else { continue };
            if !shorthand.is_empty() {
                assert!(schema.key(&format!("{}.{shorthand}", key.path)).is_some(), "{}", key.path);
            }
        }
    }
}
