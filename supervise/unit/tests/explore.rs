//! Every state that one unit can get into, for every shape of policy, whatever happens to it.
//!
//! Covered, to a fixed point: all orders at any time; processes that start, fail to start for two
//! reasons, exit with 0, with another status, or by a signal, leave strays, or never end; all that
//! a program can say; commands that succeed, fail, or hang; probes; deadlines; a supervisor killed
//! after any number of the actions of any step, or between two steps. For each of them: the
//! actions are allowed (I1), each wait has a deadline (I2), stale and repeated news change
//! nothing, and an ordered stop ends in `Down` within the sum of its deadlines though every
//! process ignores every signal but SIGKILL (I7).
//!
//! Not covered: times other than those of [`policy`] (their sums and differences all occur).

#![allow(clippy::arithmetic_side_effects, clippy::expect_used, reason = "tests may fail loudly")]

mod world;

use std::collections::HashSet;

use unit::{
    Action, Command, Event, Exit, Incarnation, Kill, Kind, Policy, Readiness, Reload, Reloading,
    Restart, State,
};
use world::{Aide, Happening, LIFE, Main, NOW, World, policy};

#[test]
fn no_unit_ever_breaks_a_rule() {
    let (mut worlds, mut steps, policies) = (0, 0, policies());
    for policy in &policies {
        let found = explore(policy);
        worlds += found.worlds;
        steps += found.steps;
    }
    println!("{} policies, {worlds} worlds, {steps} steps", policies.len());
    assert!(policies.len() > 700 && worlds > 100_000, "the model has become too small");
}

/// Each combination that can make a difference, once.
fn policies() -> Vec<Policy> {
    let mut all = vec![policy(Kind::Bundle, Kill::Process, Restart::Never)];
    for kill in [Kill::Process, Kill::Cgroup, Kill::Mixed] {
        for restart in [Restart::Always, Restart::OnFailure, Restart::Never] {
            for (stop_command, finish_command) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                for reload in [Reload::None, Reload::Signal, Reload::Command] {
                    let oneshot = Policy {
                        stop_command,
                        finish_command,
                        reload,
                        ..policy(Kind::Oneshot, kill, restart)
                    };
                    all.push(oneshot);
                    for readiness in [Readiness::Exec, Readiness::Signal] {
                        let longrun = Policy { kind: Kind::Longrun, readiness, ..oneshot };
                        let watched = Policy { watchdog_ms: 2_000, health: true, ..longrun };
                        all.push(longrun);
                        all.push(watched);
                        all.push(Policy { health_restarts: true, ..watched });
                    }
                }
            }
        }
    }
    all
}

/// Tells which step broke a rule.
struct OnPanic<'a>(&'a Policy, World, Option<Event>);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(policy, world, event) = self;
            println!("{policy:#?}\n{world:#?}\nwas told {event:?}");
        }
    }
}

struct Found {
    worlds: usize,
    steps: usize,
}

fn explore(policy: &Policy) -> Found {
    let first = World::new();
    let mut seen = HashSet::from([first]);
    let mut todo = vec![first];
    let mut steps = 0;
    while let Some(world) = todo.pop() {
        let _alone = OnPanic(policy, world, None);
        ignores_stale_news(policy, &world);
        stops_in_time(policy, world);
        let mut reach = |next: World| {
            next.check(policy);
            let next = next.canonical(policy);
            if seen.insert(next) {
                todo.push(next);
            }
        };
        reach(crashed(policy, world));
        for happening in world.happenings(policy) {
            steps += 1;
            let event = match happening {
                Happening::Unseen(next) => {
                    reach(next);
                    continue;
                }
                Happening::Told(event) => event,
            };
            let _told = OnPanic(policy, world, Some(event));
            let mut next = world;
            let actions: Vec<_> = next.tell(policy, event).iter().collect();
            waits_for_the_future(policy, &next, event);
            repeats_nothing(policy, &next, event);
            for action in actions {
                reach(crashed(policy, next));
                next.perform(policy, action);
            }
            reach(next);
        }
    }
    Found { worlds: seen.len(), steps }
}

/// After a crash in this very moment.
fn crashed(policy: &Policy, mut world: World) -> World {
    for action in world.crash(policy).iter() {
        world.perform(policy, action);
    }
    world
}

/// A deadline that has passed leads to a later one or to none: no loop spins on it.
fn waits_for_the_future(_: &Policy, world: &World, event: Event) {
    if event == Event::DeadlinePassed {
        assert!(world.unit.deadline().is_none_or(|deadline| deadline > NOW), "it would spin");
    }
}

/// News of the life before or of one to come, and deadlines that have been moved, are not heard.
fn ignores_stale_news(policy: &Policy, world: &World) {
    for stale in [Incarnation(LIFE.0 - 1), Incarnation(LIFE.0 + 1)] {
        for event in every_news(stale) {
            let mut unit = world.unit;
            let actions = unit.step(policy, NOW, event);
            assert_eq!((unit, actions.iter().count()), (world.unit, 0), "heard {event:?}");
        }
    }
    if world.unit.deadline().is_none_or(|deadline| deadline > NOW) {
        let mut unit = world.unit;
        let actions = unit.step(policy, NOW, Event::DeadlinePassed);
        assert_eq!((unit, actions.iter().count()), (world.unit, 0), "too early");
    }
}

/// What is told twice is heard once. Ends of commands and of watches are told once by contract:
/// the next one of the same kind can begin at once.
fn repeats_nothing(policy: &Policy, world: &World, event: Event) {
    let once = matches!(event, Event::CommandEnded(_, _, _) | Event::Emptied(_));
    if event.incarnation().is_some() && !once {
        let mut unit = world.unit;
        let actions = unit.step(policy, NOW, event);
        assert_eq!((unit, actions.iter().count()), (world.unit, 0), "heard {event:?} twice");
    }
}

/// Whatever it was doing: told to stop, it is down within the sum of its deadlines, with processes
/// that end by SIGKILL alone.
fn stops_in_time(policy: &Policy, mut world: World) {
    let mut spent_us = 0;
    let mut told = Some(Event::Stop);
    for _ in 0..40 {
        let event = match told.take().or_else(|| stubborn(&mut world)) {
            Some(event) => event,
            None if world.unit.state == State::Down => break,
            None => {
                let deadline = world.unit.deadline().expect("I2: it waits for nothing");
                spent_us += deadline.0.saturating_sub(NOW.0);
                Event::DeadlinePassed
            }
        };
        for action in world.tell(policy, event).iter() {
            world.perform(policy, action);
            kill(&mut world, action);
        }
    }
    assert_eq!(world.unit.state, State::Down, "I7: it never stops: {world:?}");
    // Killing a reload command is at once; a process may have asked for four seconds more.
    let asked = 4_000;
    let most = 2 * policy.stop_timeout_ms + policy.command_timeout_ms + 5_000 + asked;
    assert!(spent_us <= u64::from(most) * 1000, "I7: it took {spent_us} us");
}

/// What comes by itself if no process ends by itself.
fn stubborn(world: &mut World) -> Option<Event> {
    if let Aide::Queued(command) = world.aide {
        world.aide = Aide::Running(command);
    }
    match (world.main, world.aide) {
        (Main::Queued | Main::Forked { told: false }, _) => {
            world.made = true;
            Some(Event::Spawned(LIFE))
        }
        (Main::Running { told: false }, _) => Some(Event::Executed(LIFE)),
        (Main::Dead(exit), _) => Some(Event::Exited(LIFE, exit)),
        (_, Aide::Dead(command, exit)) => Some(Event::CommandEnded(LIFE, command, exit)),
        (Main::None, Aide::None) if world.watching && !world.strays => Some(Event::Emptied(LIFE)),
        (
            Main::None | Main::Forked { told: true } | Main::Running { told: true },
            Aide::None | Aide::Queued(_) | Aide::Running(_),
        ) => None,
    }
}

fn kill(world: &mut World, action: Action) {
    let killed = unit::Exit::Signal(9);
    if let Action::KillMain | Action::KillAll = action {
        if let Main::Forked { .. } | Main::Running { .. } = world.main {
            world.main = Main::Dead(killed);
        }
    }
    if let Action::KillCommand | Action::KillAll = action {
        if let Aide::Running(command) | Aide::Queued(command) = world.aide {
            world.aide = Aide::Dead(command, killed);
        }
    }
    if action == Action::KillAll {
        world.strays = false;
    }
}

fn every_news(life: Incarnation) -> Vec<Event> {
    let exit = unit::Exit::Code(0);
    let error = unit::SpawnError { step: unit::Step::Exec, errno: 2 };
    vec![
        Event::Spawned(life),
        Event::Unmet(life, 0),
        Event::SpawnFailed(life, error),
        Event::Executed(life),
        Event::Ready(life),
        Event::Exited(life, exit),
        Event::Emptied(life),
        Event::CommandEnded(life, Command::Stop, exit),
        Event::CommandEnded(life, Command::Reload, exit),
        Event::CommandEnded(life, Command::Finish, exit),
        Event::Unhealthy(life),
        Event::Healthy(life),
        Event::Reloading(life),
        Event::Stopping(life),
        Event::Extend(life, 1_000_000),
        Event::Ping(life),
        Event::Trigger(life),
        Event::WatchdogInterval(life, 1_000_000),
    ]
}

/// The machine is total: each pair of state and event is answered, whether it can occur or not,
/// and nothing that cannot occur starts anything.
#[test]
fn every_pair_of_state_and_event_is_answered() {
    let orders = [Event::Start, Event::Stop, Event::Reload, Event::Reset, Event::DeadlinePassed];
    for policy in policies() {
        for state in world_states() {
            assert_eq!(state.is_up(), matches!(state, State::Up { .. }));
            for event in orders.into_iter().chain(every_news(LIFE)) {
                let mut unit = World::new().unit;
                unit.state = state;
                let actions = unit.step(&policy, NOW, event);
                let spawns = |action| matches!(action, Action::Spawn(_));
                if actions.iter().any(spawns) {
                    assert_eq!((state, event), (State::Down, Event::Start));
                }
            }
        }
    }
}

fn world_states() -> Vec<State> {
    use unit::{Left, Main, Next, Stage, Watchdog};
    let deadline = NOW;
    let mut all = vec![
        State::Down,
        State::Spawning { exists: false, deadline },
        State::Spawning { exists: true, deadline },
        State::Starting { deadline, watchdog_us: 1 },
        State::Backoff { until: deadline },
        State::Ended,
        State::Failed,
        State::Skipped { condition: 0 },
    ];
    for next in [Next::Down, Next::Policy] {
        all.push(State::Finishing { deadline, next });
        all.push(State::Cleaning { deadline, next });
        for stage in [Stage::Interrupt, Stage::Command, Stage::Signal, Stage::Kill] {
            for main in [Main::Asked, Main::Alive, Main::Gone] {
                for command in
                    [None, Some(Command::Stop), Some(Command::Reload), Some(Command::Finish)]
                {
                    let left = Left { main, command };
                    all.push(State::Stopping { stage, left, deadline, next });
                }
            }
        }
    }
    for reloading in [
        Reloading::No,
        Reloading::Announced { until: NOW },
        Reloading::Command { deadline: NOW, again: false },
        Reloading::Command { deadline: NOW, again: true },
        Reloading::Failed { exit: Exit::Code(1) },
    ] {
        for watchdog in [None, Some(Watchdog { every_us: 1, until: NOW })] {
            all.push(State::Up { since: NOW, degraded: false, reloading, watchdog });
            all.push(State::Up { since: NOW, degraded: true, reloading, watchdog });
        }
    }
    all
}
