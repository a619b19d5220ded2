//! The node's table of facts: its profiles, merged, and what they mean for services.
//!
//! `facts` knows how profiles go together; here is where they are found, where in `node.toml` a
//! problem is told, and which services come up because a profile says so.

use std::collections::BTreeMap;

use facts::{About, Library, Merged, Problem, Section, section};
use graph::{Kind, nearest};

use crate::{
    define::Draft,
    node::NodeFile,
    report::{Findings, Severity},
    schema::Named,
    text::{At, FileId},
    tree::Found,
};

/// What comes with Cooper, with the node's own files laid over it; what comes with Cooper is read
/// only if somebody asks for it.
pub(crate) fn library(found: &Found, asked: bool, findings: &mut Findings) -> Library {
    let mut library = if asked { Library::built_in() } else { Library::default() };
    for (name, &file) in &found.profiles {
        let read = facts::read::profile(found.sources.text(file));
        library.profiles.extend(told(read, file, findings).map(|profile| (name.clone(), profile)));
    }
    for (name, &file) in &found.hardware {
        let read = facts::read::hardware(found.sources.text(file));
        library.hardware.extend(told(read, file, findings).map(|target| (name.clone(), target)));
    }
    library
}

/// What was read, its mistakes told.
fn told<T>(
    read: Result<T, Vec<facts::read::Mistake>>,
    file: FileId,
    findings: &mut Findings,
) -> Option<T> {
    let tell = |mistakes: Vec<facts::read::Mistake>| {
        for mistake in mistakes {
            let at = At { file, start: mistake.span.start, end: mistake.span.end };
            findings.error(at, mistake.message, mistake.help);
        }
    };
    read.map_err(tell).ok()
}

/// The table of a choice; what is wrong with it is told where `node` says it.
pub(crate) fn merge(library: &Library, node: &NodeFile, findings: &mut Findings) -> Merged {
    let merged = library.node(&node.choice);
    for problem in &merged.problems {
        tell(problem, library, node, findings);
    }
    merged
}

fn tell(problem: &Problem, library: &Library, node: &NodeFile, findings: &mut Findings) {
    let severity = match problem.severity {
        facts::Severity::Error => Severity::Error,
        facts::Severity::Warning => Severity::Warning,
        // For the reference, not for whoever compiles.
        facts::Severity::Info => return,
    };
    let mut places: Vec<(At, &About)> =
        problem.about.iter().map(|about| (node.place(about), about)).collect();
    // Whoever wrote the later word could have known of the earlier one.
    places.sort_by_key(|(at, _)| *at);
    let last = places.pop();
    let related = places
        .into_iter()
        .map(|(at, about)| (at, format!("`{}` is chosen here", word(about))))
        .collect();
    let mut problem = problem.clone();
    if let Some(known) = last.and_then(|(_, about)| unknown(about, library)) {
        problem.ways_out = vec![match nearest(last.map_or("", |(_, about)| word(about)), known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "`svc profiles` lists those that there are".to_string(),
        }];
    }
    let at = last.map_or(node.at, |(at, _)| at);
    findings.problem(severity, at, &problem, related);
}

fn word(about: &About) -> &str {
    match about {
        About::Profile(word)
        | About::Hardware(word)
        | About::Settled(word)
        | About::Sysctl(word) => word,
    }
}

/// The names that there are, if a word is not one of them.
fn unknown<'a>(about: &About, library: &'a Library) -> Option<Vec<&'a str>> {
    match about {
        About::Profile(name) if !library.profiles.contains_key(name) => {
            Some(library.profiles.keys().map(String::as_str).collect())
        }
        About::Hardware(name) if !library.hardware.contains_key(name) => {
            Some(library.hardware.keys().map(String::as_str).collect())
        }
        About::Profile(_) | About::Hardware(_) | About::Settled(_) | About::Sysctl(_) => None,
    }
}

/// The services of profiles, for the bundle `default`.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub requires: Vec<Named>,
    pub wants: Vec<Named>,
}

/// Which services come up because a profile says so; those that are nowhere are told.
pub(crate) fn members(
    merged: &Merged,
    node: &NodeFile,
    found: &Found,
    drafts: &BTreeMap<String, Draft>,
    findings: &mut Findings,
) -> Members {
    let mut members = Members::default();
    let is_left_out =
        |service: &&facts::Service| node.without.iter().any(|named| named.name == service.name);
    for service in merged.node.services.iter().filter(|service| !is_left_out(service)) {
        let chosen = service.by.iter().find_map(|profile| merged.members.get(profile));
        let target = || merged.node.hardware.as_ref().map(|(name, _)| name);
        let word = chosen.map(|name| About::Profile(name.clone()));
        let word = word.or_else(|| target().map(|name| About::Hardware(name.clone())));
        let at = word.map_or(node.at, |word| node.place(&word));
        let name = service.name.clone();
        if !exists(&name, found, drafts) {
            missing(service, at, found, findings);
        } else if service.required {
            members.requires.push(Named { name, at });
        } else {
            members.wants.push(Named { name, at });
        }
    }
    members
}

fn exists(name: &str, found: &Found, drafts: &BTreeMap<String, Draft>) -> bool {
    let template = || crate::name::instance(name).map(|(template, _)| template);
    let provided =
        || drafts.values().any(|draft| draft.provides.iter().any(|alias| alias.name == name));
    drafts.contains_key(name)
        || template().is_some_and(|template| found.services.contains_key(template))
        || provided()
}

/// A node whose profile asks for a service that nobody brought is not the node that was meant.
fn missing(service: &facts::Service, at: At, found: &Found, findings: &mut Findings) {
    let facts::Service { name, by, why, source, .. } = service;
    let verb = if service.required { "requires" } else { "wants" };
    let dirs: Vec<String> = found.dirs.iter().map(|dir| dir.display().to_string()).collect();
    let looked = if dirs.is_empty() {
        String::new()
    } else {
        format!(", which is in none of {}", dirs.join(", "))
    };
    let problem = Problem {
        severity: facts::Severity::Error,
        about: Vec::new(),
        message: format!("there is no service `{name}`, which {} {verb}", by.join(", ")),
        because: vec![format!("{why} ({source})")],
        ways_out: vec![format!("install the package that brings {name}.toml, or write it{looked}")],
    };
    findings.problem(Severity::Error, at, &problem, Vec::new());
}

/// Gives a service the section of the table that its `setup` names.
pub(crate) fn set_up(draft: &mut Draft, table: &facts::Node, findings: &mut Findings) {
    let Some(fields) = &draft.fields else { return };
    let (Kind::Longrun(process) | Kind::Oneshot(process)) = &mut draft.service.kind else {
        return;
    };
    if let Some(own) = fields.pair("environment", section::VARIABLE) {
        let help = "leave it out, and name the section: setup = \"NAME\"";
        findings.error(own.at, format!("`{}` is set by Cooper", own.name), help);
        return;
    }
    let Some(section) = fields.text("setup").and_then(Section::named) else { return };
    let value = table.section(section);
    // The name, `=`, the value and a zero byte.
    let length = section::VARIABLE.len().saturating_add(value.len()).saturating_add(2);
    if length > section::VARIABLE_MAX {
        let at = fields.value_at("setup").unwrap_or(draft.at);
        let (name, max) = (section.name(), section::VARIABLE_MAX);
        findings.error(
            at,
            format!("the section `{name}` has {length} bytes, and {max} is all that fits"),
            "choose fewer profiles: the kernel gives no program a longer variable",
        );
        return;
    }
    process.environment.variables.push((section::VARIABLE.to_string(), value));
}
