//! The state table: one fixed-size record for each service of the graph in force, by index, in
//! `/run/cooper/state`. `supervise` writes it and starts from it; everyone may read it.
//!
//! It is *not* the graph: names and definitions are in `/run/cooper/graph`, whose hash is in the
//! table's head.
//!
//! **Invariant:** whoever is killed, and at whichever instruction, every record stays readable.
//! A record is kept twice; the older copy is overwritten, and counts only once its number and its
//! checksum are right (see `slot`). The four words before the copies belong to no copy: the
//! kernel itself writes a process id there as part of the clone (CLONE_PARENT_SETTID), and the
//! word beside it says for which life, so that an old process id is never taken for a new one.

mod code;
mod record;
mod slot;

use core::sync::atomic::{AtomicU32, Ordering};

use graph::ServiceId;
use unit::{Command, Incarnation};

use crate::link::Request;

pub use record::{Record, STATUS_MAX, Status};

/// "cooper" and the table's version, as the first eight bytes of the file.
const MAGIC: [u32; 2] = [u32::from_ne_bytes(*b"coop"), u32::from_ne_bytes(*b"er\x01\0")];
/// The head and each record, in words of four bytes.
const HEAD_WORDS: usize = 64;
const RECORD_WORDS: usize = 128;
/// Each record's size in bytes.
pub const RECORD_SIZE: usize = RECORD_WORDS * WORD;
/// The head's size in bytes.
pub const HEAD_SIZE: usize = HEAD_WORDS * WORD;

const WORD: usize = 4;
/// Head: magic (2), record size, count, graph hash (2), the logger's process id, a word that is
/// free, then two slots of live data.
const LOGGER_PID: usize = 6;
const HEAD_SLOTS: usize = 8;
const HEAD_PAYLOAD: usize = 26;
/// Record: main process and its life, command and its run, then two slots.
const MAIN_PID: usize = 0;
const MAIN_LIFE: usize = 1;
const COMMAND_PID: usize = 2;
const COMMAND_RUN: usize = 3;
const RECORD_SLOTS: usize = 4;
const RECORD_PAYLOAD: usize = 60;

/// A table that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TableError {
    /// It is not a state table, or one of another version of Cooper.
    Magic,
    /// Its length does not fit the number of its records.
    Length,
}

impl core::fmt::Display for TableError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Magic => "not a state table of this version",
            Self::Length => "its length does not fit its number of records",
        })
    }
}

impl core::error::Error for TableError {}

/// Where the words of a table are: mapped, or read into memory.
pub trait Words: Copy {
    /// The word at `index`.
    fn word(self, index: usize) -> Option<u32>;
    /// How many there are.
    fn count(self) -> usize;
}

/// A table in a shared mapping: what `supervise` has.
impl Words for &[AtomicU32] {
    fn word(self, index: usize) -> Option<u32> {
        self.get(index).map(|word| word.load(Ordering::Acquire))
    }

    fn count(self) -> usize {
        self.len()
    }
}

/// A table that was read with read(2): what clients have. A record that was being written
/// meanwhile may be unreadable, then it is to be read again.
impl Words for &[u8] {
    fn word(self, index: usize) -> Option<u32> {
        let from = index.checked_mul(WORD)?;
        let bytes = self.get(from..from.checked_add(WORD)?)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    }

    fn count(self) -> usize {
        self.len() / WORD
    }
}

/// What is known of the whole tree, beside the graph's hash.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Live {
    /// Graphs that were put in force since boot, the first one included.
    pub applied: u32,
    /// When PID 1's first instruction ran; microseconds, CLOCK_MONOTONIC.
    pub boot_us: u64,
    /// When everything that was to be up at boot was up or had failed; 0: not yet.
    pub settled_us: u64,
    /// A shutdown is under way.
    pub shutdown: Option<Shutdown>,
}

/// A shutdown that has begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shutdown {
    /// How it ends.
    pub request: Request,
    /// For [`Request::Exit`].
    pub exit_status: u8,
    /// The signal that began it, in a tree whose main service gets the same one and decides the
    /// exit status; 0: none did.
    pub signal: u8,
    /// When the final phase begins at the latest; microseconds, CLOCK_MONOTONIC.
    pub deadline_us: u64,
}

/// A state table over words `W`.
#[derive(Clone, Copy, Debug)]
pub struct Table<W> {
    words: W,
    count: u32,
}

/// How many bytes a table of `count` records has.
#[must_use]
pub fn size(count: u32) -> Option<usize> {
    usize::try_from(count).ok()?.checked_mul(RECORD_SIZE)?.checked_add(HEAD_SIZE)
}

impl<W: Words> Table<W> {
    /// Looks at the head. The records are looked at one by one, when they are read.
    ///
    /// # Errors
    /// When this is not a whole table of this version.
    pub fn open(words: W) -> Result<Self, TableError> {
        let head = [0, 1, 2].map(|index| words.word(index));
        let record = u32::try_from(RECORD_SIZE).ok();
        if head != [Some(MAGIC[0]), Some(MAGIC[1]), record] {
            return Err(TableError::Magic);
        }
        let count = words.word(3).ok_or(TableError::Length)?;
        let bytes = words.count().checked_mul(WORD);
        // A mapping may be longer than the table: it ends at a page's end.
        match (size(count), bytes) {
            (Some(size), Some(bytes)) if size <= bytes => Ok(Self { words, count }),
            _ => Err(TableError::Length),
        }
    }

    /// How many records there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Which graph the records are of.
    #[must_use]
    pub fn graph_hash(&self) -> u64 {
        let word = |index| self.words.word(index).map_or(0, u64::from);
        word(4) | word(5) << 32
    }

    /// The tree's data; none if it was being written: read again.
    #[must_use]
    pub fn live(&self) -> Option<Live> {
        code::live_decode(&slot::read::<HEAD_PAYLOAD, W>(self.words, HEAD_SLOTS)?)
    }

    /// One service's record; none if there is no such service, or if it was being written in a
    /// table that was read with read(2): read again.
    #[must_use]
    pub fn record(&self, id: ServiceId) -> Option<Record> {
        let at = self.at(id)?;
        let payload = slot::read::<RECORD_PAYLOAD, W>(self.words, at.checked_add(RECORD_SLOTS)?)?;
        let mut record = record::decode(&payload)?;
        let life = record.unit.incarnation;
        if self.tag(at, MAIN_LIFE) == main_tag(life) {
            record.main_pid = self.tag(at, MAIN_PID);
        }
        let running = record.command().map(|command| command_tag(record.commands, command));
        if running == Some(self.tag(at, COMMAND_RUN)) {
            record.command_pid = self.tag(at, COMMAND_PID);
        }
        Some(record)
    }

    fn tag(&self, record: usize, offset: usize) -> u32 {
        record.checked_add(offset).and_then(|index| self.words.word(index)).unwrap_or(0)
    }

    /// The first word of a record.
    fn at(&self, id: ServiceId) -> Option<usize> {
        let index = if id.0 < self.count { usize::try_from(id.0).ok()? } else { return None };
        index.checked_mul(RECORD_WORDS)?.checked_add(HEAD_WORDS)
    }
}

impl<'a> Table<&'a [AtomicU32]> {
    /// Makes a table in a mapping that is all zero; every service is down.
    ///
    /// # Errors
    /// When the mapping is too short.
    pub fn create(
        words: &'a [AtomicU32],
        count: u32,
        graph_hash: u64,
        live: &Live,
    ) -> Result<Self, TableError> {
        let fits = size(count).is_some_and(|size| size / WORD <= words.len());
        if !fits {
            return Err(TableError::Length);
        }
        let table = Self { words, count };
        let record_size = u32::try_from(RECORD_SIZE).unwrap_or(0);
        let [hash_low, hash_high] = slot::halves(graph_hash);
        let head = [MAGIC[0], MAGIC[1], record_size, count, hash_low, hash_high];
        for (word, value) in words.iter().zip(head) {
            word.store(value, Ordering::Release);
        }
        table.write_live(live);
        for index in 0..count {
            table.write(ServiceId(index), &Record::default());
        }
        Ok(table)
    }

    /// Publishes the tree's data.
    pub fn write_live(&self, live: &Live) {
        slot::write(self.words, HEAD_SLOTS, &code::live_encode(live));
    }

    /// Publishes one record, all but its process ids.
    pub fn write(&self, id: ServiceId, record: &Record) {
        if let Some(at) = self.at(id).and_then(|at| at.checked_add(RECORD_SLOTS)) {
            slot::write(self.words, at, &record::encode(record));
        }
    }

    /// The word where the kernel is to write the process id of this life's main process; it is 0
    /// until then.
    #[must_use]
    pub fn main_word(&self, id: ServiceId, life: Incarnation) -> Option<&'a AtomicU32> {
        self.pid_word(id, MAIN_PID, MAIN_LIFE, main_tag(life))
    }

    /// The same for a command, of which this many of its service have ended before.
    #[must_use]
    pub fn command_word(
        &self,
        id: ServiceId,
        ended: u32,
        command: Command,
    ) -> Option<&'a AtomicU32> {
        self.pid_word(id, COMMAND_PID, COMMAND_RUN, command_tag(ended, command))
    }

    /// The word for the process id of `cooper-log`.
    #[must_use]
    pub fn logger_word(&self) -> Option<&'a AtomicU32> {
        self.words.get(LOGGER_PID)
    }

    /// The main process is gone, and the record that was written last says so.
    pub fn clear_main(&self, id: ServiceId) {
        self.store(id, MAIN_PID, 0);
    }

    /// The same for the command.
    pub fn clear_command(&self, id: ServiceId) {
        self.store(id, COMMAND_PID, 0);
    }

    /// Carries a process id over from the table of another graph.
    pub fn carry(&self, id: ServiceId, record: &Record) {
        let life = record.unit.incarnation;
        if let Some(word) = self.main_word(id, life) {
            word.store(record.main_pid, Ordering::Release);
        }
        let command = record.command();
        let word = command.and_then(|command| self.command_word(id, record.commands, command));
        if let Some(word) = word {
            word.store(record.command_pid, Ordering::Release);
        }
    }

    fn pid_word(&self, id: ServiceId, pid: usize, life: usize, tag: u32) -> Option<&'a AtomicU32> {
        // First the process id, which belongs to the life before; then the new life.
        self.store(id, pid, 0);
        self.store(id, life, tag);
        self.words.get(self.at(id)?.checked_add(pid)?)
    }

    fn store(&self, id: ServiceId, offset: usize, value: u32) {
        let index = self.at(id).and_then(|at| at.checked_add(offset));
        if let Some(word) = index.and_then(|index| self.words.get(index)) {
            word.store(value, Ordering::Release);
        }
    }
}

/// Never 0, which is what a new table is full of; a life's number fits 30 bits for good.
fn main_tag(life: Incarnation) -> u32 {
    life.0.wrapping_shl(2) | 3
}

fn command_tag(ended: u32, command: Command) -> u32 {
    let kind = match command {
        Command::Stop => 1,
        Command::Reload => 2,
        Command::Finish => 3,
    };
    ended.wrapping_shl(2) | kind
}

#[cfg(test)]
mod tests;
