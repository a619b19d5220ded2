//! One service's files as one stream of lines: the rotated ones, oldest first, then `current`, and
//! on across every rotation that happens while it is read.
//!
//! **Invariant:** a file is left only once a newer one exists *and* it has then been read to its
//! end: `cooper-log` writes nothing to a file that it has rotated.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{Error, Line, Query, search};
use crate::{Stamp, lost::count, names, record::FileId};

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// See the module's head.
pub(super) struct Chain {
    service: Rc<str>,
    directory: PathBuf,
    since: Option<Stamp>,
    until: Option<Stamp>,
    /// A line at or after `until` was seen.
    over: bool,
    /// The file being read.
    open: Option<Open>,
    /// Rotated files that come after it.
    later: VecDeque<Stamp>,
    /// What was `current` when they were listed; comes after them.
    newest: Option<Open>,
    /// The time of the last line.
    at: Stamp,
}

impl Chain {
    /// Opens a log at the place where the query begins; it need not exist yet.
    pub(super) fn open(logs: &Path, name: &str, query: &Query) -> Result<Self, Error> {
        let mut chain = Self {
            service: name.into(),
            directory: logs.join(name),
            since: query.since,
            until: query.until,
            over: false,
            open: None,
            later: VecDeque::new(),
            newest: None,
            at: Stamp(0),
        };
        let (mut past, mut newest) = chain.list(None)?;
        past.retain(|at| query.since.is_none_or(|since| *at >= since));
        // Before `until`, the last lines are not at the end of the files.
        if let Some(last) = query.last.filter(|_| query.until.is_none()) {
            chain.open = chain.skip_to_last(last, &mut past, &mut newest)?;
        }
        chain.later = past;
        chain.newest = newest;
        if chain.open.is_some() || chain.next_listed()? {
            chain.skip_to_since()?;
        }
        Ok(chain)
    }

    /// The next line, with the time it counts as of. With `to_end`, what follows the last newline
    /// is a line as well.
    pub(super) fn next_line(&mut self, to_end: bool) -> Result<Option<(Stamp, Line)>, Error> {
        while !self.over {
            let Some(text) = self.next_text(to_end)? else { return Ok(None) };
            let (stamp, text) = split(text);
            self.at = stamp.unwrap_or(self.at);
            self.over = self.until.is_some_and(|until| self.at >= until);
            let early = stamp.is_some() && self.since.is_some_and(|since| self.at < since);
            if !early && !self.over {
                let line = Line { service: Rc::clone(&self.service), stamp, text };
                return Ok(Some((self.at, line)));
            }
        }
        Ok(None)
    }

    /// Its directory, to watch.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its service's name.
    pub(super) fn name(&self) -> &str {
        &self.service
    }

    fn next_text(&mut self, to_end: bool) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(line) = open.line()? {
                    return Ok(Some(line));
                }
                let last = self.later.is_empty() && self.newest.is_none();
                if last && !open.is_rotated()? {
                    if to_end {
                        return Ok(open.rest());
                    }
                    open.unread();
                    return Ok(None);
                }
                // What was written between the last look and the rotation.
                if let Some(line) = open.line()? {
                    return Ok(Some(line));
                }
                if let Some(rest) = open.rest() {
                    return Ok(Some(rest));
                }
            }
            if !self.next_listed()? && !self.next_unlisted()? {
                return Ok(None);
            }
        }
    }

    /// Moves on to a file that was listed before. One that has been deleted in the meantime is
    /// passed over: its lines are gone.
    fn next_listed(&mut self) -> Result<bool, Error> {
        while let Some(at) = self.later.pop_front() {
            if let Some(open) = self.open_file(&names::rotated(at))? {
                self.open = Some(open);
                return Ok(true);
            }
        }
        let Some(newest) = self.newest.take() else { return Ok(false) };
        self.open = Some(newest);
        Ok(true)
    }

    /// Moves on to a file that has come into being since.
    fn next_unlisted(&mut self) -> Result<bool, Error> {
        // The file just read stays open until here, so that no other one gets its inode number.
        let (past, newest) = self.list(self.open.as_ref().map(|open| open.id))?;
        self.later = past;
        self.newest = newest;
        self.next_listed()
    }

    /// The rotated files after the one given (all, if it is not there any more), and `current`.
    fn list(&self, after: Option<FileId>) -> Result<(VecDeque<Stamp>, Option<Open>), Error> {
        // First `current`, then the others: a file that is rotated in between is found twice, and
        // none is missed.
        let newest = self.open_file(names::CURRENT)?;
        let mut past = self.rotated()?;
        let newest_id = newest.as_ref().map(|open| open.id);
        if let Some(place) = self.place(&past, newest_id)? {
            past.truncate(place);
        }
        if let Some(place) = self.place(&past, after)? {
            past.drain(..=place);
        }
        Ok((past, newest))
    }

    /// All rotated files, sorted.
    fn rotated(&self) -> Result<VecDeque<Stamp>, Error> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(VecDeque::new()),
            Err(e) => return Err(failed(&self.directory, e)),
        };
        let mut past = Vec::new();
        for entry in entries {
            let name = entry.map_err(|e| failed(&self.directory, e))?.file_name();
            past.extend(name.to_str().and_then(names::rotated_at));
        }
        past.sort_unstable();
        Ok(past.into())
    }

    /// Which of these rotated files has this identity.
    fn place(&self, past: &VecDeque<Stamp>, id: Option<FileId>) -> Result<Option<usize>, Error> {
        let Some(id) = id else { return Ok(None) };
        for (place, at) in past.iter().enumerate() {
            let path = self.directory.join(names::rotated(*at));
            match fs::metadata(&path) {
                Ok(data) if (data.dev(), data.ino()) == id => return Ok(Some(place)),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed(&path, e)),
            }
        }
        Ok(None)
    }

    /// `None`: there is no such file.
    fn open_file(&self, name: &str) -> Result<Option<Open>, Error> {
        let path = self.directory.join(name);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((data, file)) => Ok(Some(Open::new(file, path, (data.dev(), data.ino())))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(&path, e)),
        }
    }

    /// Finds the file with the first of the last lines; removes it, and the older ones, from the
    /// list. `None`: it is in no rotated file.
    fn skip_to_last(
        &self,
        last: usize,
        past: &mut VecDeque<Stamp>,
        newest: &mut Option<Open>,
    ) -> Result<Option<Open>, Error> {
        let mut missing = last;
        if let Some(open) = newest {
            missing = missing.saturating_sub(open.seek_last(missing)?);
        }
        let (mut first, mut later) = (None, VecDeque::new());
        while missing > 0 {
            let Some(at) = past.pop_back() else { break };
            let Some(mut open) = self.open_file(&names::rotated(at))? else { continue };
            missing = missing.saturating_sub(open.seek_last(missing)?);
            later.push_front(at);
            first = Some(open);
        }
        if first.is_some() {
            later.pop_front();
        }
        *past = later;
        Ok(first)
    }

    /// Skips most lines that are too early; `next_line` skips the others.
    fn skip_to_since(&mut self) -> Result<(), Error> {
        let (Some(since), Some(open)) = (self.since, &mut self.open) else { return Ok(()) };
        let from = search::first_since(&open.file, open.size()?, since);
        open.position = open.position.max(from.map_err(|e| failed(&open.path, e))?);
        Ok(())
    }
}

/// A file, and how far it has been read.
struct Open {
    file: File,
    path: PathBuf,
    id: FileId,
    /// Where to read on.
    position: u64,
    /// Read, but not yet handed out.
    buffer: Vec<u8>,
    /// Where the first line in it begins.
    start: usize,
    /// Up to where there is no newline.
    searched: usize,
}

impl Open {
    fn new(file: File, path: PathBuf, id: FileId) -> Self {
        Self { file, path, id, position: 0, buffer: Vec::new(), start: 0, searched: 0 }
    }

    fn size(&self) -> Result<u64, Error> {
        self.file.metadata().map(|data| data.len()).map_err(|e| failed(&self.path, e))
    }

    /// Goes to the place where so many lines, or as many as there are, follow; says how many.
    fn seek_last(&mut self, lines: usize) -> Result<usize, Error> {
        let size = self.size()?;
        let (position, found) =
            search::last_lines(&self.file, size, lines).map_err(|e| failed(&self.path, e))?;
        self.position = position;
        Ok(found)
    }

    /// Whether this file is not `current`, or not any more.
    fn is_rotated(&self) -> Result<bool, Error> {
        let current = self.path.with_file_name(names::CURRENT);
        match fs::metadata(&current) {
            Ok(data) => Ok((data.dev(), data.ino()) != self.id),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(failed(&current, e)),
        }
    }

    /// The next whole line, without its newline.
    fn line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(length) = memchr::memchr(b'\n', unseen) {
                let end = self.searched.saturating_add(length);
                let line = self.buffer.get(self.start..end).unwrap_or_default().to_vec();
                self.start = end.saturating_add(1);
                self.searched = self.start;
                return Ok(Some(line));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            self.searched = self.buffer.len();
            self.buffer.resize(self.searched.saturating_add(CHUNK), 0);
            let space = self.buffer.get_mut(self.searched..).unwrap_or_default();
            let read = retry(|| self.file.read_at(space, self.position));
            let got = *read.as_ref().unwrap_or(&0);
            self.buffer.truncate(self.searched.saturating_add(got));
            if read.map_err(|e| failed(&self.path, e))? == 0 {
                return Ok(None);
            }
            self.position = self.position.saturating_add(count(got));
        }
    }

    /// Forgets what follows the last newline, to read it again: after a crash, `cooper-log` cuts
    /// half a line off and writes it anew.
    fn unread(&mut self) {
        let unread = self.buffer.len().saturating_sub(self.start);
        self.position = self.position.saturating_sub(count(unread));
        self.buffer.clear();
        (self.start, self.searched) = (0, 0);
    }

    /// What follows the last newline.
    fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.buffer.split_off(self.start.min(self.buffer.len()));
        self.buffer.clear();
        (self.start, self.searched) = (0, 0);
        Some(rest).filter(|rest| !rest.is_empty())
    }
}

/// The stamp that a line begins with, and what follows it.
fn split(mut line: Vec<u8>) -> (Option<Stamp>, Vec<u8>) {
    let stamp = search::stamp_of(&line);
    if stamp.is_some() {
        line.drain(..line.len().min(Stamp::LEN.saturating_add(1)));
    }
    (stamp, line)
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Read { path: path.to_owned(), source }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
