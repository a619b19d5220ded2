//! The IDL's named types.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What kind of service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A process that runs until it is stopped.
    Longrun,
    /// A program that runs to its end.
    Oneshot,
    /// A name for other services.
    Bundle,
}

/// Where a service stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing runs.
    Down,
    /// It would act on its goal, but for another service.
    Waiting,
    /// Its process runs, or is being made, and is not ready.
    Starting,
    /// Up.
    Ready,
    /// Up, and its health probes fail.
    Degraded,
    /// On its way down.
    Stopping,
    /// It ended, and is started again after a pause.
    Backoff,
    /// It ended with success, and stays so.
    Ended,
    /// It ended badly, and stays so.
    Failed,
    /// A condition does not hold.
    Skipped,
    /// A oneshot whose program runs.
    Running,
    /// A oneshot whose program has succeeded.
    Done,
    /// A oneshot on its way down.
    Undoing,
}

impl State {
    /// The word for people; the same as on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Running => "running",
            Self::Done => "done",
            Self::Undoing => "undoing",
        }
    }

    /// It does what it is there for.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded | Self::Done)
    }
}

/// What is wanted of a service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// It shall be up.
    Up,
    /// Nothing of it shall run.
    Down,
}

/// How a service went down.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// On purpose.
    Stopped,
    /// By `exit`.
    Exited,
    /// By a signal.
    Signalled,
    /// Nobody saw how.
    Lost,
    /// It never ran.
    NotSpawned,
    /// It was not ready in time.
    StartTimeout,
    /// It did not ping its watchdog.
    Watchdog,
    /// Its health probes failed.
    Unhealthy,
    /// Its finish command said that starting again is of no use.
    Permanent,
}

/// The end of a service's last life.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct End {
    /// How.
    pub cause: EndCause,
    /// For `Exited`: its status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// For `Signalled`: the signal's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
    /// For `NotSpawned`: which step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// For `NotSpawned`: the kernel's error number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<u16>,
    /// The same for people.
    pub text: String,
}

/// One service, now.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// What kind of service.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// What is wanted of it.
    pub goal: Goal,
    /// One sentence, or nothing: why it is in this state.
    pub why: String,
    /// The service that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_on: Option<String>,
    /// When it entered this state.
    pub since_us: u64,
    /// When this state ends at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<u64>,
    /// Its main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Counts its lives, from 1.
    pub incarnation: u32,
    /// Ends in a row without being ready for long.
    pub failures: u32,
    /// [`super::CRASH_LOOPING_FAILURES`] or more of them.
    pub crash_looping: bool,
    /// Starts since boot, beyond the first, that nobody asked for.
    pub restarts: u32,
    /// How it last ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_end: Option<End>,
    /// Its last reload command failed, and it has not been reloaded since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_failed: Option<End>,
    /// What it last said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// What an order reaches, each list in the order in which it will happen.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Steps {
    /// These start.
    pub start: Vec<String>,
    /// These stop.
    pub stop: Vec<String>,
    /// These stop and start.
    pub restart: Vec<String>,
    /// These re-read their configuration.
    pub reload: Vec<String>,
}

/// What can be planned.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Go up.
    Start,
    /// Go down.
    Stop,
    /// Go down and up again.
    Restart,
    /// Re-read the configuration.
    Reload,
}

/// What a new graph does to one service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// It is new, and started if something that is up wants it.
    Start,
    /// It is gone.
    Stop,
    /// It stops with the old definition and starts with the new one.
    Restart,
    /// It re-reads its configuration.
    Reload,
    /// It is left alone; the new definition is used from its next start.
    Keep,
}

/// A difference between the graph in force and the new one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Change {
    /// Whose.
    pub name: String,
    /// What happens.
    pub reaction: Reaction,
    /// Which keys of its file differ.
    pub keys: Vec<String>,
    /// One sentence.
    pub why: String,
}

/// One link of an explanation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Link {
    /// Which service.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// One sentence.
    pub why: String,
}

/// When a service first started and first became ready since boot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Trace {
    /// Which service.
    pub name: String,
    /// When everything that it waited for was there.
    pub start_us: u64,
    /// None: it is not ready yet, or never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_us: Option<u64>,
    /// The dependency that became ready last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// How the machine, or the tree, ends.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Switch off.
    Poweroff,
    /// Start again.
    Reboot,
    /// Stop the processor.
    Halt,
    /// Start the loaded kernel.
    Kexec,
    /// End this tree with an exit status.
    Exit,
}
