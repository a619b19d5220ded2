//! Everything of `cooper-log` that touches the system. What it decides, it asks the library.

mod daemon;
mod journal;
mod service;
mod settings;
mod signals;
mod store;
mod tap;
mod timers;
mod watch;

use std::{
    env, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use daemon::Daemon;

/// Where things are.
pub struct Paths {
    /// The FIFOs' parent, and the graph's.
    run: PathBuf,
    /// The log files' directories.
    logs: PathBuf,
}

impl Paths {
    /// The system's, or what the environment names instead.
    pub fn from_environment() -> Self {
        let path = |name, default: &str| PathBuf::from(env::var_os(name).unwrap_or(default.into()));
        Self {
            run: path("COOPER_RUN", wire::paths::RUN),
            logs: path("COOPER_LOGS", wire::paths::LOGS),
        }
    }

    fn fifos(&self) -> PathBuf {
        self.run.join(wire::paths::LOG)
    }

    fn graph(&self) -> PathBuf {
        self.run.join(wire::paths::GRAPH)
    }

    fn journal(&self) -> PathBuf {
        self.run.join(wire::paths::LOG_JOURNAL)
    }
}

/// What could not be done, to what, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}: {}", path.display(), reason(source))]
pub struct Failed {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Failed {
    /// For `map_err`.
    fn to(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { verb, path: path.to_owned(), source }
    }
}

/// An error's text without the number, in lower case.
fn reason(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Writes a message to standard error, unless that would block: it may be the catch-all's FIFO,
/// which only we empty.
pub fn say(message: &str) {
    let stderr = io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let writable = poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0);
    // At most PIPE_BUF bytes go in whole or, where POLLOUT is said, do not wait.
    let bytes = message.as_bytes();
    if writable && bytes.len() <= 4096 {
        let _ = rustix::io::write(stderr.as_fd(), bytes);
    }
}
