//! One log: from its FIFO to its files, a bounded piece at a time.
//!
//! **Invariant:** a byte leaves the FIFO only when the line it belongs to is in a file, or is
//! counted as lost.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use cooper_log::{Cut, Lost, Rate, Record, Rules, Stamp, Stop, cut, loss_line};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionread,
};

use super::{
    journal::Journal,
    reason, say,
    settings::Settings,
    store::{Current, Store},
    tap::Tap,
};

/// Written at once. Lines are longer in the file than in the FIFO, so this, not the FIFO's size,
/// ends most turns of a service that writes much.
const BATCH: usize = 64 * 1024;
/// The beginning of a line waits so long for its end; then it is shown as it is. s6-log waits as
/// long when it ends.
pub(super) const PARTIAL_WAIT: Duration = Duration::from_secs(2);

/// What all services share.
pub(super) struct Shared {
    pub(super) logs: PathBuf,
    pub(super) journal: Journal,
    pub(super) tap: Tap,
    /// Lines to be written.
    pub(super) out: Vec<u8>,
}

/// One log.
pub(super) struct Service {
    pub(super) name: Box<str>,
    pub(super) fifo: File,
    pub(super) fifo_id: (u64, u64),
    pub(super) settings: Rc<Settings>,
    pub(super) store: Store,
    rate: Rate,
    /// Dropped for their rate, and not yet reported.
    rate_lost: Lost,
    /// Dropped because neither disk nor FIFO could take them, and not yet reported.
    disk_lost: Lost,
    /// Why nothing can be written at present.
    held: Option<String>,
    /// Why those of `disk_lost` were.
    disk_reason: String,
    /// Since when the FIFO begins with the line that it holds the beginning of.
    partial: Option<Instant>,
    /// A timer for it is set.
    pub(super) partial_timer: bool,
    /// Is in the queue.
    pub(super) queued: bool,
    /// Its FIFO was removed: it ends once it is empty.
    pub(super) gone: bool,
    /// When it last had a turn, in turns.
    pub(super) used: u64,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// Nothing more to do until the service writes again.
    Idle,
    /// As idle, but the beginning of a line is left.
    Partial,
    /// There is more.
    More,
    /// Nothing can be written.
    Held,
}

impl Service {
    pub(super) fn new(name: &str, fifo: File, fifo_id: (u64, u64), settings: Rc<Settings>) -> Self {
        Self {
            name: name.into(),
            fifo,
            fifo_id,
            settings,
            store: Store::new(),
            rate: Rate::default(),
            rate_lost: Lost::default(),
            disk_lost: Lost::default(),
            held: None,
            disk_reason: String::new(),
            partial: None,
            partial_timer: false,
            queued: false,
            gone: false,
            used: 0,
        }
    }

    /// Takes over the files and the losses of a service of the same name, whose FIFO is gone.
    pub(super) fn inherit(&mut self, old: Self) {
        self.store = old.store;
        self.disk_lost = old.disk_lost;
        self.disk_reason = old.disk_reason;
        self.rate_lost = old.rate_lost;
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Lines were dropped for their rate, and nothing says so yet.
    pub(super) fn owes_notice(&self) -> bool {
        !self.rate_lost.is_none()
    }

    /// How long the beginning of a line has yet to wait.
    pub(super) fn partial_wait(&self) -> Option<Duration> {
        Some(PARTIAL_WAIT.saturating_sub(self.partial?.elapsed()))
    }

    /// Moves at most one chunk from the FIFO to the file. `flush`: the beginning of a line, and
    /// what was lost a moment ago, are written as well.
    pub(super) fn turn(&mut self, shared: &mut Shared, flush: bool) -> Turn {
        let directory = shared.logs.join(&*self.name);
        match self.try_turn(shared, &directory, flush) {
            Ok(turn) => {
                if self.held.take().is_some() {
                    say(&format!("cooper-log {}: info: writes again\n", self.name));
                }
                turn
            }
            Err(error) => {
                self.hold(&directory, &error);
                self.relieve(&mut shared.tap);
                Turn::Held
            }
        }
    }

    /// While nothing can be written: if the FIFO is full and its service is not to wait, what the
    /// FIFO holds is dropped and counted.
    pub(super) fn relieve(&mut self, tap: &mut Tap) {
        while !self.settings.block && is_full(&self.fifo) {
            let Ok(seen) = tap.look(&self.fifo) else { return };
            // The beginning of a line stays, unless it is all there is.
            let end = memchr::memrchr(b'\n', seen).map_or(seen.len(), |at| at.saturating_add(1));
            let lost = Lost::of(seen.get(..end).unwrap_or_default());
            if lost.is_none() || tap.discard(&self.fifo, end).is_err() {
                return;
            }
            self.disk_lost.add(lost);
        }
    }

    /// Counts what is left in the FIFO as lost.
    pub(super) fn abandon(&mut self, tap: &mut Tap) {
        if let Ok(seen) = tap.look(&self.fifo) {
            self.disk_lost.add(Lost::of(seen));
        }
    }

    /// Ends `current`, for SIGUSR1.
    pub(super) fn rotate(&mut self, logs: &Path) -> io::Result<()> {
        let directory = logs.join(&*self.name);
        if self.store.is_open() || directory.join(cooper_log::names::CURRENT).exists() {
            self.store.rotate(&directory, &self.settings.limits, Stamp::now())?;
        }
        Ok(())
    }

    fn try_turn(&mut self, shared: &mut Shared, directory: &Path, flush: bool) -> io::Result<Turn> {
        let now = Stamp::now();
        self.report_losses(directory, now, flush)?;
        let seen = shared.tap.look(&self.fifo)?;
        if seen.is_empty() {
            self.partial = None;
            return Ok(Turn::Idle);
        }
        let limits = self.settings.limits;
        let mut rules = self.rules(flush);
        let mut rate = self.rate;
        shared.out.clear();
        let mut length = self.store.current(directory, &limits, now)?.length;
        rules.out_max = batch(limits.room(length));
        let mut done = cut(seen, now, &rules, &mut rate, &mut shared.out);
        if done.take == 0 && done.stop == Stop::Full {
            self.store.rotate(directory, &limits, now)?;
            length = self.store.current(directory, &limits, now)?.length;
            rules.out_max = batch(limits.room(length));
            done = cut(seen, now, &rules, &mut rate, &mut shared.out);
        }
        if done.take > 0 {
            let incoming = u64::try_from(shared.out.len()).unwrap_or(u64::MAX);
            self.store.make_room(directory, &limits, incoming, now)?;
            let batch = Batch { now, rules, done };
            self.write(shared, directory, &batch)?;
            self.rate = rate;
            self.rate_lost.add(done.lost);
        }
        Ok(self.outcome(&done, shared))
    }

    /// The batch in `shared.out`, exactly once.
    fn write(&mut self, shared: &mut Shared, directory: &Path, batch: &Batch) -> io::Result<()> {
        let Shared { journal, tap, out, .. } = shared;
        let current = self.store.current(directory, &self.settings.limits, batch.now)?;
        let record = Record {
            name: (*self.name).to_owned(),
            fifo: self.fifo_id,
            file: current.id,
            before: current.length,
            out: u64::try_from(out.len()).unwrap_or(u64::MAX),
            take: u64::try_from(batch.done.take).unwrap_or(u64::MAX),
            stamp: batch.now,
            rules: batch.rules,
            rate: self.rate,
        };
        journal.begin(&record);
        match current.append(out, batch.now) {
            Ok(()) => journal.consume(&self.fifo, record.take, tap),
            Err((written, error)) => {
                self.salvage(shared, directory, record, written)?;
                Err(error)
            }
        }
    }

    /// The disk took only so many bytes of a batch: keeps the whole lines among them.
    fn salvage(
        &mut self,
        shared: &mut Shared,
        directory: &Path,
        mut record: Record,
        written: u64,
    ) -> io::Result<()> {
        let Shared { journal, tap, out, .. } = shared;
        let mut rules = record.rules;
        rules.out_max = usize::try_from(written).unwrap_or(usize::MAX);
        let mut rate = self.rate;
        out.clear();
        let seen = tap.look(&self.fifo)?;
        let take = usize::try_from(record.take).unwrap_or(usize::MAX);
        let seen = seen.get(..take).unwrap_or(seen);
        let done = cut(seen, record.stamp, &rules, &mut rate, out);
        record.out = u64::try_from(out.len()).unwrap_or(u64::MAX);
        record.take = u64::try_from(done.take).unwrap_or(u64::MAX);
        let current = self.store.current(directory, &self.settings.limits, record.stamp)?;
        let shortened = current.cut_to(record.before.saturating_add(record.out));
        journal.begin(&record);
        journal.consume(&self.fifo, record.take, tap)?;
        self.rate = rate;
        self.rate_lost.add(done.lost);
        shortened
    }

    /// What is left to do after a batch.
    fn outcome(&mut self, done: &Cut, shared: &Shared) -> Turn {
        let left = ioctl_fionread(&self.fifo).unwrap_or(0);
        match done.stop {
            Stop::Full => Turn::More,
            Stop::End if left > 0 => Turn::More,
            Stop::End => {
                self.partial = None;
                Turn::Idle
            }
            Stop::Partial => {
                if done.take > 0 || self.partial.is_none() {
                    self.partial = Some(Instant::now());
                }
                // What comes from now on is announced; this is what the look did not reach.
                let rest = shared.tap.seen().saturating_sub(done.take);
                if done.take > 0 && left > u64::try_from(rest).unwrap_or(u64::MAX) {
                    Turn::More
                } else {
                    Turn::Partial
                }
            }
        }
    }

    /// Lines that say what is missing, where it is missing.
    fn report_losses(&mut self, directory: &Path, now: Stamp, flush: bool) -> io::Result<()> {
        if !self.disk_lost.is_none() {
            let line = loss_line(self.disk_lost, &self.disk_reason);
            self.append_line(directory, now, &line)?;
            self.disk_lost = Lost::default();
        }
        if !self.rate_lost.is_none() && (flush || self.rate.second != now.second()) {
            let why = format!("more than {} lines per second", self.settings.rate_max);
            self.append_line(directory, now, &loss_line(self.rate_lost, &why))?;
            self.rate_lost = Lost::default();
        }
        Ok(())
    }

    /// A line of our own.
    fn append_line(&mut self, directory: &Path, now: Stamp, text: &str) -> io::Result<()> {
        let mut line = Vec::with_capacity(text.len().saturating_add(Stamp::LEN));
        let rules = Rules { rate_max: 0, out_max: usize::MAX, ..self.rules(true) };
        let _ = cut(text.as_bytes(), now, &rules, &mut Rate::default(), &mut line);
        let limits = self.settings.limits;
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.store.current(directory, &limits, now)?.length.saturating_add(length)
            > limits.file_size
        {
            self.store.rotate(directory, &limits, now)?;
        }
        self.store.make_room(directory, &limits, length, now)?;
        let current = self.store.current(directory, &limits, now)?;
        let before = current.length;
        current.append(&line, now).map_err(|(_, error)| take_back(current, before, error))
    }

    fn rules(&self, flush: bool) -> Rules {
        Rules {
            timestamps: self.settings.timestamps,
            rate_max: self.settings.rate_max,
            flush,
            out_max: BATCH,
        }
    }

    fn hold(&mut self, directory: &Path, error: &io::Error) {
        let why = reason(error);
        if self.held.as_deref() != Some(&*why) {
            say(&format!(
                "cooper-log {}: warning: cannot write to {}: {why}; holding, trying again every \
                 second\n",
                self.name,
                directory.display()
            ));
            self.disk_reason.clone_from(&why);
            self.held = Some(why);
        }
        // Whatever is wrong, a fresh look at the files is part of trying again.
        self.store.forget();
    }
}

/// What `write` must know of a batch, to be able to do it again.
struct Batch {
    now: Stamp,
    rules: Rules,
    done: Cut,
}

/// A batch never exceeds what the file may yet hold.
fn batch(room: u64) -> usize {
    usize::try_from(room).unwrap_or(usize::MAX).min(BATCH)
}

fn take_back(current: &mut Current, length: u64, error: io::Error) -> io::Error {
    // If this fails too, the half line is ended when the file is opened again.
    let _ = current.cut_to(length);
    error
}

/// Whether a writer would have to wait.
fn is_full(fifo: &File) -> bool {
    let mut fds = [PollFd::new(fifo, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready == 0)
}
