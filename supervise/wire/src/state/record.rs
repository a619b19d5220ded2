//! One service's record, and its form in words.

use engine::{Goal, Wait};
use unit::{Command, Reloading, State, Unit};

use super::{
    RECORD_PAYLOAD,
    code::{self, Reader, Writer},
};

/// Bytes of `STATUS=` text that are kept.
pub const STATUS_MAX: usize = 92;

/// What is known of one service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// Its life.
    pub unit: Unit,
    /// What is wanted of it.
    pub goal: Goal,
    /// Why it does not act on that yet.
    pub wait: Wait,
    /// The main process of the current life; 0: none. The kernel writes this word itself, as part
    /// of the clone (CLONE_PARENT_SETTID), so that a supervisor killed at any instruction has
    /// recorded it.
    pub main_pid: u32,
    /// The running stop, reload or finish command; 0: none. Written in the same way.
    pub command_pid: u32,
    /// The clock when the main process was about to be cloned, in clock ticks since boot: its own
    /// start time (`/proc/PID/stat`, field 22) is this or very little later.
    pub main_start: u64,
    /// Commands that have ended: tells one run's process id from the next one's.
    pub commands: u32,
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

impl Default for Record {
    fn default() -> Self {
        Self {
            unit: Unit::new(),
            goal: Goal::Down,
            wait: Wait::Nothing,
            main_pid: 0,
            command_pid: 0,
            main_start: 0,
            commands: 0,
            since_us: 0,
            start_us: 0,
            ready_us: 0,
            first_start_us: 0,
            first_ready_us: 0,
            restarts: 0,
            maxrss_kib: 0,
            cpu_us: 0,
            link_seq: 0,
            status: Status::default(),
        }
    }
}

impl Record {
    /// The command that runs in this state, if one does.
    #[must_use]
    pub const fn command(&self) -> Option<Command> {
        match self.unit.state {
            // In the later stages too: the command may still be dying.
            State::Stopping { left, .. } => left.command,
            State::Finishing { .. } => Some(Command::Finish),
            State::Up { reloading: Reloading::Command { .. }, .. } => Some(Command::Reload),
            State::Up { .. }
            | State::Down
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Ended
            | State::Failed
            | State::Skipped { .. } => None,
        }
    }
}

/// Text of at most [`STATUS_MAX`] bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    bytes: [u8; STATUS_MAX],
    len: u8,
}

impl Default for Status {
    fn default() -> Self {
        Self { bytes: [0; STATUS_MAX], len: 0 }
    }
}

impl Status {
    /// Keeps the beginning of `text`, whole characters, control characters as spaces.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut status = Self::default();
        let mut end = text.len().min(STATUS_MAX);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let kept = text.as_bytes().get(..end).unwrap_or_default();
        for (to, byte) in status.bytes.iter_mut().zip(kept) {
            *to = if byte.is_ascii_control() { b' ' } else { *byte };
        }
        status.len = u8::try_from(end).unwrap_or(0);
        status
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }

    fn words(&self) -> impl Iterator<Item = u32> + '_ {
        self.bytes
            .chunks_exact(4)
            .map(|chunk| chunk.try_into().map(u32::from_le_bytes).unwrap_or_default())
    }

    fn from_words(len: u32, words: impl Iterator<Item = u32>) -> Option<Self> {
        let len = u8::try_from(len).ok().filter(|len| usize::from(*len) <= STATUS_MAX)?;
        let mut status = Self { bytes: [0; STATUS_MAX], len };
        for (chunk, word) in status.bytes.chunks_exact_mut(4).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Some(status)
    }
}

pub(super) fn encode(record: &Record) -> [u32; RECORD_PAYLOAD] {
    let mut to = Writer::<RECORD_PAYLOAD>::new();
    code::unit_encode(&record.unit, &mut to);
    to.u32(match record.goal {
        Goal::Down => 0,
        Goal::Up => 1,
        Goal::Renew => 2,
    });
    code::wait_encode(record.wait, &mut to);
    to.u64(record.main_start);
    to.u32(record.commands);
    to.u64(record.since_us);
    to.u64(record.start_us);
    to.u64(record.ready_us);
    to.u64(record.first_start_us);
    to.u64(record.first_ready_us);
    to.u32(record.restarts);
    to.u64(record.maxrss_kib);
    to.u64(record.cpu_us);
    to.u64(record.link_seq);
    to.u32(u32::from(record.status.len));
    for word in record.status.words() {
        to.u32(word);
    }
    to.words()
}

pub(super) fn decode(words: &[u32; RECORD_PAYLOAD]) -> Option<Record> {
    let mut from = Reader::new(words);
    Some(Record {
        unit: code::unit_decode(&mut from)?,
        goal: match from.u32()? {
            0 => Goal::Down,
            1 => Goal::Up,
            2 => Goal::Renew,
            _ => return None,
        },
        wait: code::wait_decode(&mut from)?,
        main_pid: 0,
        command_pid: 0,
        main_start: from.u64()?,
        commands: from.u32()?,
        since_us: from.u64()?,
        start_us: from.u64()?,
        ready_us: from.u64()?,
        first_start_us: from.u64()?,
        first_ready_us: from.u64()?,
        restarts: from.u32()?,
        maxrss_kib: from.u64()?,
        cpu_us: from.u64()?,
        link_seq: from.u64()?,
        status: {
            let len = from.u32()?;
            Status::from_words(len, core::iter::from_fn(|| from.u32()))?
        },
    })
}
