//! This end of the link to init (`wire::link`): messages, the descriptors that come along, and
//! what has been acknowledged.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tracing::warn;

use wire::link::{FromInit, FromSupervise, Hello, Name, SIZE, VERSION};

use crate::Fatal;

/// Init answers at once, unless the machine is starved; then better late than never.
const PATIENCE: Duration = Duration::from_secs(10);

/// The link.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    /// Arrived while we waited for something else.
    early: VecDeque<FromInit>,
    /// Dealt with, not acknowledged yet.
    handled: u64,
    acknowledged: u64,
    /// We are the first one that init has started: it holds nothing.
    is_first: bool,
}

impl Link {
    /// Takes over the socket and waits for init's first message.
    pub fn open(socket: OwnedFd) -> Result<(Self, Hello), Fatal> {
        let mut link =
            Self { socket, early: VecDeque::new(), handled: 0, acknowledged: 0, is_first: false };
        loop {
            match link.receive_within(PATIENCE)? {
                (FromInit::Hello(hello), _) if hello.version == VERSION => {
                    link.is_first = hello.starts <= 1;
                    return Ok((link, hello));
                }
                (FromInit::Hello(hello), _) => return Err(Fatal::Version(hello.version)),
                (other, _) => link.early.push_back(other),
            }
        }
    }

    /// Everything that arrived before it could be dealt with; by now, whatever the supervisor
    /// before us had not acknowledged is among it.
    pub fn early(&self) -> impl Iterator<Item = &FromInit> {
        self.early.iter()
    }

    /// The next message, without waiting; none if there is none.
    pub fn next(&mut self) -> Result<Option<FromInit>, Fatal> {
        if let Some(message) = self.early.pop_front() {
            return Ok(Some(message));
        }
        // A descriptor that comes along with a late answer is closed here.
        Ok(self.receive()?.map(|(message, _)| message))
    }

    /// The descriptor that init holds under `name`.
    pub fn fetch(&mut self, name: &str) -> Result<Option<OwnedFd>, Fatal> {
        let Some(wanted) = Name::new(name.as_bytes()).filter(|_| !self.is_first) else {
            return Ok(None);
        };
        self.send(&FromSupervise::Fetch { name: wanted }, None);
        loop {
            match self.receive_within(PATIENCE)? {
                (FromInit::Held { name, found }, fd) if name == wanted => {
                    return Ok(fd.filter(|_| found));
                }
                (other, _) => self.early.push_back(other),
            }
        }
    }

    /// Has init keep a descriptor.
    pub fn hold(&self, name: &str, fd: BorrowedFd<'_>) {
        match Name::new(name.as_bytes()) {
            Some(name) => self.send(&FromSupervise::Hold { name }, Some(fd)),
            None => warn!("cannot have init hold {name}: its name is too long"),
        }
    }

    /// Has init close what it holds under `name`.
    pub fn release(&self, name: &str) {
        if let Some(name) = Name::new(name.as_bytes()) {
            self.send(&FromSupervise::Drop { name }, None);
        }
    }

    /// `seq` has been dealt with and recorded.
    pub fn handled(&mut self, seq: u64) {
        self.handled = self.handled.max(seq);
    }

    /// Acknowledges everything that was dealt with.
    pub fn acknowledge(&mut self) {
        if self.handled > self.acknowledged {
            self.send(&FromSupervise::Ack { seq: self.handled }, None);
            self.acknowledged = self.handled;
        }
    }

    /// Sends one message. Init is always there and never waits for us, so a full socket is waited
    /// for; what cannot be sent even then is said, and lost.
    pub fn send(&self, message: &FromSupervise, fd: Option<BorrowedFd<'_>>) {
        let bytes = message.encode();
        let descriptors = fd.as_slice();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        for _ in 0..2 {
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            if fd.is_some() {
                ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
            }
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            let sent = sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, flags);
            match sent {
                Ok(_) => return,
                Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => {
                    wait(self.socket.as_fd(), PollFlags::OUT, PATIENCE);
                }
                Err(error) => {
                    warn!("cannot tell init {message:?}: {error}");
                    return;
                }
            }
        }
        warn!("cannot tell init {message:?}: it does not listen");
    }

    fn receive_within(&self, patience: Duration) -> Result<(FromInit, Option<OwnedFd>), Fatal> {
        let end = Instant::now().checked_add(patience);
        loop {
            if let Some(received) = self.receive()? {
                return Ok(received);
            }
            let left = end.and_then(|end| end.checked_duration_since(Instant::now()));
            let Some(left) = left else { return Err(Fatal::Silent) };
            wait(self.socket.as_fd(), PollFlags::IN, left);
        }
    }

    fn receive(&self) -> Result<Option<(FromInit, Option<OwnedFd>)>, Fatal> {
        let mut bytes = [0; SIZE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let parts = &mut [IoSliceMut::new(&mut bytes)];
        let received = match recvmsg(&self.socket, parts, &mut ancillary, flags) {
            Ok(received) => received.bytes,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(error) => return Err(Fatal::Link(error)),
        };
        if received == 0 {
            return Err(Fatal::Gone);
        }
        let fd = ancillary.drain().find_map(|message| {
            if let RecvAncillaryMessage::ScmRights(mut fds) = message { fds.next() } else { None }
        });
        match FromInit::decode(bytes.get(..received).unwrap_or_default()) {
            Ok(message) => Ok(Some((message, fd))),
            Err(error) => {
                warn!("cannot understand init: {error}");
                Ok(None)
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn wait(fd: BorrowedFd<'_>, flags: PollFlags, patience: Duration) {
    let timeout = Timespec::try_from(patience).ok();
    // Whatever it answers, the caller tries again.
    let _ = poll(&mut [PollFd::from_borrowed_fd(fd, flags)], timeout.as_ref());
}
