//! A service and its relations. Durations are milliseconds, as their names say.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

use crate::process::{CgroupSpec, Environment, RunSpec};

/// A service's place in the graph, and in the state table.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ServiceId(pub u32);

/// Every service of a node, in topological order.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Graph {
    /// Who may operate services, besides root: names of users and `@groups`, from `node.toml`.
    pub operators: Vec<String>,
    /// The longest that a whole shutdown may take before the final phase begins.
    pub shutdown_budget_ms: u32,
    /// The hardware watchdog that init arms, if `node.toml` asks for one.
    pub watchdog: Option<Watchdog>,
    /// The services; a [`ServiceId`] is an index into it.
    pub services: Vec<Service>,
}

/// A hardware watchdog: it resets a machine that nobody supervises.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Watchdog {
    /// Its device: a path of at most 48 bytes, as the link to init has it.
    pub device: String,
    /// How long after the last sign of life.
    pub timeout_ms: u32,
}

/// One service, as its file says, with defaults filled in and names resolved.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Service {
    /// The file's name without `.toml`; with the instance, for a template: `getty@tty1`.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Longrun, oneshot or bundle, with what only that kind has.
    pub kind: Kind,
    /// Must be up first; ordered after them.
    pub requires: Vec<ServiceId>,
    /// Started too; ordered after them, but goes on without them.
    pub wants: Vec<ServiceId>,
    /// Ordered after these if they are to be up as well.
    pub after: Vec<ServiceId>,
    /// Never up at the same time as these; each of them lists this one as well.
    pub conflicts: Vec<ServiceId>,
    /// Other names for it.
    pub provides: Vec<String>,
    /// All must hold, else the service is `skipped`.
    pub conditions: Vec<Condition>,
    /// What `svc apply` does to it when its definition has changed.
    pub on_change: OnChange,
    /// The end of this service ends the whole tree, with its exit status (containers).
    pub critical: bool,
    /// The file that defined it, for messages.
    pub file: String,
    /// A hash of everything that matters to the running process: equal hash, nothing to restart.
    pub fingerprint: u64,
}

/// What only services with processes have is in the variant.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Kind {
    /// A process that runs until it is stopped.
    Longrun(Process),
    /// A program that runs to its end; `stop.exec` undoes it.
    Oneshot(Process),
    /// A name for other services: they are its `requires` and `wants`.
    Bundle(Bundle),
}

/// A bundle has nothing but its relations.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bundle {}

/// How a service's processes are run, watched and ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Process {
    /// The program, by absolute path or found in the service's own `PATH`, and its arguments.
    pub exec: Vec<String>,
    /// When it counts as up.
    pub ready: Readiness,
    /// From spawn to ready, at most.
    pub start_timeout_ms: u32,
    /// The first probe's delay and the pause between two, for readiness by probe.
    pub probe_every_ms: u32,
    /// Run after the main process has ended, with exit code, signal name and service name
    /// appended, as s6's `./finish`; exit status 125 means: do not restart.
    pub finish: Vec<String>,
    /// The finish command is killed after this long.
    pub finish_timeout_ms: u32,
    /// How it is stopped.
    pub stop: StopSpec,
    /// Whether and when it is started again.
    pub restart: RestartSpec,
    /// How it re-reads its configuration, if it can.
    pub reload: Option<Reload>,
    /// Probes after it is up.
    pub health: Option<Health>,
    /// `WATCHDOG_USEC`: silence for longer than this ends the process. 0: off.
    pub watchdog_ms: u32,
    /// Who it runs as, and with what.
    pub run: RunSpec,
    /// Its environment.
    pub environment: Environment,
    /// Its cgroup.
    pub cgroup: CgroupSpec,
    /// Where its output goes.
    pub log: LogSpec,
}

/// When a service counts as up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Readiness {
    /// As soon as its program has been executed.
    Exec,
    /// `READY=1` by sd_notify.
    Notify,
    /// A newline on this file descriptor, as s6 does it.
    Fd(u32),
    /// When it has exited with status 0 (oneshots).
    Exit,
    /// When a probe first succeeds.
    Probe(Probe),
}

/// Something to try again and again until it works, or that should go on working.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Probe {
    /// Connect to a unix stream socket; a leading `@` is an abstract name.
    Unix(String),
    /// Connect to `ADDRESS:PORT`, numeric.
    Tcp(String),
    /// GET `http://ADDRESS:PORT/PATH`: any status from 200 to 399.
    Http {
        /// Numeric `ADDRESS:PORT`.
        address: String,
        /// What the `Host` header says.
        host: String,
        /// Path and query, from the first `/`.
        path: String,
    },
    /// Run a command: exit status 0.
    Exec(Vec<String>),
    /// A path exists.
    Path(String),
}

/// How a service is stopped.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StopSpec {
    /// Run instead of the signal; for a oneshot, undoes it. Empty: none.
    pub exec: Vec<String>,
    /// Sent to the main process (with `KillMode::Cgroup`, to all).
    pub signal: u8,
    /// From the signal or command to SIGKILL.
    pub timeout_ms: u32,
    /// Whom the signals reach.
    pub kill: KillMode,
}

/// Whom stopping reaches; systemd's `KillMode=` of the same names (`cgroup` is `control-group`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum KillMode {
    /// The main process alone; the rest of the cgroup lives on and is adopted by the next start.
    Process,
    /// The stop signal to every process of the cgroup, then SIGKILL to all that are left.
    Cgroup,
    /// The stop signal to the main process, then SIGKILL to all that are left.
    Mixed,
}

/// Whether and when a service that ended is started again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RestartSpec {
    /// After which ends.
    pub policy: RestartPolicy,
    /// The second restart in a row waits this long (the first is at once), each further one
    /// twice as long.
    pub min_ms: u32,
    /// But never longer than this; and after being ready for this long the count starts anew.
    pub max_ms: u32,
}

/// After which ends a service is started again.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum RestartPolicy {
    /// After any.
    Always,
    /// After any but exit status 0.
    OnFailure,
    /// After none.
    Never,
}

/// How a service re-reads its configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Reload {
    /// By this signal to the main process.
    Signal(u8),
    /// By this command.
    Exec(Vec<String>),
}

/// Probes of a service that is up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Health {
    /// What is tried.
    pub probe: Probe,
    /// From one probe's end to the next one's begin.
    pub every_ms: u32,
    /// A probe that takes longer has failed.
    pub timeout_ms: u32,
    /// The service is `degraded` after this many failures in a row.
    pub failures: u32,
    /// And is then restarted.
    pub restart: bool,
}

/// What must hold for a service to be started at all; otherwise it is `skipped`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Condition {
    /// The opposite must hold (written with a leading `!`).
    pub negated: bool,
    /// What.
    pub test: ConditionTest,
}

/// See [`Condition`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ConditionTest {
    /// The kernel command line has this word, or a word that begins with it and `=`.
    KernelCommandLine(String),
    /// This path exists.
    PathExists(String),
    /// Runs in `vm`, `container` or on `none` (bare metal).
    Virtualization(String),
    /// `uname -m`.
    Architecture(String),
    /// DMI product, board or vendor, or a device tree `compatible`, contains this.
    Hardware(String),
}

/// What `svc apply` does to a running service whose definition has changed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum OnChange {
    /// Stop it with the old definition, start it with the new one.
    Restart,
    /// Reload it, where only what a reload reaches has changed.
    Reload,
    /// Leave it alone; the new definition is used from its next start.
    Keep,
}

/// Where output goes, and how much of it is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogSpec {
    /// Where standard output and standard error go.
    pub to: LogTo,
    /// `current` is rotated at this size.
    pub file_size_max: u64,
    /// So many rotated files are kept.
    pub files_max: u32,
    /// Rotated files older than this are deleted. 0: never.
    pub age_max_s: u64,
    /// All files of the service together never exceed this.
    pub quota: u64,
    /// Lines per second above which lines are dropped and counted. 0: no limit.
    pub rate_max: u32,
    /// Each line begins with its time, UTC, RFC 3339 with microseconds.
    pub timestamps: bool,
    /// When the disk is full and the pipe as well: wait (true), or drop and count (false).
    pub block: bool,
}

/// Where a service's output goes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum LogTo {
    /// To `cooper-log`.
    Files,
    /// To /dev/null.
    None,
    /// To the console.
    Console,
    /// To standard input of another service, which is thereby a consumer.
    Service(ServiceId),
}
