//! The state table: one fixed-size record for each service of the graph in force, by index, in
//! `/run/cooper/state`. `supervise` writes it and starts from it; everyone may read it.

use engine::{Goal, Wait};
use unit::Unit;

/// Bytes of `STATUS=` text that are kept.
pub const STATUS_MAX: usize = 96;

/// What is known of one service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// Its life.
    pub unit: Unit,
    /// What is wanted of it.
    pub goal: Goal,
    /// Why it does not act on that yet.
    pub wait: Wait,
    /// The main process; 0: none. The kernel writes this word itself, as part of the clone
    /// (CLONE_PARENT_SETTID), so that a supervisor killed at any instruction has recorded it.
    pub main_pid: u32,
    /// The running stop, reload or finish command; 0: none. Written in the same way.
    pub command_pid: u32,
    /// The main process's start time, clock ticks since boot (`/proc/PID/stat`, field 22).
    pub main_start: u64,
    /// The process whose notifications count, if `MAINPID=` named another one; else 0.
    pub notify_pid: u32,
    /// Last change of state; microseconds, CLOCK_MONOTONIC, like all times here.
    pub since_us: u64,
    /// Last time that what it waited for was there, and it was told to start.
    pub start_us: u64,
    /// Last time it became ready.
    pub ready_us: u64,
    /// The same two for the first start since boot: the boot report is made of them.
    pub first_start_us: u64,
    /// See `first_start_us`.
    pub first_ready_us: u64,
    /// Starts since boot, beyond the first, that nobody asked for.
    pub restarts: u32,
    /// Peak resident memory of the last incarnation that ended, KiB.
    pub maxrss_kib: u64,
    /// Processor time of it, microseconds.
    pub cpu_us: u64,
    /// The link message that this record accounts for.
    pub link_seq: u64,
    /// The last `STATUS=`, cut at a character's boundary.
    pub status: Status,
}

/// Text of at most [`STATUS_MAX`] bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    bytes: [u8; STATUS_MAX],
    len: u8,
}
