//! The world of a whole graph: a shell that publishes records, then carries out actions, and may
//! be killed between any two of these; and processes that obey, or not.

use std::rc::Rc;

use engine::{Engine, Goal, Plan, Request, Saved, Status, Wait};
use graph::{Graph, Kind, ServiceId};
use unit::{
    Action, Alive, Event, Exit, Incarnation, Instant, Main as LeftMain, Process, SpawnError, Stage,
    State, Step, Unit,
};

use super::{failed, ids, rests, wanted};

/// What there is of a main process.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Main {
    #[default]
    None,
    /// Asked for, and not begun.
    Queued,
    Alive,
}

/// What can come next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// Of this service.
    Seen(ServiceId, Event),
    Asked(Request, ServiceId),
    StartAll,
    Shutdown,
}

/// One possible next step.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub input: Input,
    /// It is a fault: not what a well-behaved world would do.
    pub fault: bool,
}

/// An engine and all around it.
#[derive(Clone, Debug)]
pub struct World {
    pub engine: Engine,
    pub records: Vec<Saved>,
    pub mains: Vec<Main>,
    pub now: Instant,
    /// Who requires whom.
    dependents: Rc<Vec<Vec<ServiceId>>>,
}

impl World {
    pub fn new(graph: &Graph) -> Self {
        let count = graph.services.len();
        let mut dependents = vec![Vec::new(); count];
        for (id, service) in ids(graph).zip(&graph.services) {
            for required in &service.requires {
                dependents[required.0 as usize].push(id);
            }
        }
        Self {
            engine: Engine::new(graph),
            records: vec![Saved::default(); count],
            mains: vec![Main::None; count],
            now: Instant(1_000_000_000),
            dependents: Rc::new(dependents),
        }
    }

    pub fn main(&self, id: ServiceId) -> Main {
        self.mains[id.0 as usize]
    }

    /// Everything that its processes and its clock can do to `id`. A deadline may pass at any
    /// time: how late the others then are makes no difference that would not arise otherwise.
    pub fn choices(&self, graph: &Graph, id: ServiceId) -> Vec<Choice> {
        let unit = self.engine.status(id).unit;
        let life = unit.incarnation;
        let oneshot = matches!(graph.services[id.0 as usize].kind, Kind::Oneshot(_));
        let choice = |event, fault| Choice { input: Input::Seen(id, event), fault };
        let refused = SpawnError { step: Step::Exec, errno: 2 };
        let dies = choice(Event::Exited(life, Exit::Code(1)), true);
        match (unit.state, self.main(id)) {
            (State::Spawning { .. }, Main::Queued) => vec![
                choice(Event::Spawned(life), false),
                choice(Event::SpawnFailed(life, refused), true),
                choice(Event::Unmet(life, 0), true),
            ],
            (State::Spawning { .. }, _) => {
                vec![choice(Event::Executed(life), false), choice(Event::Unmet(life, 0), true)]
            }
            (State::Starting { .. }, _) => {
                let ready =
                    if oneshot { Event::Exited(life, Exit::Code(0)) } else { Event::Ready(life) };
                vec![choice(ready, false), dies, choice(Event::DeadlinePassed, true)]
            }
            (State::Up { .. }, Main::Alive) => vec![dies],
            (State::Up { .. }, _) => vec![],
            (State::Stopping { .. }, Main::Queued) => vec![
                choice(Event::Spawned(life), false),
                choice(Event::SpawnFailed(life, refused), false),
            ],
            (State::Stopping { stage, .. }, _) => {
                let mut all = vec![choice(Event::Exited(life, Exit::Signal(15)), false)];
                if stage != Stage::Kill {
                    all.push(choice(Event::DeadlinePassed, true));
                }
                all
            }
            (State::Backoff { .. }, _) => vec![choice(Event::DeadlinePassed, false)],
            (State::Finishing { .. } | State::Cleaning { .. }, _) => {
                unreachable!("no finish command, and nothing to clean")
            }
            (State::Down | State::Ended | State::Failed | State::Skipped { .. }, _) => vec![],
        }
    }

    /// One input, all that follows of it in the shell, and every check of the rules. Says which
    /// services it has changed.
    pub fn step(&mut self, graph: &Graph, input: Input) -> Vec<ServiceId> {
        let plan = self.planned(graph, input);
        self.put(graph, input);
        let mut changed = Vec::new();
        while let Some(id) = self.engine.next_change() {
            let before = self.records[id.0 as usize];
            if let Some(plan) = &plan {
                self.check_plan(plan, id, &before);
            }
            changed.push((id, before.unit));
            self.records[id.0 as usize] = self.engine.saved(id);
        }
        self.perform(usize::MAX);
        // The one service whose stop need not wait for its dependents: it is restarted alone.
        let alone = match input {
            Input::Asked(Request::Restart { with_dependents: false }, id) => Some(id),
            _ => None,
        };
        for (id, before) in &changed {
            let alone = alone == Some(*id) || ends(input, *id);
            self.check(graph, *id, before, alone);
            let waited = matches!(before.state, State::Backoff { .. });
            if waited && matches!(input, Input::Seen(_, _)) {
                // I6: nobody's news but the end of its own time ends a back-off.
                assert_eq!(input, Input::Seen(*id, Event::DeadlinePassed), "I6: {id:?}");
            }
        }
        changed.into_iter().map(|(id, _)| id).collect()
    }

    /// The input reaches the engine.
    pub fn put(&mut self, graph: &Graph, input: Input) {
        match input {
            Input::Seen(id, event) => {
                self.happen(id, event);
                self.engine.handle(self.now, id, event);
            }
            Input::Asked(request, id) => self.engine.request(self.now, request, &[id]),
            Input::StartAll => {
                let all: Vec<_> = ids(graph).collect();
                self.engine.request(self.now, Request::Start, &all);
            }
            Input::Shutdown => self.engine.shutdown(self.now, Instant(u64::MAX)),
        }
    }

    /// The input, told once more to a new shell. A deadline that is not due is not told.
    pub fn put_again(&mut self, graph: &Graph, input: Input) {
        match input {
            Input::Seen(id, Event::DeadlinePassed) => {
                self.engine.handle(self.now, id, Event::DeadlinePassed);
            }
            Input::Seen(_, _) | Input::Asked(_, _) | Input::StartAll | Input::Shutdown => {
                self.put(graph, input);
            }
        }
    }

    /// What an event says has happened.
    fn happen(&mut self, id: ServiceId, event: Event) {
        if event.incarnation().is_some_and(|life| life != self.life(id)) {
            // It happened to a life that is over.
            return;
        }
        let main = &mut self.mains[id.0 as usize];
        match event {
            Event::Spawned(_) => *main = Main::Alive,
            Event::SpawnFailed(_, _) | Event::Unmet(_, _) | Event::Exited(_, _) => {
                *main = Main::None;
            }
            Event::DeadlinePassed => {
                let deadline = self.engine.status(id).unit.deadline();
                self.now = self.now.max(deadline.expect("a deadline"));
            }
            _ => {}
        }
    }

    /// Publishes at most so many records, and says how many there were.
    pub fn publish(&mut self, most: usize) -> usize {
        let mut published = 0;
        while published < most {
            let Some(id) = self.engine.next_change() else { break };
            self.records[id.0 as usize] = self.engine.saved(id);
            published += 1;
        }
        published
    }

    /// Carries out at most so many actions, and says how many there were.
    pub fn perform(&mut self, most: usize) -> usize {
        let mut performed = 0;
        while performed < most {
            let Some((id, action)) = self.engine.next_action() else { break };
            let main = &mut self.mains[id.0 as usize];
            match action {
                Action::Spawn(_) => {
                    assert_eq!(*main, Main::None, "I1: two incarnations of {id:?}");
                    *main = Main::Queued;
                }
                // After a crash it may just have gone.
                Action::SignalMain | Action::KillMain => assert_ne!(*main, Main::Queued),
                Action::ProbeReady(_) | Action::ProbeNot => {}
                other => unreachable!("{other:?} is of policies that are not here"),
            }
            performed += 1;
        }
        performed
    }

    /// The shell is killed, and another one goes on from the records. What was queued in it is
    /// lost.
    pub fn crash(&mut self, graph: &Graph, shutdown: bool) {
        for main in self.mains.iter_mut().filter(|main| **main == Main::Queued) {
            *main = Main::None;
        }
        let mains = &self.mains;
        let records = &self.records;
        let alive = |id: ServiceId| {
            let begun = match records[id.0 as usize].unit.state {
                State::Spawning { exists, .. } => exists,
                State::Stopping { left, .. } => left.main != LeftMain::Asked,
                _ => true,
            };
            let main = match mains[id.0 as usize] {
                Main::Alive => Process::Alive,
                Main::None if begun => Process::Gone,
                Main::None | Main::Queued => Process::Never,
            };
            Alive { main, executed: true, command: Process::Never }
        };
        self.engine = Engine::resume(graph, records, alive, self.now);
        if shutdown {
            self.engine.shutdown(self.now, Instant(u64::MAX));
        }
    }

    fn planned(&self, graph: &Graph, input: Input) -> Option<Plan> {
        match input {
            Input::Asked(request, id) => Some(self.engine.plan(request, &[id])),
            Input::StartAll => {
                let all: Vec<_> = ids(graph).collect();
                Some(self.engine.plan(Request::Start, &all))
            }
            Input::Seen(_, _) | Input::Shutdown => None,
        }
    }

    /// What was shown is what is done: each change of what is wanted, and nothing else.
    fn check_plan(&self, plan: &Plan, id: ServiceId, before: &Saved) {
        let goal = self.engine.status(id).goal;
        let renewed = goal == Goal::Renew && before.goal != Goal::Renew;
        let idle = before.unit.state.is_idle();
        assert_eq!(
            plan.stop.contains(&id),
            goal == Goal::Down && before.goal != Goal::Down,
            "planned otherwise: {id:?}"
        );
        if renewed {
            assert!(plan.restart.contains(&id) && !idle, "planned otherwise: {id:?}");
        }
        if goal == Goal::Up && before.goal == Goal::Down && !before.unit.state.is_up() {
            assert!(plan.start.contains(&id), "planned otherwise: {id:?}");
        }
        if failed(&Status { unit: before.unit, ..Status::default() })
            && self.engine.status(id).unit.state != before.unit.state
            && wanted(&self.engine.status(id))
        {
            assert!(plan.start.contains(&id), "planned otherwise: {id:?}");
        }
    }

    /// I3, I4, and that conflicts are kept, for a service that has changed.
    fn check(&self, graph: &Graph, id: ServiceId, before: &Unit, alone: bool) {
        let now = self.engine.status(id);
        if before.state.is_idle() && !rests(&now) {
            self.check_start(id, &graph.services[id.0 as usize]);
        }
        let was_going = matches!(
            before.state,
            State::Spawning { .. } | State::Starting { .. } | State::Up { .. }
        );
        let stops = matches!(now.unit.state, State::Stopping { .. } | State::Down);
        let ordered = now.unit.last == Some(unit::Cause::Stopped);
        if was_going && stops && ordered && !alone {
            for dependent in &self.dependents[id.0 as usize] {
                let dependent = self.engine.status(*dependent);
                assert!(rests(&dependent), "I4: {id:?} was stopped under {dependent:?}");
            }
        }
    }

    fn check_start(&self, id: ServiceId, service: &graph::Service) {
        for required in &service.requires {
            let required = self.engine.status(*required);
            assert!(required.unit.state.is_up(), "I3: {id:?} started before {required:?}");
        }
        for first in service.wants.iter().chain(&service.after) {
            assert!(!self.is_awaited(*first), "I3: {id:?} did not wait for {first:?}");
        }
        for other in &service.conflicts {
            assert!(rests(&self.engine.status(*other)), "{id:?} started beside {other:?}");
        }
    }

    /// It is to come up, and nothing is known that keeps it from it.
    fn is_awaited(&self, id: ServiceId) -> bool {
        let status = self.engine.status(id);
        let failing = |status: &Status| {
            failed(status) || status.unit.failures > 0 && !status.unit.state.is_up()
        };
        let is_stuck = || {
            for (_, wait) in self.engine.why(id) {
                match wait {
                    Wait::Requires(on) if failing(&self.engine.status(on)) => return true,
                    Wait::Requires(_) => {}
                    Wait::Conflict(on) => return self.engine.status(on).goal == Goal::Up,
                    Wait::Nothing | Wait::Order(_) | Wait::Dependent(_) => return false,
                }
            }
            false
        };
        let coming = matches!(status.unit.state, State::Spawning { .. } | State::Starting { .. });
        let waiting = status.unit.state == State::Down;
        wanted(&status) && !failing(&status) && (coming || waiting && !is_stuck())
    }

    /// I5: nothing more will happen by itself, so everyone is where he should be, or it is known
    /// why not.
    pub fn check_quiet(&self, graph: &Graph) {
        assert!(self.engine.quiet());
        for id in ids(graph) {
            let status = self.engine.status(id);
            match status.goal {
                Goal::Renew => panic!("I5: {id:?} is still to be renewed"),
                Goal::Down => assert_eq!(status.unit.state, State::Down, "I5: {id:?}"),
                Goal::Up if status.unit.state.is_up() || failed(&status) => {}
                Goal::Up => {
                    assert_eq!(status.unit.state, State::Down, "I5: {id:?}");
                    let why = self.engine.why(id);
                    let (root, _) = why[why.len() - 1];
                    let last_wait = why[why.len().saturating_sub(2)].1;
                    let root = self.engine.status(root);
                    let named = failed(&root)
                        || matches!(last_wait, Wait::Conflict(_)) && root.unit.state.is_up();
                    assert!(named, "I5: {id:?} is blocked, and nobody knows why: {why:?}");
                }
            }
        }
    }

    /// What makes a difference to what can happen from here on. Times do not: any deadline may
    /// pass at any time.
    pub fn digest(&self, graph: &Graph) -> Vec<u8> {
        let mut digest = Vec::new();
        for id in ids(graph) {
            let Status { unit, goal, wait } = self.engine.status(id);
            let state = match unit.state {
                State::Down => 0,
                State::Spawning { exists, .. } => 1 + u8::from(exists),
                State::Starting { .. } => 3,
                State::Up { .. } => 4,
                State::Stopping { stage, left, next, .. } => {
                    10 + stage as u8 * 8 + left.main as u8 * 2 + next as u8
                }
                State::Finishing { .. } => 5,
                State::Cleaning { .. } => 6,
                State::Backoff { .. } => 7,
                State::Ended => 8,
                State::Failed => 9,
                State::Skipped { .. } => 50,
            };
            let (kind, on) = match wait {
                Wait::Nothing => (0, 0),
                Wait::Requires(on) => (1, on.0 as u8),
                Wait::Order(on) => (2, on.0 as u8),
                Wait::Conflict(on) => (3, on.0 as u8),
                Wait::Dependent(on) => (4, on.0 as u8),
            };
            let failures = unit.failures.min(1) as u8;
            digest.extend([
                state,
                goal as u8 | ((self.main(id) as u8) << 2) | (failures << 4),
                kind | on << 3,
            ]);
        }
        digest
    }

    /// What a crash must not change: every life and every goal. (Which one of several reasons to
    /// wait is named, it may.)
    pub fn outcome(&self, graph: &Graph) -> Vec<(Unit, Goal, Main)> {
        let world = self.hastened(graph);
        let outcome = |id| {
            let status = world.engine.status(id);
            (status.unit, status.goal, world.main(id))
        };
        ids(graph).map(outcome).collect()
    }

    /// The same, with what a crash brings about by itself: a spawn that an order to stop has
    /// overtaken while it was in the queue is not made, because a new shell does not make it; and
    /// a process that has been made is executed, because that is what a new shell sees.
    pub fn hastened(&self, graph: &Graph) -> Self {
        let mut world = self.clone();
        while let Some(input) = ids(graph).find_map(|id| world.what_a_crash_hastens(id)) {
            world.put(graph, input);
            world.publish(usize::MAX);
            world.perform(usize::MAX);
        }
        world
    }

    fn what_a_crash_hastens(&self, id: ServiceId) -> Option<Input> {
        let life = self.life(id);
        let canceled = SpawnError { step: Step::Clone, errno: 125 };
        let event = match (self.engine.status(id).unit.state, self.main(id)) {
            (State::Stopping { .. }, Main::Queued) => Event::SpawnFailed(life, canceled),
            (State::Spawning { .. }, Main::Alive) => Event::Executed(life),
            _ => return None,
        };
        Some(Input::Seen(id, event))
    }

    /// Where all are once nothing more will happen by itself, if nothing goes wrong.
    pub fn end(&self, graph: &Graph) -> Vec<(State, Goal)> {
        let mut world = self.clone();
        let due = |world: &Self| {
            let mut all = ids(graph).flat_map(|id| world.choices(graph, id));
            all.find(|choice| !choice.fault)
        };
        while let Some(choice) = due(&world) {
            world.step(graph, choice.input);
        }
        world.check_quiet(graph);
        let end = |id| {
            let status = world.engine.status(id);
            let state = match status.unit.state {
                State::Up { .. } => State::Up {
                    since: Instant(0),
                    degraded: false,
                    reloading: unit::Reloading::No,
                    watchdog: None,
                },
                other => other,
            };
            (state, status.goal)
        };
        ids(graph).map(end).collect()
    }

    pub fn life(&self, id: ServiceId) -> Incarnation {
        self.engine.status(id).unit.incarnation
    }
}

/// Whether this is how `id` ended by itself: then nobody has stopped it.
fn ends(input: Input, id: ServiceId) -> bool {
    match input {
        Input::Seen(who, event) => {
            let is_end = matches!(
                event,
                Event::SpawnFailed(_, _)
                    | Event::Unmet(_, _)
                    | Event::Exited(_, _)
                    | Event::DeadlinePassed
            );
            who == id && is_end
        }
        Input::Asked(_, _) | Input::StartAll | Input::Shutdown => false,
    }
}
