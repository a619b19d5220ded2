//! One connection: bytes in, lines and messages out of them; messages out, one descriptor each.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};
use sys::message::Sender;

use crate::dbus::{Auth, LINE_MAX, MESSAGE_MAX, Malformed, Step, length};

/// A handshake or message that is begun and not finished, or a reply that is not taken, is given
/// this long.
const STALL_US: u64 = 30_000_000;
/// What a client does not take is kept up to here. It has a few hundred bytes coming to it.
const OUTPUT_MAX: usize = 64 << 10;
/// With so much to take, it is not heard.
const OUTPUT_MUCH: usize = 16 << 10;
/// It has closed its end, which is how a connection ends.
const HUNG_UP: &str = "it has hung up";

/// A client's end of the matter.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    /// Who the kernel says it is.
    pub peer: Sender,
    phase: Phase,
    /// Received and not understood yet.
    input: Vec<u8>,
    output: VecDeque<Outgoing>,
    /// It is waited for since then.
    stalled_us: Option<u64>,
}

#[derive(Debug)]
enum Phase {
    /// The NUL that everything begins with is to come.
    Nul(Auth),
    Lines(Auth),
    Messages,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    descriptor: Option<OwnedFd>,
}

/// What a client has said.
#[derive(Debug)]
pub enum Heard {
    /// Nothing that is complete.
    Nothing,
    /// Its handshake is over.
    Begin,
    /// A message.
    Message(Vec<u8>),
    /// Something that nobody says.
    Nonsense(&'static str),
}

impl Connection {
    /// One that has just come in.
    pub fn new(socket: OwnedFd, peer: Sender, guid: String, now_us: u64) -> Self {
        Self {
            socket,
            peer,
            phase: Phase::Nul(Auth::new(peer.uid, guid)),
            input: Vec::new(),
            output: VecDeque::new(),
            stalled_us: Some(now_us),
        }
    }

    /// What to wait for.
    pub fn interest(&self) -> PollFlags {
        let hear = if self.pending() < OUTPUT_MUCH { PollFlags::IN } else { PollFlags::empty() };
        if self.output.is_empty() { hear } else { hear | PollFlags::OUT }
    }

    /// When it is hung up on.
    pub fn deadline_us(&self) -> Option<u64> {
        self.stalled_us.map(|since| since.saturating_add(STALL_US))
    }

    /// Whether its end is worth telling: not if it has ended it itself.
    pub fn is_suspicious(&self, why: &str) -> bool {
        why != HUNG_UP
    }

    /// Moves bytes: what can be sent, and what has come.
    pub fn transfer(&mut self, now_us: u64) -> Result<(), &'static str> {
        self.flush(now_us)?;
        if self.pending() >= OUTPUT_MUCH {
            return Ok(());
        }
        let mut buffer = [0_u8; MESSAGE_MAX];
        // Descriptors that come along are dropped by the kernel: nobody has anything to give us.
        match recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Err(HUNG_UP),
            Ok((_, count)) => {
                self.input.extend(buffer.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(_) => Err(HUNG_UP),
        }
    }

    /// The next thing that it has said. To be called until it is nothing.
    pub fn next(&mut self, now_us: u64) -> Heard {
        let heard = loop {
            match &mut self.phase {
                Phase::Nul(auth) => match self.input.first() {
                    None => break Heard::Nothing,
                    Some(0) => {
                        self.phase = Phase::Lines(auth.clone());
                        self.input.drain(..1);
                    }
                    Some(_) => break Heard::Nonsense("it does not speak D-Bus"),
                },
                Phase::Lines(auth) => match take_line(&mut self.input) {
                    Ok(None) => break Heard::Nothing,
                    Ok(Some(line)) => match auth.line(&line) {
                        Step::Say(answer) => self.send(format!("{answer}\r\n").into_bytes(), None),
                        Step::Begin => {
                            self.phase = Phase::Messages;
                            break Heard::Begin;
                        }
                        Step::Refuse(why) => break Heard::Nonsense(why),
                    },
                    Err(Malformed(why)) => break Heard::Nonsense(why),
                },
                Phase::Messages => match take_message(&mut self.input) {
                    Ok(None) => break Heard::Nothing,
                    Ok(Some(message)) => break Heard::Message(message),
                    Err(Malformed(why)) => break Heard::Nonsense(why),
                },
            }
        };
        self.note_stall(now_us);
        heard
    }

    /// Takes a message to send; it goes out with [`Connection::flush`].
    pub fn send(&mut self, bytes: Vec<u8>, descriptor: Option<OwnedFd>) {
        self.output.push_back(Outgoing { bytes, sent: 0, descriptor });
    }

    /// Sends what can be sent.
    pub fn flush(&mut self, now_us: u64) -> Result<(), &'static str> {
        while let Some(first) = self.output.front_mut() {
            match first.send(&self.socket) {
                Ok(true) => drop(self.output.pop_front()),
                Ok(false) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return Err(HUNG_UP),
            }
        }
        self.note_stall(now_us);
        if self.pending() > OUTPUT_MAX { Err("it takes no replies") } else { Ok(()) }
    }

    fn pending(&self) -> usize {
        self.output.iter().map(|outgoing| outgoing.bytes.len()).sum()
    }

    /// Remembers since when it is its turn to do something.
    fn note_stall(&mut self, now_us: u64) {
        let waits = match self.phase {
            // For the handshake as a whole: it began when it came in.
            Phase::Nul(_) | Phase::Lines(_) => true,
            Phase::Messages => !self.input.is_empty() || !self.output.is_empty(),
        };
        self.stalled_us = if waits { self.stalled_us.or(Some(now_us)) } else { None };
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Outgoing {
    /// Sends what the socket takes; says whether that was all.
    fn send(&mut self, socket: &OwnedFd) -> Result<bool, Errno> {
        let rest = self.bytes.get(self.sent..).unwrap_or_default();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [self.descriptor.as_ref().map_or(socket.as_fd(), AsFd::as_fd)];
        if self.descriptor.is_some() {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let count = sendmsg(socket, &[IoSlice::new(rest)], &mut control, flags)?;
        // It went with the first byte. Our copy must be closed, or nobody could ever let go.
        self.descriptor = None;
        self.sent = self.sent.saturating_add(count);
        Ok(self.sent >= self.bytes.len())
    }
}

/// A line of the handshake, without its end.
fn take_line(input: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
    match input.windows(2).position(|end| end == b"\r\n") {
        Some(length) if length <= LINE_MAX => {
            let line = input.drain(..length).collect();
            input.drain(..2);
            Ok(Some(line))
        }
        Some(_) => Err(Malformed("a line that is too long")),
        None if input.len() > LINE_MAX => Err(Malformed("a line that is too long")),
        None => Ok(None),
    }
}

fn take_message(input: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
    let Some(length) = length(input)? else { return Ok(None) };
    Ok((input.len() >= length).then(|| input.drain(..length).collect()))
}
