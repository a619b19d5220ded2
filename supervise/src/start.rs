//! Starting processes: what the engine asked for waits in a queue, so that at most a few processes
//! are between clone and exec at any time (each holds a pipe, and descriptors are what makes the
//! next clone slow).
//!
//! **Invariant:** every start that was queued is answered, by what became of it or by ECANCELED.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd;
use std::sync::atomic::AtomicU32;

use graph::{Kind, ServiceId};
use mio::{Interest, Token};
use rustix::io::Errno;
use sys::spawn::{Outcome, Report};
use tracing::warn;
use unit::{Command, Event, Exit, Incarnation, SpawnError, Step};

use crate::apply::Apply;
use crate::clock;
use crate::conditions;
use crate::exits::{Owner, Role};
use crate::prepare::error_number;
use crate::publish::spawn_error_text;
use crate::shell::Shell;
use crate::sources::Source;

/// At most this many processes are between clone and exec.
const UNREPORTED_MAX: usize = 32;
/// What shells answer for a program that cannot be executed.
const NOT_EXECUTED: u8 = 127;

/// Starts that are on their way.
#[derive(Default)]
pub struct Starts {
    queue: VecDeque<Start>,
    reports: BTreeMap<usize, Pending>,
    /// For the process ids of probes, which need not survive us.
    scratch: AtomicU32,
}

/// One start.
#[derive(Clone, Copy, Debug)]
struct Start {
    id: ServiceId,
    incarnation: Incarnation,
    role: Role,
}

/// A process between clone and exec.
struct Pending {
    start: Start,
    pid: u32,
    report: Report,
}

impl Starts {
    /// No process is between clone and exec, and none is to be made now.
    pub fn is_idle(&self, apply: &Apply) -> bool {
        self.reports.is_empty() && self.queue.iter().all(|start| is_held(start, apply))
    }
}

impl Shell<'_> {
    /// The main process of a new life.
    pub fn queue_main(&mut self, id: ServiceId, incarnation: Incarnation) {
        self.starts.queue.push_back(Start { id, incarnation, role: Role::Main });
    }

    /// A command of this life.
    pub fn queue_command(&mut self, id: ServiceId, incarnation: Incarnation, command: Command) {
        self.starts.queue.push_back(Start { id, incarnation, role: Role::Command(command) });
    }

    /// Starts as many as may be on their way at once.
    pub fn pump_starts(&mut self) {
        while self.starts.reports.len() < UNREPORTED_MAX {
            let queue = &mut self.starts.queue;
            let next = queue.iter().position(|start| !is_held(start, &self.apply));
            let Some(start) = next.and_then(|next| queue.remove(next)) else { return };
            if let Err(error) = self.start(start) {
                self.not_started(start, error);
            }
        }
    }

    /// The service's start is still in the queue: it is taken out, and answered.
    pub fn cancel_start(&mut self, id: ServiceId, role: Role) -> bool {
        let queue = &mut self.starts.queue;
        let found = queue.iter().position(|start| start.id == id && start.role == role);
        let Some(start) = found.and_then(|at| queue.remove(at)) else { return false };
        let errno = error_number(Errno::CANCELED);
        self.not_started(start, SpawnError { step: Step::Clone, errno });
        true
    }

    /// The service's start is of no interest any more.
    pub fn forget_start(&mut self, id: ServiceId, role: Role) {
        self.starts.queue.retain(|start| start.id != id || start.role != role);
    }

    /// A process between clone and exec has something to tell, or has ended.
    pub fn hear_report(&mut self, _: ServiceId, token: Token) {
        let Some(pending) = self.starts.reports.get(&token.0) else { return };
        let outcome = pending.report.outcome();
        if outcome == Outcome::Pending {
            return;
        }
        self.world.sources.forget(token);
        let Some(pending) = self.starts.reports.remove(&token.0) else { return };
        self.conclude(&pending, outcome);
        self.pump_starts();
    }

    /// The process has ended: what it told before comes first.
    pub fn hear_last_report(&mut self, pid: u32) {
        let mut reports = self.starts.reports.iter();
        let found = reports.find(|(_, pending)| pending.pid == pid).map(|(token, _)| *token);
        if let Some(token) = found {
            self.hear_report(ServiceId(0), Token(token));
        }
    }

    /// A probe of this life, by command.
    pub fn queue_probe(&mut self, id: ServiceId, incarnation: Incarnation) {
        self.starts.queue.push_back(Start { id, incarnation, role: Role::Probe });
    }

    fn conclude(&mut self, pending: &Pending, outcome: Outcome) {
        let Start { id, incarnation, role } = pending.start;
        match (role, outcome) {
            (Role::Main, Outcome::Executed) => self.tell(id, Event::Executed(incarnation)),
            (Role::Main, Outcome::Unmet(condition)) => {
                self.ended_unexecuted(pending, Event::Unmet(incarnation, condition));
            }
            (Role::Main, Outcome::Failed(error)) => {
                self.ended_unexecuted(pending, Event::SpawnFailed(incarnation, error));
            }
            // A command answers by its end alone.
            (Role::Command(_) | Role::Probe, Outcome::Executed | Outcome::Unmet(_))
            | (_, Outcome::Pending) => {}
            (Role::Command(_) | Role::Probe, Outcome::Failed(error)) => {
                let why = spawn_error_text(error);
                warn!(service = self.name(id), "cannot run its {}: {why}", role.word());
            }
        }
    }

    /// Its end is of no interest any more: `event` says what came of it.
    fn ended_unexecuted(&mut self, pending: &Pending, event: Event) {
        self.owners.remove(&pending.pid);
        self.tell(pending.start.id, event);
        self.publish_changes();
        self.table.clear_main(pending.start.id);
    }

    fn start(&mut self, start: Start) -> Result<(), SpawnError> {
        let Start { id, incarnation, role } = start;
        let service = self.view.service(id).map_err(|_| definition(Errno::INVAL))?;
        if self.engine.status(id).unit.incarnation != incarnation {
            return Err(definition(Errno::CANCELED));
        }
        if role == Role::Main {
            if let Some(condition) = self.world.facts.unmet(&service.conditions) {
                self.tell(id, Event::Unmet(incarnation, condition));
                return Ok(());
            }
        }
        let (Kind::Longrun(process) | Kind::Oneshot(process)) = &service.kind else {
            return Err(definition(Errno::NOEXEC));
        };
        let paths = match role {
            Role::Main => conditions::paths(&service.conditions),
            Role::Command(_) | Role::Probe => Vec::new(),
        };
        let prepared = self.prepare(id, &service.name, process, role, &paths)?;
        let cgroup = self.world.cgroups.enter(&process.cgroup)?;
        let word = match role {
            Role::Main => {
                self.enter_start(id);
                self.table.main_word(id, incarnation)
            }
            Role::Command(command) => {
                let ended = self.table.record(id).map_or(0, |record| record.commands);
                self.table.command_word(id, ended, command)
            }
            Role::Probe => Some(&self.starts.scratch),
        };
        let word = word.ok_or_else(|| definition(Errno::INVAL))?;
        let spawned = self.world.spawner.spawn(prepared, cgroup.as_ref().map(AsFd::as_fd), word)?;
        self.owners.insert(spawned.pid, Owner { id, incarnation, role });
        match role {
            Role::Main => self.tell(id, Event::Spawned(incarnation)),
            Role::Probe => self.probe_spawned(id, spawned.pid),
            Role::Command(_) => {}
        }
        self.await_report(Pending { start, pid: spawned.pid, report: spawned.report });
        Ok(())
    }

    /// The clock goes into the record before the clone: a process of this life started no earlier.
    fn enter_start(&self, id: ServiceId) {
        if let Some(mut record) = self.table.record(id) {
            record.main_start = clock::ticks();
            self.table.write(id, &record);
        }
    }

    fn await_report(&mut self, pending: Pending) {
        let source = Source::Report(pending.start.id);
        let registry = self.world.poll.registry();
        match self.world.sources.watch(registry, &pending.report, source, Interest::READABLE) {
            Ok(token) => {
                self.starts.reports.insert(token.0, pending);
            }
            Err(error) => {
                // Its end will tell, if it did not execute.
                warn!(service = self.name(pending.start.id), "cannot watch its start: {error}");
                self.conclude(&pending, Outcome::Executed);
            }
        }
    }

    fn not_started(&mut self, start: Start, error: SpawnError) {
        let Start { id, incarnation, role } = start;
        match role {
            Role::Main => self.tell(id, Event::SpawnFailed(incarnation, error)),
            Role::Command(command) => {
                let why = spawn_error_text(error);
                warn!(service = self.name(id), "cannot run its {}: {why}", role.word());
                let exit = Exit::Code(NOT_EXECUTED);
                self.tell(id, Event::CommandEnded(incarnation, command, exit));
            }
            Role::Probe => self.probe_ended(id, false),
        }
    }
}

/// A new life of a service that a new graph changes begins under that graph.
fn is_held(start: &Start, apply: &Apply) -> bool {
    start.role == Role::Main && apply.holds(start.id)
}

fn definition(errno: Errno) -> SpawnError {
    SpawnError { step: Step::Definition, errno: error_number(errno) }
}
