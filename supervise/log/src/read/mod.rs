//! Reading logs back: by service, by time, the last lines, several merged, followed.
//!
//! It needs nothing but read access to the files: neither `cooper-log` nor `supervise` must run.
//! Lines of one service come in the order in which they were written; lines of several are merged
//! by their times. A line without a time counts as of the same time as the one before it.

mod chain;
mod follow;
mod render;
mod search;
mod time;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    io,
    path::{Path, PathBuf},
    rc::Rc,
};

use crate::{Stamp, names};

use chain::Chain;

pub use follow::Follow;
pub use render::render;
pub use time::{TimeError, parse_time};

/// What to read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// These logs; empty: every log there is.
    pub services: Vec<String>,
    /// Lines of this moment or later.
    pub since: Option<Stamp>,
    /// Lines before this moment.
    pub until: Option<Stamp>,
    /// Of these, only the last so many.
    pub last: Option<usize>,
    /// [`Reader::follow`] will be called: a line without its end is left for later, and a named
    /// log need not exist yet.
    pub follow: bool,
}

/// A line of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Whose.
    pub service: Rc<str>,
    /// When it was written; `None` in a log without timestamps.
    pub stamp: Option<Stamp>,
    /// The text: bytes as they came, without stamp and newline. [`render()`] makes it safe to show.
    pub text: Vec<u8>,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory.
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such log.
    #[error("cannot read the log of {name}: there is none in {}", logs.display())]
    NoLog {
        /// Its name.
        name: String,
        /// Where logs are.
        logs: PathBuf,
    },
    /// Following is not possible.
    #[error("cannot watch {}: {}", path.display(), reason(source))]
    Watch {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The lines that are there now, in order.
pub struct Reader {
    logs: PathBuf,
    query: Query,
    sources: Vec<Chain>,
    /// The next line of each source that has one, the earliest on top.
    heads: BinaryHeap<Reverse<Head>>,
    /// With `Query::last`: the lines that are left of it.
    tail: Option<VecDeque<Line>>,
}

impl Reader {
    /// Opens the logs below the directory `logs`.
    ///
    /// # Errors
    /// A service that is named in the query has no log, or a file cannot be opened.
    pub fn open(logs: &Path, query: Query) -> Result<Self, Error> {
        raise_nofile_limit();
        let mut sources = Vec::new();
        for name in wanted(logs, &query)? {
            sources.push(Chain::open(logs, &name, &query)?);
        }
        let mut heads = BinaryHeap::with_capacity(sources.len());
        for (source, chain) in sources.iter_mut().enumerate() {
            if let Some((at, line)) = chain.next_line(!query.follow)? {
                heads.push(Reverse(Head { at, source, line }));
            }
        }
        Ok(Self { logs: logs.to_owned(), query, sources, heads, tail: None })
    }

    /// Goes on with what is written from now on; lines that this reader has not yet returned come
    /// first.
    ///
    /// # Errors
    /// The directory cannot be watched.
    pub fn follow(self) -> Result<Follow, Error> {
        Follow::new(self)
    }

    /// The earliest line of all sources.
    fn merge(&mut self) -> Result<Option<Line>, Error> {
        let Some(Reverse(head)) = self.heads.pop() else { return Ok(None) };
        if let Some(chain) = self.sources.get_mut(head.source) {
            if let Some((at, line)) = chain.next_line(!self.query.follow)? {
                self.heads.push(Reverse(Head { at, source: head.source, line }));
            }
        }
        Ok(Some(head.line))
    }

    /// Reads all there is, to know which lines are the last.
    fn collect_last(&mut self, last: usize) -> Result<VecDeque<Line>, Error> {
        let mut tail = VecDeque::new();
        while let Some(line) = self.merge()? {
            tail.push_back(line);
            if tail.len() > last {
                tail.pop_front();
            }
        }
        Ok(tail)
    }
}

impl Iterator for Reader {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(last) = self.query.last else { return self.merge().transpose() };
        if self.tail.is_none() {
            match self.collect_last(last) {
                Ok(tail) => self.tail = Some(tail),
                Err(error) => return Some(Err(error)),
            }
        }
        self.tail.as_mut().and_then(VecDeque::pop_front).map(Ok)
    }
}

/// The next line of a source. Of equal times, that of the first source comes first.
struct Head {
    at: Stamp,
    source: usize,
    line: Line,
}

impl Head {
    fn key(&self) -> (Stamp, usize) {
        (self.at, self.source)
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Head {}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

/// The names of the logs that the query asks for, sorted.
fn wanted(logs: &Path, query: &Query) -> Result<Vec<String>, Error> {
    if query.services.is_empty() {
        return present(logs);
    }
    let mut wanted = query.services.clone();
    wanted.sort_unstable();
    wanted.dedup();
    for name in &wanted {
        if !names::is_log(name) || !(query.follow || logs.join(name).is_dir()) {
            return Err(Error::NoLog { name: name.clone(), logs: logs.to_owned() });
        }
    }
    Ok(wanted)
}

/// The names of all logs, sorted.
fn present(logs: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Read { path: logs.to_owned(), source };
    let mut names = Vec::new();
    for entry in logs.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().into_string() {
            if names::is_log(&name) && entry.path().is_dir() {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// One descriptor for each log may be more than a shell's soft limit.
fn raise_nofile_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without it, a node of more than a thousand services says that it cannot open the next file.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// An error without std's "(os error 2)", in lower case.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
