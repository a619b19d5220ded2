//! What each descriptor in the loop is.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use graph::ServiceId;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

/// A descriptor's meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The link to init.
    Link,
    /// The sd_notify socket.
    Notify,
    /// The watch over cgroups that shall become empty.
    Empty,
    /// The control socket.
    Listener,
    /// A client of it.
    Client,
    /// A process of this service between clone and exec.
    Report(ServiceId),
    /// This service's readiness FIFO.
    Fifo(ServiceId),
    /// A probe of this service.
    Probe(ServiceId),
}

/// Tokens and what they stand for. A token is never used again, so that an event for a descriptor
/// that was closed in the same round finds nothing.
#[derive(Debug, Default)]
pub struct Sources {
    next: usize,
    sources: BTreeMap<usize, Source>,
}

impl Sources {
    /// Watches `fd` until it is closed (which ends the watch in the kernel) and [`Sources::forget`]
    /// is called.
    pub fn watch(
        &mut self,
        registry: &Registry,
        fd: &impl AsFd,
        source: Source,
        interest: Interest,
    ) -> io::Result<Token> {
        let token = Token(self.next);
        registry.register(&mut SourceFd(&fd.as_fd().as_raw_fd()), token, interest)?;
        self.next = self.next.wrapping_add(1);
        self.sources.insert(token.0, source);
        Ok(token)
    }

    /// What `token` stands for, if it still does.
    pub fn source(&self, token: Token) -> Option<Source> {
        self.sources.get(&token.0).copied()
    }

    /// Its descriptor is about to be closed.
    pub fn forget(&mut self, token: Token) {
        self.sources.remove(&token.0);
    }
}
