//! Exactly once, whenever we are killed.
//!
//! For each batch of lines: (1) write down what is about to happen, in `RUN/log-journal`; (2)
//! append the lines to the log file; (3) move the bytes that they stood for out of the FIFO, *to
//! the end of the journal*; (4) truncate the journal. Each step is one system call that either
//! happened or did not, and leaves a trace: the journal's record, the log file's length, the
//! journal's length. A successor reads them and does what is left.
//!
//! Not splice(2) to /dev/null: whether that had happened, nobody could tell afterwards, since the
//! service goes on writing. The journal is on tmpfs: after a power cut there is no FIFO to repeat.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use cooper_log::{Record, cut, names};
use rustix::{
    fd::AsFd,
    fs::{FlockOperation, Mode, OFlags, flock},
    io::Errno,
    pipe::{SpliceFlags, splice},
};

use super::{Failed, Paths, tap::Tap};

/// The journal's file, locked: there is one `cooper-log`.
pub(super) struct Journal {
    file: File,
    /// Bytes that were moved behind the record.
    moved: u64,
    /// The record could be written.
    recorded: bool,
}

impl Journal {
    pub(super) fn open(path: &Path) -> Result<Self, Failed> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(Failed::to("open", path))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| Failed::to("lock", path)(errno.into()))?;
        Ok(Self { file, moved: 0, recorded: false })
    }

    /// Before the lines are appended.
    pub(super) fn begin(&mut self, record: &Record) {
        self.moved = 0;
        // Without a journal (no memory left in RUN) lines are still written: once, unless we are
        // killed right then.
        self.recorded =
            record.encode().is_some_and(|bytes| self.file.write_all_at(&bytes, 0).is_ok());
    }

    /// After they were appended: the FIFO gives up what they stood for.
    pub(super) fn consume(&mut self, fifo: impl AsFd, take: u64, tap: &Tap) -> io::Result<()> {
        while self.recorded && self.moved < take {
            let left = usize::try_from(take.saturating_sub(self.moved)).unwrap_or(usize::MAX);
            let mut at = RECORD_SIZE.saturating_add(self.moved);
            match splice(&fifo, None, &self.file, Some(&mut at), left, SpliceFlags::NONBLOCK) {
                // The FIFO lost its bytes: all who had it open died.
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(moved) => {
                    self.moved = self.moved.saturating_add(u64::try_from(moved).unwrap_or(0));
                }
                Err(Errno::INTR) => {}
                // No memory left in RUN.
                Err(_) => self.recorded = false,
            }
        }
        if !self.recorded {
            let left = take.saturating_sub(self.moved);
            tap.discard(&fifo, usize::try_from(left).unwrap_or(usize::MAX))?;
        }
        self.end();
        Ok(())
    }

    /// There is nothing to repeat.
    pub(super) fn end(&mut self) {
        // tmpfs frees pages here; it cannot fail for want of anything.
        let _ = self.file.set_len(0);
    }

    /// Completes what a predecessor had begun.
    pub(super) fn recover(&mut self, paths: &Paths, tap: &mut Tap) -> Result<(), Failed> {
        let path = paths.journal();
        let mut bytes = [0; Record::SIZE];
        let length = self.file.metadata().map_err(Failed::to("read", &path))?.len();
        let whole = length >= RECORD_SIZE && self.file.read_exact_at(&mut bytes, 0).is_ok();
        let record = Record::decode(&bytes).filter(|_| whole);
        if let Some(record) = record.filter(|record| names::is_log(&record.name)) {
            self.moved = length.saturating_sub(RECORD_SIZE);
            self.recorded = true;
            self.complete(record, paths, tap)?;
        }
        self.end();
        Ok(())
    }

    fn complete(&mut self, record: Record, paths: &Paths, tap: &mut Tap) -> Result<(), Failed> {
        let path = paths.fifos().join(&record.name);
        let fifo = match open_fifo(&path) {
            Ok((fifo, id)) if id == record.fifo => fifo,
            // Another FIFO, or none: what the journal speaks of is gone with the old one.
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(Failed::to("open", &path)(e)),
        };
        let mut record = record;
        if self.moved == 0 && !appended(&mut record, paths, &fifo, tap)? {
            return Ok(());
        }
        if self.moved == 0 {
            self.begin(&record);
        }
        self.consume(&fifo, record.take, tap).map_err(Failed::to("read", &path))
    }
}

const RECORD_SIZE: u64 = 512;
const _: () = assert!(Record::SIZE == 512);

/// A FIFO for reading without waiting, and its identity. Read-write, so that it never ends.
pub(super) fn open_fifo(path: &Path) -> io::Result<(File, (u64, u64))> {
    let is_fifo = |data: &std::fs::Metadata| FileTypeExt::is_fifo(&data.file_type());
    let not_one = || io::Error::from(io::ErrorKind::InvalidInput);
    // Looked at first: a device in its place could do anything when opened.
    if !is_fifo(&path.symlink_metadata()?) {
        return Err(not_one());
    }
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let data = file.metadata()?;
    if !is_fifo(&data) {
        return Err(not_one());
    }
    Ok((file, (data.dev(), data.ino())))
}

/// Whether the lines of this record are in the log file. If some are, the file and the record are
/// cut to those that are there completely: a reader that has seen them sees them only once.
fn appended(
    record: &mut Record,
    paths: &Paths,
    fifo: &File,
    tap: &mut Tap,
) -> Result<bool, Failed> {
    let path = paths.logs.join(&record.name).join(names::CURRENT);
    let file = match OpenOptions::new().write(true).open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(Failed::to("open", &path)(e)),
    };
    let data = file.metadata().map_err(Failed::to("read", &path))?;
    let Some(written) = data.len().checked_sub(record.before) else { return Ok(false) };
    if (data.dev(), data.ino()) != record.file {
        return Ok(false);
    }
    if written >= record.out {
        return Ok(true);
    }
    let seen = tap.look(fifo).map_err(Failed::to("read", &path))?;
    let take = usize::try_from(record.take).unwrap_or(usize::MAX);
    let mut rules = record.rules;
    rules.out_max = usize::try_from(written).unwrap_or(usize::MAX);
    let (mut out, mut rate) = (Vec::new(), record.rate);
    let some = cut(seen.get(..take).unwrap_or(seen), record.stamp, &rules, &mut rate, &mut out);
    record.out = u64::try_from(out.len()).unwrap_or(0);
    record.take = u64::try_from(some.take).unwrap_or(0);
    file.set_len(record.before.saturating_add(record.out)).map_err(Failed::to("cut", &path))?;
    Ok(true)
}
