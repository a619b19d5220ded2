//! The socket to which daemons say that they are ready (`NOTIFY_SOCKET`).
//!
//! Whether the sender is one that may say so is not decided here; the kernel's word on who it is
//! comes with each datagram.

mod fields;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};

use crate::Errno;
use crate::message::{self, Sender};

pub use fields::{Notification, Watchdog};

/// Longer datagrams are not read: systemd's own limit is a page.
pub const DATAGRAM_MAX: usize = 4096;

/// The socket; it never waits.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// One datagram.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub sender: Sender,
    /// What it says; what was cut off says nothing.
    pub text: &'a [u8],
    /// It was too long, and its end is lost.
    pub truncated: bool,
    /// Descriptors that came along: to be closed, for `BARRIER=1` once everything before it has
    /// been dealt with.
    pub descriptors: Vec<OwnedFd>,
}

impl Socket {
    /// Makes the socket at `path`, in place of an older one; everyone may send to it.
    ///
    /// # Errors
    /// What the kernel says; ENAMETOOLONG for a path that does not fit an address.
    pub fn bind(path: &Path) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        // Before it can be reached: a datagram that came earlier would be without a sender.
        rustix::net::sockopt::set_socket_passcred(&socket, true)?;
        match rustix::fs::unlink(path) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        let everyone = rustix::fs::Mode::from_raw_mode(0o666);
        rustix::fs::chmod(path, everyone)?;
        Ok(Self(socket))
    }

    /// The next datagram, if there is one; it is read into `buffer`, of [`DATAGRAM_MAX`] bytes.
    ///
    /// # Errors
    /// What recvmsg(2) says.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<Datagram<'a>>, Errno> {
        let received = match message::receive(&self.0, buffer) {
            Err(Errno::AGAIN) => return Ok(None),
            received => received?,
        };
        let nobody = Sender { pid: 0, uid: u32::MAX, gid: u32::MAX };
        Ok(Some(Datagram {
            sender: received.sender.unwrap_or(nobody),
            text: buffer.get(..received.length).unwrap_or_default(),
            truncated: received.truncated,
            descriptors: received.descriptors,
        }))
    }
}

/// One that another process made and kept for us.
impl From<OwnedFd> for Socket {
    fn from(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn the_sender_and_its_descriptors_are_known() {
        let scratch = Scratch::new();
        let path = scratch.0.join("socket");
        let socket = Socket::bind(&path).unwrap();
        let mut buffer = [0; DATAGRAM_MAX];
        assert!(socket.receive(&mut buffer).unwrap().is_none(), "it does not wait");

        let client = UnixDatagram::unbound().unwrap();
        client.connect(&path).unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        message::send(&client, b"BARRIER=1", Some(write.as_fd())).unwrap();
        drop(write);
        let datagram = socket.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(datagram.text, b"BARRIER=1");
        assert_eq!(datagram.sender.pid, std::process::id());
        assert_eq!(datagram.descriptors.len(), 1);
        let flags = rustix::io::fcntl_getfd(&datagram.descriptors[0]).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        // The client learns that it was dealt with by its pipe's end.
        drop(datagram);
        assert_eq!(rustix::io::read(&read, &mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn a_datagram_that_is_too_long_is_known_to_be_cut() {
        let scratch = Scratch::new();
        let path = scratch.0.join("socket");
        let socket = Socket::bind(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(&[b'x'; DATAGRAM_MAX + 1], &path).unwrap();
        client.send_to(b"", &path).unwrap();
        let mut buffer = [0; DATAGRAM_MAX];
        let datagram = socket.receive(&mut buffer).unwrap().unwrap();
        assert!(datagram.truncated && datagram.text.len() == DATAGRAM_MAX);
        let datagram = socket.receive(&mut buffer).unwrap().unwrap();
        assert!(!datagram.truncated && datagram.text.is_empty());
    }

    #[test]
    fn many_descriptors_are_all_taken_over() {
        let scratch = Scratch::new();
        let path = scratch.0.join("socket");
        let socket = Socket::bind(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.connect(&path).unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        send_many(&client, &[write.as_fd(); 253]);
        drop(write);
        let mut buffer = [0; DATAGRAM_MAX];
        let datagram = socket.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(datagram.descriptors.len(), 253);
        drop(datagram);
        assert_eq!(rustix::io::read(&read, &mut [0; 1]).unwrap(), 0, "none is left open");
    }

    fn send_many(socket: &UnixDatagram, descriptors: &[BorrowedFd<'_>]) {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
        let parts = [std::io::IoSlice::new(b"FDSTORE=1")];
        sendmsg(socket, &parts, &mut control, SendFlags::empty()).unwrap();
    }
}
