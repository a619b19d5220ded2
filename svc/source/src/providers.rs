//! Names, and whose they are.
//!
//! A name belongs to one service; a name that is provided may belong to several that conflict with
//! each other: alternatives, of which a node has one (`network`: by DHCP, or static). Such a name
//! means the one that `default` brings up.

use std::collections::{BTreeMap, BTreeSet};

use graph::DEFAULT_TARGET;

use crate::{define::Draft, report::Findings, schema::Named};

/// Every name, and who has it.
pub(crate) struct Providers<'a> {
    drafts: &'a [&'a Draft],
    names: BTreeMap<&'a str, Vec<usize>>,
    /// What `default` brings up by names of which each means one service.
    up: BTreeSet<usize>,
}

/// Whom a name means.
pub(crate) enum Meaning<'p> {
    /// This one.
    One(usize),
    /// One of these, and nothing says which.
    Any(&'p [usize]),
    Nobody,
}

impl<'a> Providers<'a> {
    pub fn new(drafts: &'a [&'a Draft], findings: &mut Findings) -> Self {
        let own = drafts.iter().enumerate();
        let names = own.map(|(index, draft)| (draft.service.name.as_str(), vec![index])).collect();
        let mut providers = Self { drafts, names, up: BTreeSet::new() };
        for (index, draft) in drafts.iter().enumerate() {
            for alias in &draft.provides {
                providers.add(index, alias, findings);
            }
        }
        providers.up = providers.up();
        providers
    }

    fn add(&mut self, index: usize, alias: &'a Named, findings: &mut Findings) {
        let holders = self.names.get(alias.name.as_str()).map_or(&[][..], Vec::as_slice);
        let Some(&other) =
            holders.iter().find(|&&other| !self.are_alternatives(index, other, alias))
        else {
            self.names.entry(&alias.name).or_default().push(index);
            return;
        };
        let Some(holder) = self.drafts.get(other) else { return };
        let theirs = holder.provides.iter().find(|theirs| theirs.name == alias.name);
        let (there, what) = match theirs {
            Some(theirs) => (theirs.at, format!("`{}` provides it here", holder.service.name)),
            None => (holder.at, format!("the service `{}` is here", alias.name)),
        };
        findings.error_with(
            alias.at,
            format!("the name `{}` is taken", alias.name),
            format!(
                "choose another one, or remove one of the two; of alternatives, each has \
                 conflicts = [\"{}\"]",
                alias.name
            ),
            vec![(there, what)],
        );
    }

    /// Both provide `alias`, and they conflict.
    fn are_alternatives(&self, a: usize, b: usize, alias: &Named) -> bool {
        let (Some(a), Some(b)) = (self.drafts.get(a), self.drafts.get(b)) else { return false };
        let calls = |by: &Draft, other: &Draft| {
            by.conflicts.iter().any(|named| {
                named.name == other.service.name
                    || other.provides.iter().any(|alias| alias.name == named.name)
            })
        };
        let both = [a, b].iter().all(|draft| draft.service.name != alias.name);
        both && (calls(a, b) || calls(b, a))
    }

    fn up(&self) -> BTreeSet<usize> {
        let mut up = BTreeSet::new();
        let mut unseen: Vec<usize> = self.all(DEFAULT_TARGET).to_vec();
        while let Some(index) = unseen.pop() {
            if !up.insert(index) {
                continue;
            }
            let Some(draft) = self.drafts.get(index) else { continue };
            for named in draft.requires.iter().chain(&draft.wants).chain(&draft.consumer) {
                if let [one] = self.all(&named.name) {
                    unseen.push(*one);
                }
            }
        }
        up
    }

    /// All that have the name.
    pub fn all(&self, name: &str) -> &[usize] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// The one that is meant.
    pub fn meaning(&self, name: &str) -> Meaning<'_> {
        let all = self.all(name);
        let mut up = all.iter().filter(|index| self.up.contains(index));
        match (all, up.next(), up.next()) {
            ([], _, _) => Meaning::Nobody,
            ([one], _, _) | (_, Some(one), None) => Meaning::One(*one),
            _ => Meaning::Any(all),
        }
    }

    /// Whether `default` brings it up.
    pub fn is_up(&self, index: usize) -> bool {
        self.up.contains(&index)
    }

    /// Whether who looks for `name` finds this one.
    pub fn is_meant(&self, index: usize, name: &str) -> bool {
        matches!(self.meaning(name), Meaning::One(one) if one == index)
    }

    /// All names.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.names.keys().copied()
    }

    /// Those that have it, for people: `` `a`, `b` ``.
    pub fn list(&self, indices: &[usize]) -> String {
        let names = indices.iter().filter_map(|&index| self.drafts.get(index));
        let names: Vec<String> = names.map(|draft| format!("`{}`", draft.service.name)).collect();
        names.join(", ")
    }
}
