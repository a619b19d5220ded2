//! `docs/states.md`: what each event does in each state, found by looking at everything that can
//! happen. `UPDATE=1` rewrites it; otherwise it must be up to date.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly"
)]

mod world;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use unit::{
    Action, Event, Kill, Kind, Left, Main, Policy, Readiness, Reload, Reloading, Restart, Stage,
    State,
};
use world::{Happening, World, policy};

/// For each event, what may come of it: what is asked for, and which state follows.
type Outcomes = BTreeMap<&'static str, BTreeSet<(String, &'static str)>>;

#[test]
fn the_table_of_states_is_up_to_date() {
    let mut table: BTreeMap<(usize, &'static str), Outcomes> = BTreeMap::new();
    for policy in policies() {
        look(&policy, &mut table);
    }
    let text = written(&table);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/states.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    } else {
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "docs/states.md is out of date: run with UPDATE=1");
    }
}

fn policies() -> Vec<Policy> {
    let mut all = vec![policy(Kind::Bundle, Kill::Process, Restart::Never)];
    for kill in [Kill::Process, Kill::Cgroup, Kill::Mixed] {
        for restart in [Restart::Always, Restart::Never] {
            let oneshot = policy(Kind::Oneshot, kill, restart);
            let full = Policy {
                stop_command: true,
                finish_command: true,
                reload: Reload::Command,
                watchdog_ms: 2_000,
                health: true,
                ..oneshot
            };
            for policy in [oneshot, full] {
                let kind = Kind::Longrun;
                all.push(policy);
                all.push(Policy { kind, reload: Reload::Signal, ..policy });
                all.push(Policy { kind, readiness: Readiness::Signal, ..policy });
                all.push(Policy { kind, health_restarts: true, ..policy });
            }
        }
    }
    all
}

fn look(policy: &Policy, table: &mut BTreeMap<(usize, &'static str), Outcomes>) {
    let first = World::new();
    let mut seen = HashSet::from([first]);
    let mut todo = vec![first];
    while let Some(world) = todo.pop() {
        for happening in world.happenings(policy) {
            let next = match happening {
                Happening::Unseen(next) => next,
                Happening::Told(event) => {
                    let mut next = world;
                    let mut asked = Vec::new();
                    for action in next.tell(policy, event).iter() {
                        asked.push(verb(action));
                        next.perform(policy, action);
                    }
                    let implied = is_said_while_spawning(&world, event);
                    let changes = next.unit.state != world.unit.state;
                    if !implied && (!asked.is_empty() || changes) {
                        let outcomes = table.entry(label(world.unit.state)).or_default();
                        let outcome = (asked.join(", "), label(next.unit.state).1);
                        outcomes.entry(name(event)).or_default().insert(outcome);
                    }
                    next
                }
            };
            let next = next.canonical(policy);
            if seen.insert(next) {
                todo.push(next);
            }
        }
    }
}

/// It counts as `executed` first, and then as it does in the state after that.
fn is_said_while_spawning(world: &World, event: Event) -> bool {
    let spawning = matches!(world.unit.state, State::Spawning { .. });
    spawning
        && matches!(
            event,
            Event::Ready(_)
                | Event::Exited(_, _)
                | Event::Reloading(_)
                | Event::Stopping(_)
                | Event::Extend(_, _)
                | Event::Ping(_)
                | Event::Trigger(_)
                | Event::WatchdogInterval(_, _)
        )
}

fn written(table: &BTreeMap<(usize, &'static str), Outcomes>) -> String {
    let mut text = String::from(HEAD);
    for ((_, state), outcomes) in table {
        let _ = write!(text, "\n## {state}\n\n| event | asks for | then |\n|---|---|---|\n");
        for (event, outcomes) in outcomes {
            for (asked, next) in outcomes {
                let asked = if asked.is_empty() { "–" } else { asked };
                let next = if next == state { "(stays)" } else { next };
                let _ = writeln!(text, "| {event} | {asked} | {next} |");
            }
        }
    }
    text
}

const HEAD: &str = "\
# The states of a unit

Generated from the machine (`supervise/unit`) by `UPDATE=1 cargo test -p unit --test states`; a test
fails when it is out of date. It lists everything that any event can bring about in any state that
can be reached, over policies that have every stop mode, readiness, restart, command and probe.
What is not listed changes nothing: it is late, repeated, of another life, or impossible. Which of
several rows holds depends on the policy and on what is left; the transcripts in
`supervise/unit/tests/walk` show lives from end to end. What a program says or does while it is
`Spawning` counts as `executed` first, and then as in the state after that. A restart is a stop,
and a start once it is down.
";

/// Order and name.
fn label(state: State) -> (usize, &'static str) {
    match state {
        State::Down => (0, "Down"),
        State::Spawning { exists: false, .. } => (1, "Spawning, asked for"),
        State::Spawning { exists: true, .. } => (2, "Spawning, made"),
        State::Starting { .. } => (3, "Starting"),
        State::Up { reloading: Reloading::No, .. } => (4, "Up"),
        State::Up { reloading: Reloading::Announced { .. }, .. } => (5, "Up, reloading"),
        State::Up { reloading: Reloading::Command { .. }, .. } => (6, "Up, reload command runs"),
        State::Up { reloading: Reloading::Failed { .. }, .. } => (7, "Up, last reload failed"),
        State::Stopping { stage: Stage::Interrupt, .. } => (8, "Stopping, reload command killed"),
        State::Stopping { stage: Stage::Command, .. } => (9, "Stopping, stop command runs"),
        State::Stopping { stage: Stage::Signal, left, .. } => match left {
            Left { main: Main::Gone, command: None } => (11, "Stopping, signalled, strays left"),
            Left { .. } => (10, "Stopping, signalled"),
        },
        State::Stopping { stage: Stage::Kill, left, .. } => match left {
            Left { main: Main::Gone, command: None } => (13, "Stopping, killed, strays left"),
            Left { .. } => (12, "Stopping, killed"),
        },
        State::Finishing { .. } => (14, "Finishing"),
        State::Cleaning { .. } => (15, "Cleaning"),
        State::Backoff { .. } => (16, "Backoff"),
        State::Ended => (17, "Ended"),
        State::Failed => (18, "Failed"),
        State::Skipped { .. } => (19, "Skipped"),
    }
}

fn name(event: Event) -> &'static str {
    match event {
        Event::Start => "order: start",
        Event::Stop => "order: stop",
        Event::Reload => "order: reload",
        Event::Reset => "order: reset",
        Event::Spawned(_) => "spawned",
        Event::Unmet(_, _) => "condition unmet",
        Event::SpawnFailed(_, _) => "spawn failed",
        Event::Executed(_) => "executed",
        Event::Ready(_) => "ready",
        Event::Exited(_, _) => "main process exited",
        Event::Emptied(_) => "cgroup emptied",
        Event::CommandEnded(_, _, _) => "command ended",
        Event::Unhealthy(_) => "unhealthy",
        Event::Healthy(_) => "healthy",
        Event::Reloading(_) => "RELOADING=1",
        Event::Stopping(_) => "STOPPING=1",
        Event::Extend(_, _) => "EXTEND_TIMEOUT_USEC",
        Event::Ping(_) => "WATCHDOG=1",
        Event::Trigger(_) => "WATCHDOG=trigger",
        Event::WatchdogInterval(_, _) => "WATCHDOG_USEC",
        Event::DeadlinePassed => "deadline",
    }
}

fn verb(action: Action) -> String {
    match action {
        Action::Spawn(_) => "spawn".into(),
        Action::Run(_, command) => format!("run {command:?}").to_lowercase(),
        Action::SignalMain => "signal main".into(),
        Action::SignalAll => "signal all".into(),
        Action::SignalReload => "signal reload".into(),
        Action::AbortMain => "abort main".into(),
        Action::KillMain => "kill main".into(),
        Action::KillCommand => "kill command".into(),
        Action::KillAll => "kill all".into(),
        Action::WatchEmpty => "watch empty".into(),
        Action::ProbeReady(_) => "probe readiness".into(),
        Action::ProbeHealth(_) => "probe health".into(),
        Action::ProbeNot => "end probes".into(),
    }
}
