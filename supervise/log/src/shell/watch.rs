//! What changes in `RUN`: FIFOs that come and go, and the graph.

use std::{io, mem::MaybeUninit, os::fd::AsFd};

use cooper_log::names;
use rustix::{
    fd::OwnedFd,
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

use super::{Failed, Paths};

/// An inotify instance with two watches.
pub(super) struct Watch {
    pub(super) inotify: OwnedFd,
    fifos: i32,
}

/// What changed.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// A file that may be a FIFO is there.
    Came(String),
    /// A file is not there any more.
    Went(String),
    /// The graph was replaced.
    Graph,
    /// Too much to be told: look at everything.
    Everything,
}

impl Watch {
    pub(super) fn new(paths: &Paths) -> Result<Self, Failed> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|errno| Failed::to("watch", &paths.run)(errno.into()))?;
        let add = |path, flags| {
            inotify::add_watch(&inotify, path, flags)
                .map_err(|errno| Failed::to("watch", path)(errno.into()))
        };
        add(&paths.run, WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE)?;
        let came = WatchFlags::CREATE | WatchFlags::MOVED_TO;
        let went = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
        let fifos = add(&paths.fifos(), came | went)?;
        Ok(Self { inotify, fifos })
    }

    /// Everything that changed since the last call.
    pub(super) fn take(&self) -> io::Result<Vec<Change>> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        let mut changes = Vec::new();
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Ok(changes),
                Err(errno) => return Err(errno.into()),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                changes.push(Change::Everything);
                continue;
            }
            let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) else {
                continue;
            };
            if event.wd() != self.fifos {
                if name == wire::paths::GRAPH {
                    changes.push(Change::Graph);
                }
            } else if names::is_log(name) {
                let went = ReadFlags::DELETE | ReadFlags::MOVED_FROM;
                let name = name.to_owned();
                changes.push(if event.events().intersects(went) {
                    Change::Went(name)
                } else {
                    Change::Came(name)
                });
            }
        }
    }
}
