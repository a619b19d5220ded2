//! Signals to services.
//!
//! No descriptor of a process is kept. To signal one, a handle is opened, and what it names is
//! compared with the record: a process that has this number now but did not start when the
//! record says is not ours.

use graph::{Kind, Process, Reload, ServiceId};
use sys::Errno;
use sys::process::{Handle, Stat, session_members};
use tracing::warn;
use unit::Command;

use crate::exits::Role;
use crate::shell::Shell;

/// SIGABRT.
const ABORT: u8 = 6;
/// SIGKILL.
const KILL: u8 = 9;
/// SIGCONT: a process that is stopped would not hear the stop signal.
const CONTINUE: u8 = 18;
/// From the clock's reading in the record to the clone itself: a starved machine may take this
/// long, in clock ticks.
const START_TICKS_MAX: u64 = 500;

/// Whether process `pid` is the one that the record with this start time means.
pub fn is_same(pid: u32, main_start: u64) -> bool {
    Stat::of(pid).is_ok_and(|stat| {
        let since = stat.start_ticks.checked_sub(main_start);
        main_start == 0 || since.is_some_and(|ticks| ticks <= START_TICKS_MAX)
    })
}

impl Shell<'_> {
    /// The stop signal to the main process.
    pub fn signal_stop(&mut self, id: ServiceId) {
        if let Some(process) = self.process(id) {
            let signal = self.stop_signal(process.stop.signal);
            if self.main_service() == Some(id) && !self.cancel_start(id, Role::Main) {
                self.forward(signal);
                return self.forward(CONTINUE);
            }
            self.signal_main(id, signal);
            self.signal_main(id, CONTINUE);
        }
    }

    /// The stop signal to every process of the cgroup.
    pub fn signal_stop_all(&mut self, id: ServiceId) {
        if let Some(process) = self.process(id) {
            self.signal_all(id, self.stop_signal(process.stop.signal));
            self.signal_all(id, CONTINUE);
        }
    }

    /// The reload signal to the main process.
    pub fn signal_reload(&mut self, id: ServiceId) {
        match self.process(id).and_then(|process| process.reload) {
            Some(Reload::Signal(signal)) => self.signal_main(id, signal),
            Some(Reload::Exec(_)) | None => {}
        }
    }

    /// SIGABRT to the main process.
    pub fn abort_main(&mut self, id: ServiceId) {
        self.signal_main(id, ABORT);
    }

    /// SIGKILL to the main process.
    pub fn kill_main(&mut self, id: ServiceId) {
        self.signal_main(id, KILL);
    }

    /// SIGKILL to the running command.
    pub fn kill_command(&mut self, id: ServiceId) {
        for command in [Command::Stop, Command::Reload, Command::Finish] {
            self.cancel_start(id, Role::Command(command));
        }
        let Some(pid) = self.table.record(id).map(|record| record.command_pid) else { return };
        let init = self.world.hello.init_pid;
        if pid != 0 && Stat::of(pid).is_ok_and(|stat| stat.parent == init) {
            self.send(id, pid, KILL);
        }
    }

    /// SIGKILL to every process of the cgroup.
    pub fn kill_all(&mut self, id: ServiceId) {
        if self.cancel_start(id, Role::Main) {
            return;
        }
        let Some(spec) = self.cgroup(id) else { return };
        if !self.world.cgroups.exist() {
            return self.signal_session(id, KILL);
        }
        if let Some(Err(error)) = self.world.cgroups.find(&spec).map(|group| group.kill()) {
            warn!(service = self.name(id), "cannot kill its cgroup: {error}");
        }
    }

    /// SIGKILL to a probe that takes too long.
    pub fn kill_probe(&self, id: ServiceId, pid: u32) {
        let init = self.world.hello.init_pid;
        if Stat::of(pid).is_ok_and(|stat| stat.parent == init) {
            self.send(id, pid, KILL);
        }
    }

    /// A signal to every process of the cgroup, by number.
    pub fn signal_all(&mut self, id: ServiceId, signal: u8) {
        if self.cancel_start(id, Role::Main) {
            return;
        }
        let Some(spec) = self.cgroup(id) else { return };
        if !self.world.cgroups.exist() {
            return self.signal_session(id, signal);
        }
        let signalled = self.world.cgroups.find(&spec).map(|group| group.signal(signal));
        if let Some(Err(error)) = signalled {
            warn!(service = self.name(id), "cannot signal all of it: {error}");
        }
    }

    /// A signal to the main process, by number.
    pub fn signal_main(&mut self, id: ServiceId, signal: u8) {
        if self.cancel_start(id, Role::Main) {
            return;
        }
        if let Some(pid) = self.main(id) {
            self.send(id, pid, signal);
        }
    }

    /// What a service that has processes is made of.
    pub fn process(&self, id: ServiceId) -> Option<Process> {
        match self.view.service(id).ok()?.kind {
            Kind::Longrun(process) | Kind::Oneshot(process) => Some(process),
            Kind::Bundle(_) => None,
        }
    }

    /// The main process, if it is still the one of the record.
    pub fn main(&self, id: ServiceId) -> Option<u32> {
        let record = self.table.record(id)?;
        Some(record.main_pid).filter(|pid| *pid != 0 && is_same(*pid, record.main_start))
    }

    /// Without cgroups: what has not left the session that the main process leads.
    fn signal_session(&self, id: ServiceId, signal: u8) {
        let Some(leader) = self.main(id) else { return };
        for pid in session_members(leader).unwrap_or_else(|_| vec![leader]) {
            self.send(id, pid, signal);
        }
    }

    /// A signal to a process.
    pub fn send(&self, id: ServiceId, pid: u32, signal: u8) {
        match Handle::open(pid).and_then(|process| process.send(signal)) {
            // It has ended; init will say how.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => warn!(service = self.name(id), "cannot signal process {pid}: {error}"),
        }
    }

    /// A signal to the process group of this leader.
    pub fn send_group(&self, id: ServiceId, leader: u32, signal: u8) {
        match sys::process::signal_group(leader, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => warn!(service = self.name(id), "cannot signal group {leader}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recognised_by_its_start() {
        // It started when the record was written or a little later, and never before.
        let pid = std::process::id();
        let start = Stat::of(pid).unwrap().start_ticks;
        assert!(is_same(pid, start) && is_same(pid, start - 1));
        assert!(!is_same(pid, start + 1));
        assert!(!is_same(pid, start - START_TICKS_MAX - 1));
    }
}
