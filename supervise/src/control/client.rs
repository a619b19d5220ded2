//! One connection.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use graph::ServiceId;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::Serialize;
use sys::Errno;
use sys::peer::Peer;
use unit::Instant;
use wire::varlink::{CALL_MAX, Error, Frames, Reply};

use super::wait::{self, Waiting};
use crate::clock;

/// A call that is begun and not finished, or a reply that is not taken, is given this long.
const STALL_US: u64 = 30_000_000;
/// Read at once.
const READ: usize = 16 * 1024;

/// A client.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    pub peer: Peer,
    pub doing: Doing,
    /// The call that is being answered wants no reply.
    pub oneway: bool,
    frames: Frames,
    /// What it has not taken yet, from `sent` on.
    reply: Vec<u8>,
    sent: usize,
    /// The socket may have something to read or room to write.
    is_awake: bool,
    /// It has sent its last byte.
    is_finished: bool,
    /// It neither reads nor writes any more.
    is_gone: bool,
    /// It is waited for since then.
    stalled: Option<Instant>,
}

/// What it is told when something changes.
#[derive(Debug)]
pub enum Doing {
    /// Nothing: it is our turn to wait for a call.
    Nothing,
    /// The outcome of its call.
    Waiting(Waiting),
    /// Changes of these services.
    Watching(Watching),
}

/// A stream of changes.
#[derive(Debug)]
pub struct Watching {
    /// None: all services.
    pub only: Option<BTreeSet<ServiceId>>,
    /// Not told yet.
    pub news: BTreeSet<ServiceId>,
}

/// What became of a client's turn.
pub enum Turn {
    /// Nothing to do for it.
    Nothing,
    /// It has called.
    Call(Vec<u8>),
    /// Its call was to be answered by now.
    TimedOut,
    /// It is gone, or must go.
    Gone(&'static str),
}

impl Client {
    pub fn new(socket: OwnedFd, peer: Peer) -> Self {
        Self {
            socket,
            peer,
            doing: Doing::Nothing,
            oneway: false,
            frames: Frames::new(CALL_MAX),
            reply: Vec::new(),
            sent: 0,
            is_awake: true,
            is_finished: false,
            is_gone: false,
            stalled: None,
        }
    }

    /// There may be something to read, or room to write; or nobody is there any more.
    pub fn wake(&mut self, is_gone: bool) {
        self.is_awake = true;
        self.is_gone |= is_gone;
    }

    /// A service has changed.
    pub fn changed(&mut self, id: ServiceId) {
        if let Doing::Watching(Watching { only, news }) = &mut self.doing {
            if only.as_ref().is_none_or(|only| only.contains(&id)) {
                news.insert(id);
            }
        }
    }

    /// Another graph is in force. What waited for it is over.
    pub fn switched(&mut self, moved: &dyn Fn(ServiceId) -> Option<ServiceId>) {
        match &mut self.doing {
            Doing::Nothing => {}
            Doing::Waiting(waiting) if waiting.is_for_graph() => wait::finish(self),
            Doing::Waiting(waiting) => {
                if let Err(gone) = waiting.switched(moved) {
                    self.refuse(&gone);
                }
            }
            Doing::Watching(Watching { only, news }) => {
                let new =
                    |ids: &BTreeSet<ServiceId>| ids.iter().filter_map(|id| moved(*id)).collect();
                *only = only.as_ref().map(new);
                *news = new(news);
            }
        }
    }

    /// When it is its turn, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        if self.is_awake {
            return Some(Instant(0));
        }
        let stalled = self.stalled.map(|since| since.after_us(STALL_US));
        let until = match &self.doing {
            Doing::Waiting(waiting) => waiting.until,
            Doing::Nothing | Doing::Watching(_) => None,
        };
        [stalled, until].into_iter().flatten().min()
    }

    /// It is its turn.
    pub fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// It takes everything that was said to it so far.
    pub fn is_free(&self) -> bool {
        self.reply.is_empty()
    }

    /// Writes what can be written, and reads a call if it is its turn to call.
    pub fn turn(&mut self, now: Instant) -> Turn {
        self.is_awake = false;
        if self.is_gone {
            return Turn::Gone("it has hung up");
        }
        if let Err(why) = self.flush() {
            return Turn::Gone(why);
        }
        let turn = if self.is_free() { self.read() } else { Turn::Nothing };
        let is_calling = matches!(self.doing, Doing::Nothing) && self.frames.is_partial();
        let is_stalled = !self.is_free() || is_calling;
        match (is_stalled && matches!(turn, Turn::Nothing), self.stalled) {
            (false, _) => self.stalled = None,
            (true, None) => self.stalled = Some(now),
            (true, Some(since)) if since.after_us(STALL_US) <= now => {
                return Turn::Gone("it neither calls nor takes its reply");
            }
            (true, Some(_)) => {}
        }
        match (&turn, &self.doing) {
            (Turn::Nothing, Doing::Waiting(waiting))
                if waiting.until.is_some_and(|until| until <= now) =>
            {
                Turn::TimedOut
            }
            _ => turn,
        }
    }

    /// Answers its call.
    pub fn reply<P: Serialize>(&mut self, parameters: P) {
        self.doing = Doing::Nothing;
        self.say(&Reply { parameters, continues: false });
    }

    /// Answers, and goes on answering.
    pub fn reply_more<P: Serialize>(&mut self, parameters: P) {
        self.say(&Reply { parameters, continues: true });
    }

    /// Refuses its call.
    pub fn refuse(&mut self, error: &Error) {
        self.doing = Doing::Nothing;
        self.say(error);
    }

    fn say(&mut self, what: &impl Serialize) {
        if self.oneway {
            return;
        }
        // Our types hold nothing that JSON cannot say.
        if serde_json::to_writer(&mut self.reply, what).is_ok() {
            self.reply.push(0);
        }
        self.is_awake = true;
    }

    fn flush(&mut self) -> Result<(), &'static str> {
        while let Some(rest) = self.reply.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send(&self.socket, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => {
                    self.sent = self.sent.saturating_add(count);
                    self.stalled = None;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(_) => return Err("it has gone"),
            }
        }
        // The memory of a long reply is given back.
        self.reply = Vec::new();
        self.sent = 0;
        Ok(())
    }

    fn read(&mut self) -> Turn {
        loop {
            if matches!(self.doing, Doing::Nothing) {
                match self.frames.next_message() {
                    Err(_) => return Turn::Gone("its call is too long"),
                    Ok(Some(message)) => {
                        self.is_awake = true;
                        return Turn::Call(message);
                    }
                    Ok(None) if self.is_finished => return Turn::Gone("it has finished"),
                    Ok(None) => {}
                }
            } else if self.frames.is_partial() || self.is_finished {
                // Its next call is read when this one has been answered.
                return Turn::Nothing;
            }
            let mut buffer = [0; READ];
            match recv(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => self.is_finished = true,
                Ok((count, _)) => self.frames.push(buffer.get(..count).unwrap_or_default()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Turn::Nothing,
                Err(_) => return Turn::Gone("it has gone"),
            }
        }
    }
}

/// A moment from now, as a call's parameter says.
pub fn until(timeout_us: Option<u64>) -> Option<Instant> {
    timeout_us.map(|us| clock::now().after_us(us))
}
