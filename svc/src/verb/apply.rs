//! `svc apply`: compile, compare, switch, tell `supervise`.
//!
//! In this order, so that a boot at any moment finds a whole graph, and a mistake is found before
//! anything is changed: compile → diff → write and sync → move the symlinks → hand the graph to
//! `supervise`. What `supervise` refuses is undone.

use std::time::Duration;

use graph::{Graph, View};
use serde::Serialize;
use wire::{
    describe::changes,
    varlink::{ApplyParameters, ApplyReply, Change, Method, Reaction},
};

use super::switch::{self, Store};
use crate::{
    args::Apply,
    client::{BREAKS_MAX, Client, Fault},
    context::Context,
    error::Error,
    exit::Exit,
    files,
    model::Snapshot,
    paths::Paths,
    render::{Cell, Colour, Table},
};

/// `supervise` answers when it has accepted the graph; before that it reads all of it.
const ANSWER: Duration = Duration::from_secs(60);

/// What is printed; `--json` prints it as it is.
#[derive(Serialize)]
struct Applied {
    /// The graph's name.
    graph: String,
    /// It is in force: `supervise` runs, and has taken it.
    live: bool,
    /// A boot will take it.
    current: bool,
    changes: Vec<Change>,
}

/// Applies, or shows what applying would do.
pub fn run(args: &Apply, context: &mut Context) -> Result<Exit, Error> {
    let graph = files::compile_node(context)?;
    let bytes = graph::encode(&graph);
    let hash = View::open(&bytes).map_err(|error| Error::Invalid(error.to_string()))?.hash();
    let changes = changes(&in_force(&context.paths)?, &graph);
    let mut applied =
        Applied { graph: switch::name_of(hash), live: false, current: false, changes };
    if !args.dry_run {
        let store = Store::lock(&context.paths.graphs)?;
        let before = store.switch(hash, &bytes)?;
        let told = tell(&context.paths, hash, &bytes);
        match told {
            Ok(live) => applied.live = live,
            Err(error) => {
                store.revert(&before)?;
                return Err(error);
            }
        }
        applied.current = true;
        store.tidy();
    }
    if args.json {
        context.screen.json(&applied)?;
    } else {
        show(&applied, context)?;
    }
    Ok(Exit::Ok)
}

/// What runs; where nothing runs, what a boot would take; where there is nothing, nothing.
fn in_force(paths: &Paths) -> Result<Graph, Error> {
    if let Ok(snapshot) = Snapshot::load(paths) {
        return Ok(snapshot.graph);
    }
    let current = switch::current(&paths.graphs)?;
    // One that cannot be read, of an older version say, is replaced all the same.
    let graph = current.and_then(|bytes| View::open(&bytes).ok().map(|view| view.graph()));
    Ok(graph.unwrap_or_default())
}

/// Hands the graph to `supervise`. False: there is none, as in an image that is being built.
fn tell(paths: &Paths, hash: u64, bytes: &[u8]) -> Result<bool, Error> {
    for _ in 0..BREAKS_MAX {
        let mut client = match Client::connect(paths) {
            Ok(client) => client,
            Err(Fault::Absent(_)) => return Ok(false),
            Err(fault) => return Err(fault.into()),
        };
        // Written again each time: a supervisor that was replaced may have taken or dropped it.
        switch::write_whole(&paths.next(), bytes)?;
        match client.call_patiently(Method::Apply, &ApplyParameters::default(), ANSWER) {
            Ok(ApplyReply { .. }) => return Ok(true),
            Err(Fault::Broken) => {
                if Snapshot::load(paths).is_ok_and(|snapshot| snapshot.hash == hash) {
                    return Ok(true);
                }
            }
            Err(fault) => {
                switch::remove(&paths.next())?;
                return Err(fault.into());
            }
        }
    }
    switch::remove(&paths.next())?;
    Err(Fault::Broken.into())
}

fn show(applied: &Applied, context: &mut Context) -> Result<(), Error> {
    context.screen.table(&table(&applied.changes))?;
    context.screen.flush()?;
    let graph = &applied.graph;
    context.screen.say(match (applied.changes.is_empty(), applied.current, applied.live) {
        (_, true, false) => {
            format!("svc: Cooper does not run here; the next boot takes graph {graph}")
        }
        (true, _, _) => format!("svc: nothing differs from what is in force (graph {graph})"),
        (false, false, _) => "svc: nothing was changed: this was a dry run".into(),
        (false, true, true) => format!("svc: graph {graph} is in force"),
    });
    Ok(())
}

/// One line per change, and why.
fn table(changes: &[Change]) -> Table {
    let mut table = Table::bare();
    for change in changes {
        let (word, colour) = match change.reaction {
            Reaction::Start => ("new", Colour::Good),
            Reaction::Stop => ("stop", Colour::Bad),
            Reaction::Restart => ("restart", Colour::Busy),
            Reaction::Reload => ("reload", Colour::Busy),
            Reaction::Keep => ("keep", Colour::Dim),
        };
        let name = change.name.as_str().into();
        table.row([Cell::new(colour, word), name, change.why.as_str().into()]);
    }
    table
}

#[cfg(test)]
mod tests;
