//! New lines, as they come: the kernel tells which directories changed (inotify), and only those
//! are looked at. Nothing is lost across a rotation, however many happen between two looks.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

use super::{Chain, Error, Head, Line, Reader, names};

/// What is there, then what comes.
pub struct Follow {
    reader: Reader,
    inotify: OwnedFd,
    /// The logs' sources, by watch.
    watched: BTreeMap<i32, usize>,
    /// Sources that may have new lines.
    changed: BTreeSet<usize>,
    /// Everything that was there before has been returned.
    caught_up: bool,
}

impl Follow {
    pub(super) fn new(reader: Reader) -> Result<Self, Error> {
        let logs = reader.logs.clone();
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|errno| watch_error(&logs, errno))?;
        inotify::add_watch(&inotify, &logs, WatchFlags::CREATE | WatchFlags::MOVED_TO)
            .map_err(|errno| watch_error(&logs, errno))?;
        let mut follow = Self {
            reader,
            inotify,
            watched: BTreeMap::new(),
            changed: BTreeSet::new(),
            caught_up: false,
        };
        for source in 0..follow.reader.sources.len() {
            follow.watch(source)?;
        }
        // A log that came into being between the list and the watch.
        follow.look_for_new_logs()?;
        Ok(follow)
    }

    /// The next line that is there; `None`: there is none now.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next_line(&mut self) -> Result<Option<Line>, Error> {
        if !self.caught_up {
            if let Some(line) = self.reader.next() {
                return line.map(Some);
            }
            self.caught_up = true;
        }
        // With `Query::last` the reader has returned all that it had merged.
        while let Some(source) = self.changed.pop_first() {
            self.load(source)?;
        }
        self.reader.merge()
    }

    /// Waits until there may be new lines, or the time is over (`false`).
    ///
    /// # Errors
    /// Waiting is not possible.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<bool, Error> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(true),
            Err(errno) => return Err(watch_error(&self.reader.logs, errno)),
        }
        self.take_events()?;
        Ok(true)
    }

    /// Puts the next line of a source among the heads, if it has none there.
    fn load(&mut self, source: usize) -> Result<(), Error> {
        if self.reader.heads.iter().any(|Reverse(head)| head.source == source) {
            return Ok(());
        }
        let Some(chain) = self.reader.sources.get_mut(source) else { return Ok(()) };
        if let Some((at, line)) = chain.next_line(false)? {
            self.reader.heads.push(Reverse(Head { at, source, line }));
        }
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), Error> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        let (mut new_log, mut all) = (false, false);
        loop {
            match events.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => all = true,
                Ok(event) => match self.watched.get(&event.wd()) {
                    Some(source) => {
                        self.changed.insert(*source);
                    }
                    None => new_log = true,
                },
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(watch_error(&self.reader.logs, errno)),
            }
        }
        if all {
            self.changed.extend(0..self.reader.sources.len());
        }
        if new_log || all {
            self.look_for_new_logs()?;
        }
        Ok(())
    }

    /// Logs of services that had none, or whose directory was not there yet.
    fn look_for_new_logs(&mut self) -> Result<(), Error> {
        let watched: BTreeSet<usize> = self.watched.values().copied().collect();
        for source in 0..self.reader.sources.len() {
            if !watched.contains(&source) {
                self.watch(source)?;
            }
        }
        if !self.reader.query.services.is_empty() {
            return Ok(());
        }
        for name in super::present(&self.reader.logs)? {
            if self.reader.sources.iter().any(|chain| chain.name() == name) || !names::is_log(&name)
            {
                continue;
            }
            // It is new: all of it is.
            let mut query = self.reader.query.clone();
            query.last = None;
            let chain = Chain::open(&self.reader.logs, &name, &query)?;
            self.reader.sources.push(chain);
            self.watch(self.reader.sources.len().saturating_sub(1))?;
        }
        Ok(())
    }

    /// Watches a source's directory, if it is there; what it holds already counts as new.
    fn watch(&mut self, source: usize) -> Result<(), Error> {
        let Some(chain) = self.reader.sources.get(source) else { return Ok(()) };
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        match inotify::add_watch(&self.inotify, chain.directory(), flags | WatchFlags::ONLYDIR) {
            Ok(watch) => {
                self.watched.insert(watch, source);
                self.changed.insert(source);
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(watch_error(chain.directory(), errno)),
        }
    }
}

impl AsFd for Follow {
    /// Readable when [`Follow::wait`] would return at once.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn watch_error(path: &Path, errno: Errno) -> Error {
    Error::Watch { path: path.to_owned(), source: io::Error::from(errno) }
}
