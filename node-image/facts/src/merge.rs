//! Many profiles to one table.
//!
//! Entries that are about the same thing become one, which says who wants it (`by`) and gives
//! all their reasons. What cannot be had together is a problem that names both sides.
//!
//! **Invariant:** the table depends on which profiles there are, and on nothing else: not on
//! their order, not on which one includes which.

mod entries;
mod sysctl;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    entry::{KernelOptions, Module, Service, Severity, Sysctl},
    hardware::Hardware,
    node::{Node, Settings},
    problem::{About, Problem},
    profile::Profile,
};

/// Merges profiles, sorted by their names, and a hardware target. `about` says which word of the
/// choice brought in whoever is named in `by`.
pub(crate) fn merge(
    profiles: &[(&str, &Profile)],
    hardware: Option<(String, Hardware)>,
    settings: &Settings,
    about: &dyn Fn(&str) -> About,
    problems: &mut Vec<Problem>,
) -> Node {
    let mut tell = Tell { about, problems };
    let machine = hardware.as_ref().map(|(name, target)| (format!("hardware {name}"), target));
    let machine = || machine.as_ref().map(|(by, target)| (by.as_str(), *target));

    let mut modules = all(profiles, |profile| &profile.modules);
    let mut blacklist = all(profiles, |profile| &profile.blacklist);
    if let Some((by, target)) = machine() {
        modules.extend(target.modules.iter().map(|module| wanted(module, by)));
        blacklist.extend(target.blacklist.iter().map(|module| wanted(module, by)));
    }
    let (mut modules, blacklist) = (joined(modules, &mut tell), joined(blacklist, &mut tell));
    keep_off(&mut modules, &blacklist, &mut tell);

    let mut services = all(profiles, |profile| &profile.services);
    if let Some((by, target)) = machine() {
        services.extend(logins(&services, target, by));
    }
    let sysctls: Vec<Sysctl> = all(profiles, |profile| &profile.sysctls);
    Node {
        profiles: profiles.iter().map(|(name, _)| (*name).to_string()).collect(),
        settings: settings.clone(),
        modules,
        blacklist,
        sysctls: sysctl::merge(sysctls, &settings.sysctl, &mut tell),
        mounts: joined(all(profiles, |profile| &profile.mounts), &mut tell),
        cgroups: joined(all(profiles, |profile| &profile.cgroups), &mut tell),
        services: joined(services, &mut tell),
        checks: joined(all(profiles, |profile| &profile.checks), &mut tell),
        kernel: kernel(all(profiles, |profile| &profile.kernel), &mut tell),
        binaries: joined(all(profiles, |profile| &profile.binaries), &mut tell),
        ports: joined(all(profiles, |profile| &profile.ports), &mut tell),
        files: joined(all(profiles, |profile| &profile.files), &mut tell),
        hardware,
    }
}

/// Where profiles want logins at all, one on each console that the target has.
fn logins(wanted: &[Service], target: &Hardware, by: &str) -> Vec<Service> {
    if !wanted.iter().any(|service| service.name.starts_with("getty@")) {
        return Vec::new();
    }
    let consoles = target.boot.consoles.iter();
    let devices = consoles.map(|console| console.split(',').next().unwrap_or_default());
    // tty0 is whichever of the screen's terminals is shown; the login is on the first of them.
    let login = |device: &str| Service {
        name: format!("getty@{}", if device == "tty0" { "tty1" } else { device }),
        required: false,
        why: "A login on this machine's console.".to_string(),
        source: target.boot.source.clone(),
        by: vec![by.to_string()],
    };
    devices.map(login).collect()
}

/// An entry of a table, as merging sees it.
pub(crate) trait Entry: Clone {
    /// Entries with the same key are about the same thing.
    type Key: Ord;

    fn key(&self) -> Self::Key;

    /// Takes in what another entry of the same key says; `said` is left alone.
    fn absorb(&mut self, other: &Self, tell: &mut Tell<'_>);

    fn said(&mut self) -> Said<'_>;

    /// Who wants it.
    fn by(&self) -> &[String];
}

/// Why an entry is there.
pub(crate) struct Said<'a> {
    pub why: &'a mut String,
    pub source: &'a mut String,
    pub by: &'a mut Vec<String>,
}

/// Where problems go.
pub(crate) struct Tell<'a> {
    about: &'a dyn Fn(&str) -> About,
    problems: &'a mut Vec<Problem>,
}

impl Tell<'_> {
    /// Notes a problem between `sides`: who, and what they say for themselves.
    fn problem(
        &mut self,
        severity: Severity,
        message: String,
        sides: &[Side<'_>],
        ways_out: Vec<String>,
    ) {
        let mut about: Vec<About> = Vec::new();
        for by in sides.iter().flat_map(|side| side.by) {
            let word = (self.about)(by);
            if !about.contains(&word) {
                about.push(word);
            }
        }
        let because = sides.iter().map(Side::says).collect();
        self.problems.push(Problem { severity, about, message, because, ways_out });
    }

    /// Notes that two entries for `what` cannot be had together.
    fn contradiction(&mut self, what: &str, sides: &[Side<'_>]) {
        let list: Vec<String> =
            sides.iter().map(|side| format!("{} ({})", side.wants, side.by.join(", "))).collect();
        let message = format!("{what} cannot be both {}", list.join(" and "));
        self.problem(Severity::Error, message, sides, ways_out(sides));
    }
}

/// One side of a contradiction.
struct Side<'a> {
    by: &'a [String],
    wants: String,
    why: &'a str,
    source: &'a str,
}

impl Side<'_> {
    fn says(&self) -> String {
        let Self { by, wants, why, source } = self;
        format!("{} wants {wants}: {why} ({source})", by.join(", "))
    }
}

/// What always helps.
fn ways_out(sides: &[Side<'_>]) -> Vec<String> {
    let names: Vec<String> =
        sides.iter().flat_map(|side| side.by).map(|name| format!("`{name}`")).collect();
    vec![
        format!("leave one of them out: {}", names.join(", ")),
        "write a profile of your own into /etc/cooper/profiles and choose it instead".to_string(),
    ]
}

/// All entries of one kind, each with the profile that wants it.
fn all<'a, E: Entry + 'a>(
    profiles: &[(&str, &'a Profile)],
    kind: impl Fn(&'a Profile) -> &'a Vec<E>,
) -> Vec<E> {
    let of = |(name, profile): &(&str, &'a Profile)| {
        let name = (*name).to_string();
        kind(profile).iter().map(move |entry| wanted(entry, &name)).collect::<Vec<E>>()
    };
    profiles.iter().flat_map(of).collect()
}

fn wanted<E: Entry>(entry: &E, by: &str) -> E {
    let mut entry = entry.clone();
    *entry.said().by = vec![by.to_string()];
    entry
}

/// Entries with the same key made one, sorted by key.
fn joined<E: Entry>(entries: Vec<E>, tell: &mut Tell<'_>) -> Vec<E> {
    let mut groups: BTreeMap<E::Key, Vec<E>> = BTreeMap::new();
    for entry in entries {
        groups.entry(entry.key()).or_default().push(entry);
    }
    groups.into_values().filter_map(|group| join(group, tell)).collect()
}

fn join<E: Entry>(mut group: Vec<E>, tell: &mut Tell<'_>) -> Option<E> {
    let reasons = Reasons::of(&mut group);
    let (first, others) = group.split_first()?;
    let mut one = first.clone();
    for other in others {
        one.absorb(other, tell);
        // So that a contradiction with the next one names all who agree until there.
        let by = other.by().to_vec();
        one.said().by.extend(by);
    }
    reasons.give(&mut one);
    Some(one)
}

/// The reasons of all entries of a group.
struct Reasons {
    why: String,
    source: String,
    by: Vec<String>,
}

impl Reasons {
    fn of<E: Entry>(group: &mut [E]) -> Self {
        let (mut why, mut source, mut by) = (Vec::new(), Vec::new(), BTreeSet::new());
        for said in group.iter_mut().map(Entry::said) {
            if !why.contains(said.why) {
                why.push(said.why.clone());
            }
            if !source.contains(said.source) {
                source.push(said.source.clone());
            }
            by.extend(said.by.iter().cloned());
        }
        Self { why: sentence(&why), source: source.join("; "), by: by.into_iter().collect() }
    }

    fn give<E: Entry>(self, entry: &mut E) {
        let said = entry.said();
        *said.why = self.why;
        *said.source = self.source;
        *said.by = self.by;
    }
}

/// Several reasons in a line: whole sentences side by side, others with a semicolon between.
fn sentence(reasons: &[String]) -> String {
    let mut line = String::new();
    for reason in reasons {
        if !line.is_empty() {
            line.push_str(if line.ends_with('.') { " " } else { "; " });
        }
        line.push_str(reason);
    }
    line
}

/// A module that one wants and another keeps off cannot be had. What is optional gives way.
fn keep_off(modules: &mut Vec<Module>, blacklist: &[Module], tell: &mut Tell<'_>) {
    modules.retain(|module| {
        let Some(off) = blacklist.iter().find(|off| off.key() == module.key()) else {
            return true;
        };
        let sides = [
            Side { by: &module.by, wants: "it".into(), why: &module.why, source: &module.source },
            Side { by: &off.by, wants: "it kept off".into(), why: &off.why, source: &off.source },
        ];
        let (severity, message) = if module.optional {
            (Severity::Warning, "is wanted by one and kept off by another: it is kept off")
        } else {
            (Severity::Error, "is needed by one and kept off by another")
        };
        let message = format!("the module `{}` {message}", module.name);
        tell.problem(severity, message, &sides, ways_out(&sides));
        !module.optional
    });
}

/// Options of the kernel are merged one by one, and those with the same reason put together again.
fn kernel(entries: Vec<KernelOptions>, tell: &mut Tell<'_>) -> Vec<KernelOptions> {
    let single = |entry: KernelOptions| {
        let options = entry.options.clone();
        options
            .into_iter()
            .map(move |option| KernelOptions { options: vec![option], ..entry.clone() })
    };
    let mut groups: Vec<KernelOptions> = Vec::new();
    for entry in joined(entries.into_iter().flat_map(single).collect(), tell) {
        let same = |other: &&mut KernelOptions| {
            (&other.why, &other.source, other.severity, &other.by)
                == (&entry.why, &entry.source, entry.severity, &entry.by)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.options.extend(entry.options),
            None => groups.push(entry),
        }
    }
    groups
}
