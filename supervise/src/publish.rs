//! What the engine changed goes into the state table, with what only the shell knows of it.

use engine::{Goal, Wait};
use graph::ServiceId;
use tracing::{info, warn};
use unit::{Cause, Exit, Next, SpawnError, State, Step};
use wire::link::Request;
use wire::state::Record;

use crate::clock;
use crate::container::status_of;
use crate::shell::Shell;

/// ENOENT.
const NO_SUCH_FILE: u16 = 2;
/// As shells answer for a program that is not there, and for one that cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTED: u8 = 126;

impl Shell<'_> {
    /// Publishes every service that has changed.
    pub fn publish_changes(&mut self) {
        while let Some(id) = self.engine.next_change() {
            self.publish(id);
        }
    }

    /// Publishes one service.
    pub fn publish(&mut self, id: ServiceId) {
        let Some(old) = self.table.record(id) else {
            warn!(service = self.name(id), "cannot read its state record");
            return;
        };
        let status = self.engine.status(id);
        let mut new = Record { unit: status.unit, goal: status.goal, wait: status.wait, ..old };
        if let Some(account) = self.account.take_if(|account| account.id == id) {
            account.enter(&mut new);
        }
        stamp(&old, &mut new);
        self.table.write(id, &new);
        self.world.control.changed(id);
        self.say(id, &old, &new);
        if ended_for_good(&old, &new) {
            self.forget_cgroup(id);
            self.end_with(id, &new);
        }
    }

    /// People read what went wrong; what went well is in the table.
    fn say(&self, id: ServiceId, old: &Record, new: &Record) {
        let service = self.name(id);
        let ended =
            new.unit.last.filter(|_| new.unit.last != old.unit.last || is_down(&new.unit.state));
        match (new.unit.state, ended) {
            (state, _) if state == old.unit.state => {}
            (State::Failed, Some(Cause::Exited(exit))) if self.main_service() == Some(id) => {
                info!(service, "failed: {}", cause_text(Cause::Exited(exit)));
            }
            (State::Failed, Some(cause)) => warn!(service, "failed: {}", cause_text(cause)),
            (State::Backoff { until }, Some(cause)) => {
                let pause = until.0.saturating_sub(new.since_us) / 1000;
                warn!(service, "{}; starts again in {pause} ms", cause_text(cause));
            }
            (State::Up { degraded: true, .. }, _) => warn!(service, "degraded: its probes fail"),
            (State::Skipped { .. }, _) => {
                let why = self.describe(id).map(|service| service.why).unwrap_or_default();
                info!(service, "skipped: {why}");
            }
            _ => {}
        }
    }

    /// A container ends with the service that it is there for.
    fn end_with(&mut self, id: ServiceId, record: &Record) {
        let critical = self.view.service(id).is_ok_and(|service| service.critical);
        self.note_end_of_main(id, record.unit.exit);
        if !critical || record.goal == Goal::Down || self.world.live.shutdown.is_some() {
            return;
        }
        let status = match record.unit.last {
            Some(Cause::Exited(exit)) => status_of(exit),
            Some(Cause::Spawn(SpawnError { step: Step::Exec, errno: NO_SUCH_FILE })) => NOT_FOUND,
            Some(Cause::Spawn(SpawnError { step: Step::Exec, .. })) => NOT_EXECUTED,
            _ => 1,
        };
        self.begin_shutdown(Request::Exit, status, 0);
    }

    /// Removes what a service that is down leaves in the hierarchy, unless something runs there.
    fn forget_cgroup(&mut self, id: ServiceId) {
        if let Some(spec) = self.cgroup(id) {
            self.world.cgroups.remove(&spec);
        }
    }
}

/// The times that follow from a change.
fn stamp(old: &Record, new: &mut Record) {
    let now = clock::now().0;
    // To people, one that is down and waits is in another state than one that is just down.
    let seen = |record: &Record| {
        let state = record.unit.state;
        let waits = state == State::Down && record.wait != Wait::Nothing;
        (core::mem::discriminant(&state), waits)
    };
    if seen(old) != seen(new) {
        new.since_us = now;
    }
    if new.unit.incarnation != old.unit.incarnation {
        new.start_us = now;
        new.main_start = 0;
        new.status = Default::default();
        if old.unit.incarnation.0 == 0 {
            new.first_start_us = now;
        }
        if nobody_asked(&old.unit.state) {
            new.restarts = new.restarts.saturating_add(1);
        }
    }
    let is_up = |state: &State| matches!(state, State::Up { .. });
    if is_up(&new.unit.state) && !is_up(&old.unit.state) {
        new.ready_us = now;
        if new.start_us == 0 {
            // A bundle has no process and so no start.
            new.start_us = now;
        }
        if new.first_ready_us == 0 {
            new.first_ready_us = now;
            if new.first_start_us == 0 {
                new.first_start_us = new.start_us;
            }
        }
    }
}

/// A start that follows this state is the restart policy's.
fn nobody_asked(state: &State) -> bool {
    match state {
        State::Backoff { .. } => true,
        State::Stopping { next, .. }
        | State::Cleaning { next, .. }
        | State::Finishing { next, .. } => *next == Next::Policy,
        State::Down
        | State::Spawning { .. }
        | State::Starting { .. }
        | State::Up { .. }
        | State::Ended
        | State::Failed
        | State::Skipped { .. } => false,
    }
}

fn is_down(state: &State) -> bool {
    matches!(state, State::Down | State::Ended | State::Failed)
}

fn ended_for_good(old: &Record, new: &Record) -> bool {
    is_down(&new.unit.state) && !is_down(&old.unit.state)
}

/// What could not be done between clone and exec, in words.
pub fn spawn_error_text(error: SpawnError) -> String {
    let step = match error.step {
        Step::Definition => "its definition",
        Step::Cgroup => "its cgroup",
        Step::Clone => "clone",
        Step::Log => "its standard output",
        Step::Notify => "its notification descriptor",
        Step::Directories => "its directories",
        Step::Mounts => "its mounts",
        Step::Tty => "its terminal",
        Step::Limits => "its limits",
        Step::Priority => "its priority",
        Step::User => "its user",
        Step::Capabilities => "its capabilities",
        Step::Cwd => "its working directory",
        Step::Environment => "its environment",
        Step::Exec => "its program",
    };
    // "No such file or directory (os error 2)" is for programmers.
    let why = std::io::Error::from_raw_os_error(i32::from(error.errno)).to_string();
    let why = why.split(" (os error").next().unwrap_or_default().to_lowercase();
    format!("{step}: {why}")
}

/// How a service went down, in words.
pub fn cause_text(cause: Cause) -> String {
    match cause {
        Cause::Stopped => "stopped".into(),
        Cause::Exited(Exit::Code(code)) => format!("exited with status {code}"),
        Cause::Exited(Exit::Signal(signal)) => format!("killed by signal {signal}"),
        Cause::Exited(Exit::Lost) => "ended, nobody saw how".into(),
        Cause::Spawn(error) => format!("cannot start: {}", spawn_error_text(error)),
        Cause::StartTimeout => "not ready in time".into(),
        Cause::Watchdog => "its watchdog ran out".into(),
        Cause::Unhealthy => "its health probes failed".into(),
        Cause::Permanent => "its finish command said not to start it again".into(),
    }
}
