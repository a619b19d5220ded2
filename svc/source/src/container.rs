//! What is different when the services of a container are compiled, at its start.
//!
//! There is a service `main`, which is the container's command; a file of that name may say more
//! of it. It is what the container is there for, and it has of the container what no file says.
//! All others come up before it, unless a file says what comes up and in which order.

use std::{collections::BTreeMap, fmt::Write};

use graph::{DEFAULT_TARGET, Kind, LogTo, Process, RESCUE_SHELL, RESCUE_TARGET, RestartPolicy};

use crate::{
    define::Draft, reader::Fields, report::Findings, schema::Named, text::At, tree::Found,
};

/// The main service's name.
pub const MAIN: &str = "main";
/// The name of the service that tells how the others are.
pub const HEALTH: &str = "svc-health";

/// What a container is started with.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// Its command; empty: `main.toml` says it, or there is no main service.
    pub command: Vec<String>,
    /// The command of the service that tells how the others are; empty: there is none.
    pub health: Vec<String>,
}

/// Later than any name that people give a drop-in: the command wins.
const LAST: &str = "~command.toml";

/// Lays the command over the files.
pub(crate) fn add(container: &Container, found: &mut Found, findings: &mut Findings) {
    let defined = found.services.get(MAIN).is_some_and(|files| files.definition.is_some());
    if !container.command.is_empty() {
        let relative =
            if defined { format!("{MAIN}.toml.d/{LAST}") } else { format!("{MAIN}.toml") };
        found.add(&relative, "(the command)", exec(&container.command), findings);
    }
    if !container.health.is_empty() {
        let text = "description = \"Tells how the services are\"\n".to_string();
        let text = text + &exec(&container.health);
        found.add(&format!("{HEALTH}.toml"), "(health of the container)", text, findings);
    }
}

/// `exec` as TOML.
fn exec(command: &[String]) -> String {
    let mut text = String::from("exec = [");
    for word in command {
        text.push('"');
        for c in word.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                c if c.is_control() => {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "\\u{:04X}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        text.push_str("\", ");
    }
    text + "]\n"
}

/// Fills in what no file says.
pub(crate) fn complete(drafts: &mut BTreeMap<String, Draft>, findings: &mut Findings) {
    for draft in drafts.values_mut() {
        let Draft { service, fields: Some(fields), .. } = draft else { continue };
        let (Kind::Longrun(process) | Kind::Oneshot(process)) = &mut service.kind else { continue };
        if process.log.to == LogTo::Files && !fields.has("log.to") {
            process.log.to = LogTo::Console;
        }
        if service.name == MAIN {
            service.critical |= !fields.has("critical");
            complete_main(process, fields, service.critical);
            if !fields.has("description") {
                service.description = "The command that this container is for".into();
            }
        }
    }
    if let Some(Draft { service, at, .. }) = drafts.get(MAIN) {
        if !matches!(service.kind, Kind::Longrun(_)) {
            findings.error(
                *at,
                format!("`{MAIN}` is the container's command, which is a longrun"),
                "leave `type` out, or give the file another name",
            );
        }
    }
    order(drafts);
    // Who tells how the others are stops last.
    if drafts.contains_key(HEALTH) {
        let others = drafts.iter_mut().filter(|(name, _)| name.as_str() != HEALTH);
        for (_, draft) in others {
            draft.after.push(Named { name: HEALTH.into(), at: At::NOWHERE });
        }
    }
}

fn complete_main(process: &mut Process, fields: &Fields, critical: bool) {
    if critical && !fields.has("restart.policy") {
        process.restart.policy = RestartPolicy::Never;
    }
    if !fields.has("stop.signal") {
        // The one that came.
        process.stop.signal = 0;
    }
    if !fields.has("run.cwd") {
        process.run.cwd.clear();
    }
    if !fields.has("run.umask") {
        process.run.umask = None;
    }
}

/// `default` is everything, if no file has it; and `main` comes after all that `default` names, if
/// no file says what it comes after.
fn order(drafts: &mut BTreeMap<String, Draft>) {
    let named = |name: &str| Named { name: name.into(), at: At::NOWHERE };
    let is_rescue = |name: &str| [RESCUE_TARGET, RESCUE_SHELL].contains(&name);
    if !drafts.contains_key(DEFAULT_TARGET) {
        let all: Vec<String> = drafts.keys().filter(|name| !is_rescue(name)).cloned().collect();
        let mut service = graph::rescue_bundle(graph::ServiceId(0));
        service.requires.clear();
        service.name = DEFAULT_TARGET.into();
        service.description = "What this container is for".into();
        let mut bundle = Draft::built_in(service, &[]);
        bundle.wants = all.iter().map(|name| named(name)).collect();
        drafts.insert(DEFAULT_TARGET.into(), bundle);
    }
    let has_main = drafts.contains_key(MAIN);
    let Some(default) = drafts.get_mut(DEFAULT_TARGET).filter(|_| has_main) else { return };
    if !default.requires.iter().chain(&default.wants).any(|member| member.name == MAIN) {
        default.wants.push(named(MAIN));
    }
    let members: Vec<String> =
        default.requires.iter().chain(&default.wants).map(|member| member.name.clone()).collect();
    let after_main = dependents(drafts);
    let Some(main) = drafts.get_mut(MAIN) else { return };
    let said = ["requires", "wants", "after"];
    if main.fields.as_ref().is_some_and(|fields| said.iter().any(|key| fields.has(key))) {
        return;
    }
    let first = members.iter().filter(|name| !after_main.contains(name));
    main.wants = first.map(|name| named(name)).collect();
}

/// `main`, and all that come after it, by any of their names.
fn dependents(drafts: &BTreeMap<String, Draft>) -> Vec<String> {
    let mut found = vec![MAIN.to_string()];
    loop {
        let before = found.len();
        for (name, draft) in drafts {
            let earlier = draft.requires.iter().chain(&draft.wants).chain(&draft.after);
            let mut earlier = earlier.chain(&draft.consumer);
            if name != DEFAULT_TARGET
                && !found.contains(name)
                && earlier.any(|other| found.contains(&other.name))
            {
                found.push(name.clone());
                found.extend(draft.provides.iter().map(|alias| alias.name.clone()));
            }
        }
        if found.len() == before {
            return found;
        }
    }
}
