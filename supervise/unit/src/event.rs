//! What can happen to a unit: what it is told to do, and what the shell saw.

use crate::Incarnation;

/// What the engine orders, and what the shell saw.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Event {
    /// Order: go up (what it requires is up). Heard when down; a restart is a `Stop`, and then a
    /// `Start` once it is down.
    Start,
    /// Order: go down (its dependents are down).
    Stop,
    /// Order: re-read your configuration. Heard when up.
    Reload,
    /// Order: forget every failure, so that the next `Start` tries anew.
    Reset,
    /// The main process exists.
    Spawned(Incarnation),
    /// Its conditions do not hold, so its program was not executed; the index of the first that
    /// does not. A condition that may have to wait for a disk is looked at by the process itself.
    Unmet(Incarnation, u8),
    /// The main process could not be made, or died before its program was executed. Told before
    /// the `Exited` of the same life, which then says nothing new.
    SpawnFailed(Incarnation, SpawnError),
    /// Its program has been executed.
    Executed(Incarnation),
    /// It says, or a probe found, that it is ready.
    Ready(Incarnation),
    /// The main process ended.
    Exited(Incarnation, Exit),
    /// No process is left in its cgroup.
    Emptied(Incarnation),
    /// A command ended, or could not be spawned.
    CommandEnded(Incarnation, Command, Exit),
    /// Health probes have failed as often as the policy allows.
    Unhealthy(Incarnation),
    /// A health probe has succeeded after failures.
    Healthy(Incarnation),
    /// `RELOADING=1`.
    Reloading(Incarnation),
    /// `STOPPING=1`.
    Stopping(Incarnation),
    /// `EXTEND_TIMEOUT_USEC=`: microseconds from now.
    Extend(Incarnation, u64),
    /// `WATCHDOG=1`.
    Ping(Incarnation),
    /// `WATCHDOG=trigger`.
    Trigger(Incarnation),
    /// `WATCHDOG_USEC=`: a new interval, microseconds.
    WatchdogInterval(Incarnation, u64),
    /// The deadline that [`crate::Unit::deadline`] named has passed.
    DeadlinePassed,
}

/// A step that could not be done between clone and exec; `errno` says why.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SpawnError {
    /// Which step.
    pub step: Step,
    /// The kernel's error number.
    pub errno: u16,
}

impl SpawnError {
    /// Nothing is wrong with the definition: the same spawn may work later.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        // EAGAIN, ENOMEM, ENFILE, EMFILE, ETXTBSY, EINTR, EIO (a disk that hangs), ENOENT of a
        // file system that is not mounted yet is *not* here: it is a mistake until somebody acts.
        matches!(self.errno, 4 | 5 | 11 | 12 | 23 | 24 | 26)
    }
}

/// The steps of a spawn, in their order; told to people by name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Step {
    /// Reading the definition.
    Definition = 1,
    /// Making the cgroup or writing its settings.
    Cgroup = 2,
    /// `clone3` itself.
    Clone = 3,
    /// Opening standard output.
    Log = 4,
    /// Opening the notification descriptor.
    Notify = 5,
    /// Making its own directories.
    Directories = 6,
    /// Its own mounts.
    Mounts = 7,
    /// Taking its terminal.
    Tty = 8,
    /// Resource limits.
    Limits = 9,
    /// Nice value or OOM score.
    Priority = 10,
    /// User, group, supplementary groups.
    User = 11,
    /// Capabilities or no_new_privs.
    Capabilities = 12,
    /// Working directory.
    Cwd = 13,
    /// Environment files.
    Environment = 14,
    /// `execve` itself.
    Exec = 15,
}

impl Step {
    /// Every step, in order; each one's number is its place, from 1.
    pub const ALL: [Self; 15] = [
        Self::Definition,
        Self::Cgroup,
        Self::Clone,
        Self::Log,
        Self::Notify,
        Self::Directories,
        Self::Mounts,
        Self::Tty,
        Self::Limits,
        Self::Priority,
        Self::User,
        Self::Capabilities,
        Self::Cwd,
        Self::Environment,
        Self::Exec,
    ];

    /// Its number in records and messages.
    #[must_use]
    pub const fn number(self) -> u8 {
        #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
        {
            self as u8
        }
    }

    /// The step of this number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Exit {
    /// By `exit`, with this status.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// It is gone, and nobody saw how (its end fell out of init's ring).
    Lost,
}

impl Exit {
    /// Exit status 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

/// The programs of a service beside its main process. At most one runs at a time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Command {
    /// Stops the longrun, or undoes the oneshot.
    Stop,
    /// Re-reads its configuration.
    Reload,
    /// Runs after each death.
    Finish,
}

impl Event {
    /// The life that an observation belongs to; none for orders and deadlines.
    #[must_use]
    pub const fn incarnation(self) -> Option<Incarnation> {
        match self {
            Self::Start | Self::Stop | Self::Reload | Self::Reset | Self::DeadlinePassed => None,
            Self::Spawned(i)
            | Self::Unmet(i, _)
            | Self::SpawnFailed(i, _)
            | Self::Executed(i)
            | Self::Ready(i)
            | Self::Exited(i, _)
            | Self::Emptied(i)
            | Self::CommandEnded(i, _, _)
            | Self::Unhealthy(i)
            | Self::Healthy(i)
            | Self::Reloading(i)
            | Self::Stopping(i)
            | Self::Extend(i, _)
            | Self::Ping(i)
            | Self::Trigger(i)
            | Self::WatchdogInterval(i, _) => Some(i),
        }
    }

    /// Only a program that has been executed can have caused it.
    pub(crate) const fn is_from_program(self) -> bool {
        match self {
            Self::Executed(_)
            | Self::Ready(_)
            | Self::Exited(_, _)
            | Self::Reloading(_)
            | Self::Stopping(_)
            | Self::Extend(_, _)
            | Self::Ping(_)
            | Self::Trigger(_)
            | Self::WatchdogInterval(_, _) => true,
            Self::Start
            | Self::Stop
            | Self::Reload
            | Self::Reset
            | Self::Spawned(_)
            | Self::Unmet(_, _)
            | Self::SpawnFailed(_, _)
            | Self::Emptied(_)
            | Self::CommandEnded(_, _, _)
            | Self::Unhealthy(_)
            | Self::Healthy(_)
            | Self::DeadlinePassed => false,
        }
    }
}
