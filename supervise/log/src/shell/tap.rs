//! Looking into a FIFO without taking anything out of it.
//!
//! tee(2) duplicates references to the FIFO's pages into a pipe of our own, and that is read. The
//! FIFO keeps its bytes until the journal has seen them written.

use std::io;

use rustix::{
    fd::{AsFd, OwnedFd},
    io::Errno,
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, tee},
};

/// Looked at in one turn; so much of one service, then it is the next one's turn.
pub(super) const CHUNK: usize = 64 * 1024;
/// More pages than a FIFO has by default (16), so that a look sees all of it.
const PIPE_SIZE: usize = 1024 * 1024;

/// The pipe and the buffer that all services share.
pub(super) struct Tap {
    source: OwnedFd,
    sink: OwnedFd,
    nowhere: OwnedFd,
    buffer: Vec<u8>,
    /// How much of it the last look filled.
    seen: usize,
}

impl Tap {
    pub(super) fn new() -> io::Result<Self> {
        let (source, sink) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Not granted (too many pipes): a look sees 16 pages.
        let _ = fcntl_setpipe_size(&sink, PIPE_SIZE);
        let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null")?.into();
        Ok(Self { source, sink, nowhere, buffer: vec![0; CHUNK], seen: 0 })
    }

    /// What the FIFO holds, up to a chunk of it.
    pub(super) fn look(&mut self, fifo: impl AsFd) -> io::Result<&[u8]> {
        let seen = loop {
            match tee(&fifo, &self.sink, CHUNK, SpliceFlags::NONBLOCK) {
                Ok(seen) => break seen,
                Err(Errno::AGAIN) => break 0,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        let mut length = 0;
        while length < seen {
            let space = self.buffer.get_mut(length..seen).unwrap_or_default();
            match rustix::io::read(&self.source, space) {
                Ok(0) => break,
                Ok(got) => length = length.saturating_add(got),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        self.seen = length;
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    /// How much the last look saw.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// Takes bytes out of the FIFO and forgets them.
    pub(super) fn discard(&self, fifo: impl AsFd, length: usize) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            match splice(&fifo, None, &self.nowhere, None, left, SpliceFlags::NONBLOCK) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(gone) => left = left.saturating_sub(gone),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}
