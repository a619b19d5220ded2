//! All profiles and hardware targets that there are, and the way from a choice of them to a
//! node's table.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    entry::{Conflict, Severity},
    hardware::Hardware,
    merge::merge,
    node::{Node, Settings},
    problem::{About, Problem},
    profile::Profile,
};

/// Profiles and hardware targets by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    /// The profiles.
    pub profiles: BTreeMap<String, Profile>,
    /// The hardware targets.
    pub hardware: BTreeMap<String, Hardware>,
}

/// What node.toml chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Profiles.
    pub profiles: Vec<String>,
    /// A hardware target.
    pub hardware: Option<String>,
    /// Names of conflicts that somebody has dealt with.
    pub settled: Vec<String>,
    /// `[setup]`
    pub settings: Settings,
}

/// A table, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// With an error among the problems: the part of it that could be made.
    pub node: Node,
    /// Each profile that is in it, and the chosen one that brings it: itself, or one that includes
    /// it.
    pub members: BTreeMap<String, String>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
}

impl Library {
    /// The table of a choice. The same choice gives the same table, in whatever order it is made.
    #[must_use]
    pub fn node(&self, choice: &Choice) -> Merged {
        let mut problems = Vec::new();
        let members = self.close(choice, &mut problems);
        let hardware = choice.hardware.as_ref().and_then(|name| {
            let target = self.hardware.get(name);
            if target.is_none() {
                problems.push(unknown_hardware(name, self));
            }
            Some((name.clone(), target?.clone()))
        });
        let before = problems.len();
        self.tell_conflicts(choice, &members, &mut problems);
        let enemies: Vec<Vec<About>> = problems
            .iter()
            .skip(before)
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| problem.about.clone())
            .collect();
        let profiles: Vec<(&str, &Profile)> =
            members.keys().filter_map(|name| Some((*name, self.profiles.get(*name)?))).collect();
        let about = |by: &str| match members.get(by) {
            Some(chosen) => About::Profile((*chosen).to_string()),
            None => About::Hardware(choice.hardware.clone().unwrap_or_default()),
        };
        let mut details = Vec::new();
        let node = merge(&profiles, hardware, &choice.settings, &about, &mut details);
        // What two profiles quarrel about that do not go together anyway says nothing new.
        details.retain(|detail: &Problem| {
            !enemies.iter().any(|about| detail.about.iter().all(|word| about.contains(word)))
        });
        problems.append(&mut details);
        let owned = |(name, chosen): (&&str, &&str)| ((*name).to_string(), (*chosen).to_string());
        Merged { node, members: members.iter().map(owned).collect(), problems }
    }

    /// The profiles chosen and all that they include; with each, the chosen one that brings it.
    fn close<'a>(
        &'a self,
        choice: &'a Choice,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<&'a str, &'a str> {
        let mut members: BTreeMap<&str, &str> = BTreeMap::new();
        for chosen in &choice.profiles {
            let Some((name, _)) = self.profiles.get_key_value(chosen) else {
                problems.push(unknown_profile(chosen, chosen, self));
                continue;
            };
            // Each profile on the way down, with what it still has to visit.
            let mut path: Vec<(&str, &[String])> = vec![(name, self.included_by(name))];
            members.entry(name).or_insert(chosen);
            while let Some((_, left)) = path.last_mut() {
                let Some((next, rest)) = left.split_first() else {
                    path.pop();
                    continue;
                };
                *left = rest;
                if let Some(start) = path.iter().position(|(name, _)| name == next) {
                    let circle = path.iter().skip(start).map(|(name, _)| *name).chain([&**next]);
                    problems.push(circular(chosen, &circle.collect::<Vec<_>>()));
                } else if !self.profiles.contains_key(next) {
                    problems.push(unknown_profile(chosen, next, self));
                } else if !members.contains_key(next.as_str()) {
                    members.insert(next, chosen);
                    path.push((next, self.included_by(next)));
                }
            }
        }
        members
    }

    fn included_by(&self, name: &str) -> &[String] {
        self.profiles.get(name).map_or(&[], |profile| &profile.includes)
    }

    /// Says which of the chosen profiles do not go together, and which words of `settled` settle
    /// nothing.
    fn tell_conflicts(
        &self,
        choice: &Choice,
        members: &BTreeMap<&str, &str>,
        problems: &mut Vec<Problem>,
    ) {
        let mut told: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for (&name, &chosen) in members {
            for conflict in self.profiles.get(name).into_iter().flat_map(|p| &p.conflicts) {
                let Some((&other, &other_chosen)) = members.get_key_value(&*conflict.with) else {
                    continue;
                };
                names.insert(&conflict.name);
                let pair = (name.min(other), name.max(other), conflict.name.as_str());
                if told.insert(pair) && !choice.settled.contains(&conflict.name) {
                    let mut about = vec![chosen, other_chosen];
                    about.sort_by_key(|chosen| choice.profiles.iter().position(|p| p == chosen));
                    about.dedup();
                    problems.push(conflicting(name, conflict, &about));
                }
            }
        }
        for settled in choice.settled.iter().filter(|settled| !names.contains(settled.as_str())) {
            problems.push(settles_nothing(settled, &names));
        }
    }
}

fn conflicting(name: &str, conflict: &Conflict, about: &[&str]) -> Problem {
    let mut ways_out = conflict.ways_out.clone();
    ways_out
        .push(format!("once that is done, say so in node.toml: settled = [\"{}\"]", conflict.name));
    let (first, second) = (name.min(&conflict.with), name.max(&conflict.with));
    Problem {
        severity: conflict.severity,
        about: about.iter().map(|chosen| About::Profile((*chosen).to_string())).collect(),
        message: format!("`{first}` and `{second}` do not go together"),
        because: vec![format!("{} ({})", conflict.why, conflict.source)],
        ways_out,
    }
}

fn settles_nothing(settled: &str, names: &BTreeSet<&str>) -> Problem {
    let known: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let way = if known.is_empty() {
        "take it out: the profiles of this node have no conflicts".to_string()
    } else {
        format!("take it out, or write one of: {}", known.join(", "))
    };
    Problem {
        severity: Severity::Warning,
        about: vec![About::Settled(settled.to_string())],
        message: format!("`{settled}` settles nothing: no two profiles of this node have it"),
        because: Vec::new(),
        ways_out: vec![way],
    }
}

fn unknown_profile(chosen: &str, name: &str, library: &Library) -> Problem {
    let about = About::Profile(chosen.to_string());
    if chosen == name {
        return unknown(about, format!("there is no profile `{name}`"), library.profiles.keys());
    }
    Problem {
        severity: Severity::Error,
        about: vec![about],
        message: format!("`{chosen}` includes `{name}`, and there is no such profile"),
        because: Vec::new(),
        ways_out: vec![format!("write {name}.toml, or take it out of `includes`")],
    }
}

fn unknown_hardware(name: &str, library: &Library) -> Problem {
    let message = format!("there is no hardware target `{name}`");
    unknown(About::Hardware(name.to_string()), message, library.hardware.keys())
}

fn unknown<'a>(about: About, message: String, known: impl Iterator<Item = &'a String>) -> Problem {
    let known: Vec<&str> = known.map(String::as_str).collect();
    Problem {
        severity: Severity::Error,
        about: vec![about],
        message,
        because: Vec::new(),
        ways_out: vec![format!("there are: {}", known.join(", "))],
    }
}

fn circular(chosen: &str, circle: &[&str]) -> Problem {
    Problem {
        severity: Severity::Error,
        about: vec![About::Profile(chosen.to_string())],
        message: format!("profiles include each other in a circle: {}", circle.join(" → ")),
        because: Vec::new(),
        ways_out: vec!["take one of these `includes` out".to_string()],
    }
}
