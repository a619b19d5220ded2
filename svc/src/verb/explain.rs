//! `svc explain NAME`: the chain of causes, and what would change it.

use graph::ServiceId;
use serde::Serialize;
use wire::{
    describe::{World, chain},
    varlink::{Goal, Link, Service, State},
};

use crate::{
    args::Explain,
    context::Context,
    error::Error,
    exit::Exit,
    model::Snapshot,
    render::{Colour, Screen, ago},
};

/// What is printed; `--json` prints it as it is.
#[derive(Serialize)]
struct Explanation {
    service: Service,
    /// From the service to the root of the matter.
    chain: Vec<Link>,
    /// Up, or to be up, and requiring or wanting it.
    wanted_by: Vec<String>,
    /// What stopping it would stop first.
    stops_first: Vec<String>,
    now_us: u64,
}

/// Explains one service.
pub fn run(args: &Explain, context: &mut Context) -> Result<Exit, Error> {
    let snapshot = Snapshot::load(&context.paths)?;
    let id = snapshot.find(&args.name)?;
    let Some(explanation) = explain(&snapshot, id) else { return Ok(Exit::Ok) };
    if args.json {
        context.screen.json(&explanation)?;
    } else {
        show(&explanation, &mut context.screen)?;
    }
    Ok(Exit::Ok)
}

fn explain(snapshot: &Snapshot, id: ServiceId) -> Option<Explanation> {
    let name = |id: ServiceId| snapshot.definition(id).map(|service| service.name.clone());
    let wants = |other: &ServiceId| {
        let reaches = snapshot
            .definition(*other)
            .is_some_and(|service| service.requires.contains(&id) || service.wants.contains(&id));
        reaches && snapshot.record(*other).is_some_and(|record| record.goal == engine::Goal::Up)
    };
    Some(Explanation {
        service: snapshot.describe(id)?,
        chain: chain(snapshot, id),
        wanted_by: snapshot.ids().filter(wants).filter_map(name).collect(),
        stops_first: snapshot.stops_before(id).into_iter().filter_map(name).collect(),
        now_us: snapshot.now_us(),
    })
}

fn show(explanation: &Explanation, screen: &mut Screen) -> Result<(), Error> {
    for (depth, link) in explanation.chain.iter().enumerate() {
        let word = screen.paint(Colour::of(link.state), link.state.word());
        let indent = "  ".repeat(depth);
        let gap = match (link.why.is_empty(), link.state) {
            (true, _) => "",
            // It reads on: waiting for containerd.
            (false, State::Waiting) => " ",
            (false, _) => ", ",
        };
        screen.line(format_args!("{indent}{}: {word}{gap}{}", link.name, link.why))?;
    }
    screen.line("")?;
    for sentence in sentences(explanation) {
        screen.line(sentence)?;
    }
    Ok(())
}

/// Why it is wanted, and what would start or stop it.
fn sentences(explanation: &Explanation) -> Vec<String> {
    let service = &explanation.service;
    let name = &service.name;
    let mut said = Vec::new();
    let age = ago(explanation.now_us, service.since_us);
    if service.since_us > 0 {
        said.push(format!("It is in this state for {age}."));
    }
    if let Some(end) = &service.last_end {
        said.push(format!("Its last end: {}.", end.text));
    }
    let wanted_by = explanation.wanted_by.join(", ");
    match (service.goal, wanted_by.is_empty()) {
        (Goal::Up, false) => said.push(format!("It is wanted up, by {wanted_by}.")),
        (Goal::Up, true) => said.push("It is wanted up, because somebody started it.".into()),
        (Goal::Down, false) => said.push(format!("It is to be down, although {wanted_by} asks.")),
        (Goal::Down, true) => said.push("It is not wanted up.".into()),
    }
    if let (Goal::Up, false) = (service.goal, service.state.is_up()) {
        said.push(match explanation.chain.last().filter(|root| root.name != *name) {
            Some(root) => format!(
                "It starts by itself once {} is in order: `svc explain {}`, `svc logs {}`.",
                root.name, root.name, root.name
            ),
            None => {
                format!("What it printed: `svc logs {name}`. To try at once: `svc start {name}`.")
            }
        });
    }
    if service.goal == Goal::Down {
        said.push(format!("To start it: `svc start {name}`."));
    }
    if service.goal == Goal::Up {
        said.push(match explanation.stops_first.as_slice() {
            [] => format!("`svc stop {name}` would stop nothing else."),
            others => format!("`svc stop {name}` would first stop {}.", others.join(", ")),
        });
    }
    said
}

#[cfg(test)]
mod tests;
