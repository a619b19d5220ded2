//! Signals, as bytes in a socket and flags that say which.

use std::{
    io::{self, Read},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    flag, low_level,
};

/// See the module's head.
pub(super) struct Signals {
    socket: UnixStream,
    end: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
    rotate: Arc<AtomicBool>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Drain, and exit.
    pub(super) end: bool,
    /// Open all files anew.
    pub(super) reopen: bool,
    /// Rotate all files.
    pub(super) rotate: bool,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let (socket, wake) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let signals =
            Self { socket, end: Arc::default(), reopen: Arc::default(), rotate: Arc::default() };
        for (signal, asked) in [
            (SIGTERM, &signals.end),
            (SIGINT, &signals.end),
            (SIGHUP, &signals.reopen),
            (SIGUSR1, &signals.rotate),
        ] {
            // First the flag, then the byte: who reads the byte finds the flag.
            flag::register(signal, Arc::clone(asked))?;
            low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Readable once a signal came.
    pub(super) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// What came since the last call.
    pub(super) fn take(&mut self) -> Asked {
        let all = [&self.end, &self.reopen, &self.rotate];
        if !all.iter().any(|flag| flag.load(Ordering::SeqCst)) {
            return Asked::default();
        }
        // First the bytes, then the flags: a signal in between leaves a byte behind, and wakes us
        // for nothing; the other way round it would set a flag that nobody looks at.
        let mut bytes = [0; 64];
        while self.socket.read(&mut bytes).is_ok_and(|got| got > 0) {}
        let taken = |flag: &AtomicBool| flag.swap(false, Ordering::SeqCst);
        Asked { end: taken(&self.end), reopen: taken(&self.reopen), rotate: taken(&self.rotate) }
    }
}
