//! The socket, and who may come in.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
};
use sys::message::Sender;
use sys::peer::Peer;

use crate::Error;
use crate::talk::say;

/// The socket, below the run directory.
pub const SOCKET: &str = "login1";
/// A node has one kubelet; an admin may look at it too.
const CLIENTS_MAX: usize = 32;
/// Who connects while we are busy waits; beyond so many, it is refused.
const BACKLOG: i32 = 16;

/// A socket that only we ourselves (root) can reach.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// Held for as long as we live: the directory is ours alone.
    _lock: fs::File,
}

impl Listener {
    /// Makes it, in place of one that a predecessor has left.
    pub fn bind(run: &Path) -> Result<Self, Error> {
        let path = run.join(SOCKET);
        let failed = |errno: Errno| Error::path("make", &path, errno);
        let lock = fs::File::open(run).map_err(|error| Error::path("open", run, error))?;
        let alone = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        alone.map_err(|_| Error::path("use", run, "another login1 does"))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed)?;
        match rustix::fs::unlink(&path) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        // Not a chmod afterwards: it must never have been open to others.
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = SocketAddrUnix::new(&path).and_then(|address| bind(&socket, &address));
        rustix::process::umask(before);
        bound.and_then(|()| listen(&socket, BACKLOG)).map_err(failed)?;
        Ok(Self { socket, _lock: lock })
    }

    /// Lets the next one in, if it may come in and there is room beside `present` others.
    pub fn accept(&self, present: usize) -> Result<Option<(OwnedFd, Sender)>, Error> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = match accept_with(&self.socket, flags) {
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return Ok(None),
            accepted => accepted.map_err(|errno| Error::system("accept a client", errno))?,
        };
        let Ok(Peer { id, .. }) = Peer::of(&socket) else { return Ok(None) };
        if id.uid != rustix::process::geteuid().as_raw() {
            say(format_args!("warning: process {} of user {} is refused", id.pid, id.uid));
            return Ok(None);
        }
        if present >= CLIENTS_MAX {
            say(format_args!("warning: process {} is refused: too many clients", id.pid));
            return Ok(None);
        }
        Ok(Some((socket, id)))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
