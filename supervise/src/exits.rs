//! Whose process ended.
//!
//! Init reaps and tells; here a process id becomes a service's event. Orphans of services are
//! nobody's, and of no interest.
//!
//! **Invariant:** an exit is accounted for once: the record that it changed carries its number,
//! and it is acknowledged only after that record was written.

use graph::ServiceId;
use tracing::{info, warn};
use unit::{Command, Event, Exit, Incarnation};
use wire::link::FromInit;
use wire::state::Record;

use crate::Fatal;
use crate::prepare::signal_text;
use crate::shell::Shell;

/// Whose process it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Owner {
    pub id: ServiceId,
    pub incarnation: Incarnation,
    pub role: Role,
}

/// What a process is there for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// It is the service.
    Main,
    /// It stops or reloads it, or cleans up after it.
    Command(Command),
    /// It asks whether it works.
    Probe,
}

impl Role {
    /// What it is called in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Main => "program",
            Self::Command(Command::Stop) => "stop command",
            Self::Command(Command::Reload) => "reload command",
            Self::Command(Command::Finish) => "finish command",
            Self::Probe => "probe",
        }
    }
}

/// What the next record of a service is to say of an exit.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub id: ServiceId,
    seq: u64,
    /// Of main processes: processor time and peak memory. None: it was a command.
    usage: Option<(u64, u64)>,
}

impl Account {
    /// Enters it into a record.
    pub fn enter(self, record: &mut Record) {
        record.link_seq = record.link_seq.max(self.seq);
        match self.usage {
            Some((cpu_us, maxrss_kib)) => {
                record.cpu_us = cpu_us;
                record.maxrss_kib = maxrss_kib;
            }
            None => record.commands = record.commands.saturating_add(1),
        }
    }
}

impl Shell<'_> {
    /// Hears everything that init has to say by now.
    pub fn hear(&mut self) -> Result<(), Fatal> {
        let mut notified = false;
        while let Some(message) = self.world.link.next()? {
            if !notified {
                // What a process said before it ended counts.
                self.hear_notifications();
                notified = true;
            }
            match message {
                FromInit::Exited { seq, pid, status, cpu_us, maxrss_kib } => {
                    self.hear_exit(seq, pid, exit_of(status), (cpu_us, maxrss_kib));
                    self.world.link.handled(seq);
                }
                FromInit::Signalled { seq, request } => {
                    self.hear_request(request);
                    self.world.link.handled(seq);
                }
                FromInit::Forwarded { seq, signal } => {
                    self.hear_forwarded(signal);
                    self.world.link.handled(seq);
                }
                FromInit::Ping { seq } => self.world.link.handled(seq),
                FromInit::Hello(_) | FromInit::Held { .. } => {}
            }
        }
        Ok(())
    }

    fn hear_exit(&mut self, seq: u64, pid: u32, exit: Exit, usage: (u64, u64)) {
        self.hear_last_report(pid);
        if self.logger_ended(pid, exit) {
            return;
        }
        let Some(owner) = self.owners.remove(&pid) else { return };
        let Owner { id, incarnation, role } = owner;
        let record = self.table.record(id);
        // Accounted for by a supervisor that was killed before it could acknowledge it.
        if role != Role::Probe && record.is_some_and(|record| seq <= record.link_seq) {
            return self.clear_pid(id, role);
        }
        let event = match role {
            Role::Main => Event::Exited(incarnation, exit),
            Role::Command(command) => Event::CommandEnded(incarnation, command, exit),
            Role::Probe => return self.probe_ended(id, exit.is_success()),
        };
        if role == Role::Main {
            self.say_ended(id, exit);
        }
        self.account = Some(Account { id, seq, usage: (role == Role::Main).then_some(usage) });
        self.tell(id, event);
        self.publish_changes();
        if self.account.is_some() {
            self.publish(id);
        }
        self.clear_pid(id, role);
        self.settle();
    }

    fn clear_pid(&self, id: ServiceId, role: Role) {
        match role {
            Role::Main => self.table.clear_main(id),
            Role::Command(_) => self.table.clear_command(id),
            Role::Probe => {}
        }
    }

    fn say_ended(&self, id: ServiceId, exit: Exit) {
        let service = self.name(id);
        match exit {
            Exit::Code(0) => info!(service, "exited with status 0"),
            // That is the container's exit status, and for whoever runs it to judge.
            Exit::Code(code) if self.main_service() == Some(id) => {
                info!(service, "exited with status {code}");
            }
            Exit::Code(code) => warn!(service, "exited with status {code}"),
            Exit::Signal(signal) => {
                info!(service, "killed by {}", signal_text(signal));
            }
            Exit::Lost => warn!(service, "is gone; nobody saw how"),
        }
    }
}

/// From the kernel's wait-status encoding.
fn exit_of(status: i32) -> Exit {
    let [low, high, ..] = status.to_le_bytes();
    match low & 0x7f {
        0 => Exit::Code(high),
        signal => Exit::Signal(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_statuses_are_understood() {
        // exit 3; SIGKILL; SIGSEGV with a core dump.
        assert_eq!(exit_of(0x0300), Exit::Code(3));
        assert_eq!(exit_of(9), Exit::Signal(9));
        assert_eq!(exit_of(0x8b), Exit::Signal(11));
    }
}
