//! `svc apply`: compile, compare, switch, tell `supervise`.
//!
//! In this order, so that a boot at any moment finds a whole graph, and a mistake is found before
//! anything is changed: compile → diff → write and sync → move the symlinks → hand the graph to
//! `supervise`. What `supervise` refuses is undone.

use std::time::{Duration, Instant};

use graph::{Graph, View};
use serde::Serialize;
use wire::{
    describe::changes,
    varlink::{
        self, ApplyParameters, ApplyReply, Change, Goal, ListReply, Method, Reaction, State,
        WatchParameters,
    },
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
    render::{Cell, Colour, Screen, Table},
};

/// What must restart is stopped first, each service within its own time limit; this is longer
/// than any of those in its turn should take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often a person sees the seconds go by, and the table is looked at where nothing tells.
const TICK: Duration = Duration::from_secs(1);

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
    let running = Snapshot::load(&context.paths).ok();
    let old = match &running {
        Some(snapshot) => snapshot.graph.clone(),
        None => on_disk(&context.paths)?,
    };
    let mut changes = changes(&old, &graph);
    if let Some(snapshot) = &running {
        changes.iter_mut().for_each(|change| leave_alone_what_is_down(change, snapshot));
    }
    let mut applied =
        Applied { graph: switch::name_of(hash), live: false, current: false, changes };
    if !args.dry_run {
        let store = Store::lock(&context.paths.graphs)?;
        refuse_at_the_end(&context.paths)?;
        let before = store.switch(hash, &bytes)?;
        match tell(context, hash, &bytes) {
            Ok(live) => applied.live = live,
            // It was accepted, and goes on.
            Err(error @ Error::TimedOut(_)) => return Err(error),
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

/// What a boot would take, where nothing runs; where there is nothing, nothing.
fn on_disk(paths: &Paths) -> Result<Graph, Error> {
    let current = switch::current(&paths.graphs)?;
    // One that cannot be read, of an older version say, is replaced all the same.
    let graph = current.and_then(|bytes| View::open(&bytes).ok().map(|view| view.graph()));
    Ok(graph.unwrap_or_default())
}

/// A service that does not run, and is not to, is only changed.
fn leave_alone_what_is_down(change: &mut Change, snapshot: &Snapshot) {
    let service = snapshot.find(&change.name).ok().and_then(|id| snapshot.describe(id));
    let is_down =
        service.is_some_and(|service| service.state == State::Down && service.goal == Goal::Down);
    match change.reaction {
        Reaction::Restart | Reaction::Reload if is_down => {
            change.reaction = Reaction::Keep;
            change.why.push_str("; it does not run");
        }
        Reaction::Restart
        | Reaction::Reload
        | Reaction::Start
        | Reaction::Stop
        | Reaction::Keep => {}
    }
}

/// During a shutdown, nothing is begun; and nothing is changed, for the next boot either.
fn refuse_at_the_end(paths: &Paths) -> Result<(), Error> {
    let ends = Snapshot::load(paths).is_ok_and(|snapshot| snapshot.live.shutdown.is_some());
    if ends {
        return Err(Error::Failed("a shutdown is under way; nothing was changed".into()));
    }
    Ok(())
}

/// Hands the graph to `supervise`. False: there is none, as in an image that is being built.
fn tell(context: &mut Context, hash: u64, bytes: &[u8]) -> Result<bool, Error> {
    let next = context.paths.next();
    for _ in 0..BREAKS_MAX {
        let mut client = match Client::connect(&context.paths) {
            Ok(client) => client,
            Err(Fault::Absent(_)) => return Ok(false),
            Err(fault) => return Err(fault.into()),
        };
        // Written again each time: a supervisor that was replaced may have dropped it. One that
        // has put it in force finds nothing to change.
        switch::write_whole(&next, bytes)?;
        client.send(Method::Apply, &ApplyParameters::default(), false)?;
        match answer(&mut client, &mut context.screen) {
            Ok(()) => return Ok(true),
            // A supervisor that was replaced half way goes on by itself; so it is ours that is
            // being put in force.
            Err(Fault::Refused(varlink::Error::Busy { .. })) => {
                return wait_for(hash, context).map(|()| true);
            }
            Err(Fault::Broken) if is_in_force(hash, &context.paths) => return Ok(true),
            Err(Fault::Broken) => {}
            Err(Fault::Silent) => return Err(late()),
            Err(fault) => {
                switch::remove(&next)?;
                return Err(fault.into());
            }
        }
    }
    switch::remove(&next)?;
    Err(Fault::Broken.into())
}

/// Waits for the answer, which comes when the graph is in force.
fn answer(client: &mut Client, screen: &mut Screen) -> Result<(), Fault> {
    let begun = Instant::now();
    let mut progress = screen.progress();
    while begun.elapsed() < PATIENCE {
        if client.reply::<ApplyReply>(TICK)?.is_some() {
            return Ok(());
        }
        let seconds = begun.elapsed().as_secs();
        progress.show(&format!("waiting for what must restart to stop ({seconds} s)"));
    }
    Err(Fault::Silent)
}

/// Waits until this graph is in force, by looking at the table: no call tells it.
fn wait_for(hash: u64, context: &mut Context) -> Result<(), Error> {
    let begun = Instant::now();
    let mut client = Client::connect(&context.paths)?;
    client.send(Method::Watch, &WatchParameters::default(), true)?;
    while begun.elapsed() < PATIENCE {
        if is_in_force(hash, &context.paths) {
            return Ok(());
        }
        // Changes come while services stop; what comes makes us look sooner.
        match client.reply::<ListReply>(TICK) {
            Ok(_) => {}
            Err(Fault::Broken) => {
                client = Client::connect(&context.paths)?;
                client.send(Method::Watch, &WatchParameters::default(), true)?;
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(late())
}

fn is_in_force(hash: u64, paths: &Paths) -> bool {
    Snapshot::load(paths).is_ok_and(|snapshot| snapshot.hash == hash)
}

fn late() -> Error {
    Error::TimedOut("the graph was accepted and is not in force yet: `svc status`".into())
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
            Reaction::Stop => ("gone", Colour::Bad),
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
