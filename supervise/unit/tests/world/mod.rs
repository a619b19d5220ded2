//! A model of what is outside one unit: its processes, its cgroup, the clock, and a shell that
//! carries out actions and tells what it sees.
//!
//! Any process may end at any time, and be killed without dying: what a unit does must be right
//! whatever the processes do. The clock moves only to deadlines, and all times are kept relative
//! to it, so that the worlds are finitely many.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly"
)]

use unit::{
    Action, Actions, Alive, Command, Event, Exit, Incarnation, Instant, Kill, Kind, Next, Policy,
    Process, Readiness, Reload, Reloading, Restart, SpawnError, State, Step, Unit, Watchdog,
};

/// The clock always says this; everything else moves.
pub const NOW: Instant = Instant(1_000_000_000_000);
/// The life that is going on always has this number.
pub const LIFE: Incarnation = Incarnation(1_000);
/// More failures than this make no difference with [`crate::policies`].
const FAILURES_MAX: u32 = 2;

/// Whole seconds, and small, so that few differences can arise.
pub fn policy(kind: Kind, kill: Kill, restart: Restart) -> Policy {
    Policy {
        kind,
        readiness: Readiness::Exec,
        start_timeout_ms: 3_000,
        stop_timeout_ms: 2_000,
        command_timeout_ms: 2_000,
        kill,
        stop_command: false,
        finish_command: false,
        reload: Reload::None,
        restart,
        backoff_min_ms: 1_000,
        backoff_max_ms: 2_000,
        watchdog_ms: 0,
        health: false,
        health_restarts: false,
    }
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Main {
    None,
    /// Asked for; the shell has not begun.
    Queued,
    /// Made, and not executed yet. `told`: that it exists.
    Forked {
        told: bool,
    },
    /// `told`: that it was executed.
    Running {
        told: bool,
    },
    /// Ended, and the shell does not know yet.
    Dead(Exit),
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Aide {
    None,
    Queued(Command),
    Running(Command),
    Dead(Command, Exit),
}

/// A unit and all around it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct World {
    pub unit: Unit,
    pub main: Main,
    /// A main process was made in this life.
    pub made: bool,
    pub aide: Aide,
    /// Processes that nobody knows by name are in the cgroup.
    pub strays: bool,
    /// `Emptied` is to be told.
    pub watching: bool,
    /// The supervisor that forked it is gone, and with it the pipe that told how exec went.
    pub orphan: bool,
}

/// Something that can happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Happening {
    /// The unit is told.
    Told(Event),
    /// Only the world changes.
    Unseen(World),
}

impl World {
    pub fn new() -> Self {
        Self {
            unit: Unit { incarnation: LIFE, ..Unit::new() },
            main: Main::None,
            made: false,
            aide: Aide::None,
            strays: false,
            watching: false,
            orphan: false,
        }
    }

    /// No process at all in the cgroup.
    fn is_empty(&self) -> bool {
        let main = matches!(self.main, Main::None | Main::Queued | Main::Dead(_));
        let aide = matches!(self.aide, Aide::None | Aide::Queued(_) | Aide::Dead(_, _));
        main && aide && !self.strays
    }

    /// Everything that may happen next.
    pub fn happenings(&self, policy: &Policy) -> Vec<Happening> {
        let mut all = vec![
            Happening::Told(Event::Start),
            Happening::Told(Event::Stop),
            Happening::Told(Event::Reload),
            Happening::Told(Event::Reset),
        ];
        if self.unit.deadline().is_some() {
            all.push(Happening::Told(Event::DeadlinePassed));
        }
        self.main_happenings(&mut all);
        self.aide_happenings(&mut all);
        let programs =
            matches!(self.main, Main::Running { .. }) || matches!(self.aide, Aide::Running(_));
        if programs && !self.strays {
            all.push(Happening::Unseen(Self { strays: true, ..*self }));
        }
        if self.strays {
            all.push(Happening::Unseen(Self { strays: false, ..*self }));
        }
        if self.watching && self.is_empty() {
            all.push(Happening::Told(Event::Emptied(LIFE)));
        }
        if policy.health && self.unit.state.is_up() {
            all.push(Happening::Told(Event::Unhealthy(LIFE)));
            all.push(Happening::Told(Event::Healthy(LIFE)));
        }
        all
    }

    fn main_happenings(&self, all: &mut Vec<Happening>) {
        let told = |event| Happening::Told(event);
        let unseen = |main| Happening::Unseen(Self { main, made: true, ..*self });
        let ends = [Exit::Code(0), Exit::Code(1), Exit::Signal(9)];
        let failures = [2, 11].map(|errno| SpawnError { step: Step::Exec, errno });
        match self.main {
            Main::None => {}
            Main::Queued => {
                all.push(told(Event::Unmet(LIFE, 1)));
                all.extend(failures.map(|error| told(Event::SpawnFailed(LIFE, error))));
                all.push(unseen(Main::Forked { told: false }));
            }
            Main::Forked { told: knows } => {
                if !knows {
                    all.push(told(Event::Spawned(LIFE)));
                }
                all.push(unseen(Main::Running { told: self.orphan }));
                all.push(unseen(Main::Dead(Exit::Signal(9))));
                if !self.orphan {
                    all.push(told(Event::Unmet(LIFE, 1)));
                    all.extend(failures.map(|error| told(Event::SpawnFailed(LIFE, error))));
                }
            }
            Main::Running { told: knows } => {
                if !knows {
                    all.push(told(Event::Executed(LIFE)));
                }
                all.extend(ends.map(|exit| unseen(Main::Dead(exit))));
                all.extend(
                    [
                        Event::Ready(LIFE),
                        Event::Reloading(LIFE),
                        Event::Stopping(LIFE),
                        Event::Extend(LIFE, 4_000_000),
                        Event::Ping(LIFE),
                        Event::Trigger(LIFE),
                        Event::WatchdogInterval(LIFE, 0),
                        Event::WatchdogInterval(LIFE, 1_000_000),
                    ]
                    .map(told),
                );
            }
            Main::Dead(exit) => all.push(told(Event::Exited(LIFE, exit))),
        }
    }

    fn aide_happenings(&self, all: &mut Vec<Happening>) {
        let unseen = |aide| Happening::Unseen(Self { aide, ..*self });
        match self.aide {
            Aide::None => {}
            Aide::Queued(command) => {
                all.push(unseen(Aide::Running(command)));
                all.push(unseen(Aide::Dead(command, Exit::Lost)));
            }
            Aide::Running(command) => {
                let ends = [Exit::Code(0), Exit::Code(125), Exit::Signal(9)];
                all.extend(ends.map(|exit| unseen(Aide::Dead(command, exit))));
            }
            Aide::Dead(command, exit) => {
                all.push(Happening::Told(Event::CommandEnded(LIFE, command, exit)));
            }
        }
    }

    /// The unit is told; what it asks for is not carried out yet.
    pub fn tell(&mut self, policy: &Policy, event: Event) -> Actions {
        match event {
            Event::Spawned(_) => self.main = Main::Forked { told: true },
            Event::Executed(_) => self.main = Main::Running { told: true },
            Event::Unmet(_, _) | Event::SpawnFailed(_, _) | Event::Exited(_, _) => {
                self.main = Main::None;
            }
            Event::Emptied(_) => self.watching = false,
            Event::CommandEnded(_, _, _) => self.aide = Aide::None,
            Event::DeadlinePassed => {
                let passed = self.unit.deadline().expect("there is a deadline").0;
                self.let_pass(passed.saturating_sub(NOW.0));
            }
            _ => {}
        }
        let actions = self.unit.step(policy, NOW, event);
        if let State::Spawning { exists: false, .. } = self.unit.state {
            if self.unit.incarnation != LIFE {
                self.made = false;
                self.orphan = false;
            }
        }
        actions
    }

    /// Carries out one action, and checks that it may be.
    pub fn perform(&mut self, policy: &Policy, action: Action) {
        let mains = matches!(self.main, Main::Forked { .. } | Main::Running { .. } | Main::Dead(_));
        match action {
            Action::Spawn(life) => {
                assert_eq!(life, self.unit.incarnation);
                assert_eq!(self.main, Main::None, "I1: two main processes");
                assert_eq!(self.aide, Aide::None, "I1: started beside a command");
                assert!(may_stay(policy) || !self.strays, "I1: started beside leftovers");
                self.main = Main::Queued;
            }
            Action::Run(life, command) => {
                assert_eq!(life, self.unit.incarnation);
                assert_eq!(self.aide, Aide::None, "two commands at once");
                if command == Command::Finish {
                    assert_eq!(self.main, Main::None, "finish beside the main process");
                    assert!(may_stay(policy) || !self.strays, "finish beside leftovers");
                }
                self.aide = Aide::Queued(command);
            }
            Action::SignalMain | Action::SignalReload | Action::AbortMain | Action::KillMain => {
                assert!(mains, "a signal to nobody");
            }
            Action::SignalAll => assert_eq!(policy.kill, Kill::Cgroup),
            Action::KillAll => assert!(!may_stay(policy), "killed what may stay"),
            Action::KillCommand => {
                assert_ne!(self.aide, Aide::None, "a signal to no command");
            }
            Action::WatchEmpty => {
                assert_eq!((self.main, self.aide), (Main::None, Aide::None), "watched too early");
                self.watching = true;
            }
            Action::ProbeReady(life) | Action::ProbeHealth(life) => {
                assert_eq!(life, self.unit.incarnation);
                assert_eq!(policy.kind, Kind::Longrun);
            }
            Action::ProbeNot => {}
        }
    }

    /// The supervisor is killed, and another one goes on with the record.
    pub fn crash(&mut self, policy: &Policy) -> Actions {
        let main = match self.main {
            Main::Queued => Process::Never,
            Main::None if !self.made => Process::Never,
            Main::None | Main::Dead(_) => Process::Gone,
            Main::Forked { .. } | Main::Running { .. } => Process::Alive,
        };
        let command = match self.aide {
            Aide::None | Aide::Queued(_) => Process::Never,
            Aide::Dead(_, _) => Process::Gone,
            Aide::Running(_) => Process::Alive,
        };
        let executed = matches!(self.main, Main::Running { .. });
        if let Main::Queued = self.main {
            self.main = Main::None;
        }
        if let Main::Forked { told } | Main::Running { told } = &mut self.main {
            *told = true;
            self.orphan = true;
        }
        if let Aide::Queued(_) = self.aide {
            self.aide = Aide::None;
        }
        self.watching = false;
        self.unit.resume(policy, NOW, Alive { main, executed, command })
    }

    /// What must hold whenever the shell has nothing left to do.
    pub fn check(&self, policy: &Policy) {
        let state = self.unit.state;
        match state {
            State::Down
            | State::Backoff { .. }
            | State::Ended
            | State::Failed
            | State::Skipped { .. } => {
                assert_eq!((self.main, self.aide), (Main::None, Aide::None), "something runs");
                assert!(may_stay(policy) || !self.strays, "something is left");
                let waits = matches!(state, State::Backoff { .. });
                assert_eq!(self.unit.deadline().is_some(), waits);
            }
            State::Up { .. } => {
                let runs = matches!(self.main, Main::Running { .. } | Main::Dead(_));
                assert_eq!(runs, policy.kind == Kind::Longrun, "up, but is it?");
            }
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Finishing { .. }
            | State::Cleaning { .. } => {
                assert!(self.unit.deadline().is_some(), "I2: waits without a deadline");
            }
        }
    }

    /// The one of all worlds that differ only by what makes no difference.
    pub fn canonical(mut self, policy: &Policy) -> Self {
        self.unit.incarnation = LIFE;
        self.unit.failures = self.unit.failures.min(FAILURES_MAX);
        // Only whether it ended matters to the finish command's turn, and only on the way down.
        self.unit.exit = self.unit.exit.map(|_| Exit::Lost);
        match &mut self.unit.state {
            State::Up { since, .. } => {
                let long = u64::from(policy.backoff_max_ms) * 1000;
                since.0 = since.0.max(NOW.0 - long);
                self.unit.last = None;
            }
            // Whoever decides by the cause sets it first.
            State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { next: Next::Down, .. }
            | State::Finishing { next: Next::Down, .. }
            | State::Cleaning { next: Next::Down, .. } => self.unit.last = None,
            State::Stopping { next: Next::Policy, .. }
            | State::Finishing { next: Next::Policy, .. }
            | State::Cleaning { next: Next::Policy, .. } => {}
            State::Down
            | State::Backoff { .. }
            | State::Ended
            | State::Failed
            | State::Skipped { .. } => {
                self.unit.last = None;
                self.unit.exit = None;
                self.made = false;
            }
        }
        // These matter before the main process runs, and no longer.
        self.made &= matches!(self.main, Main::None | Main::Queued);
        self.orphan &= matches!(self.main, Main::Forked { .. });
        self
    }

    /// Everything that was due later is now due sooner.
    fn let_pass(&mut self, us: u64) {
        let sooner = |at: &mut Instant| at.0 = at.0.saturating_sub(us);
        match &mut self.unit.state {
            State::Down | State::Ended | State::Failed | State::Skipped { .. } => {}
            State::Spawning { deadline, .. }
            | State::Starting { deadline, .. }
            | State::Stopping { deadline, .. }
            | State::Finishing { deadline, .. }
            | State::Cleaning { deadline, .. }
            | State::Backoff { until: deadline } => sooner(deadline),
            State::Up { since, reloading, watchdog, .. } => {
                sooner(since);
                match reloading {
                    Reloading::No | Reloading::Failed { .. } => {}
                    Reloading::Announced { until } => sooner(until),
                    Reloading::Command { deadline, .. } => sooner(deadline),
                }
                if let Some(Watchdog { until, .. }) = watchdog {
                    sooner(until);
                }
            }
        }
    }
}

const fn may_stay(policy: &Policy) -> bool {
    matches!(policy.kill, Kill::Process)
}
