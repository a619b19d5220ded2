//! Our end of the link: what is to be sent is sent as far as the socket takes it, what comes is
//! carried out or handed to the state.

use init::{Event, State};
use wire::link::{FromInit, FromSupervise, Name, SIZE};

use crate::os::{self, Errno, Fd};
use crate::{say, watchdog};

/// The link to the `supervise` that runs now.
pub struct Link {
    /// A `Fetch` whose answer the socket did not take yet: nothing is read before it is sent, so
    /// one is all there can be.
    unanswered: Option<Name>,
    /// The socket was full: wait until it is not.
    is_full: bool,
    /// It has sent garbage, and that was said.
    has_complained: bool,
}

/// What is to be done after reading.
pub enum Read {
    /// Carry this out.
    Event(Event),
    /// Nothing is there.
    Empty,
    /// It is over.
    Broken,
}

impl Link {
    /// A link that was just made, or taken over.
    pub fn new() -> Self {
        Self { unanswered: None, is_full: false, has_complained: false }
    }

    /// Makes a new link, and says `Hello` on it. Returns the other end.
    pub fn open(&mut self, state: &mut State) -> Result<Fd, Errno> {
        self.close(state);
        let (ours, theirs) = os::pair()?;
        os::send(&ours, &state.hello().encode(), None)?;
        state.descriptors.link = ours.into_number();
        *self = Self::new();
        Ok(theirs)
    }

    /// Forgets the link.
    pub fn close(&mut self, state: &mut State) {
        drop(Fd::take(core::mem::take(&mut state.descriptors.link)));
        *self = Self::new();
    }

    /// Whether to wait until the socket takes more.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether to wait for messages.
    pub fn is_listening(&self) -> bool {
        self.unanswered.is_none()
    }

    /// Sends what is to be sent, until the socket takes no more.
    pub fn flush(&mut self, state: &mut State) {
        self.is_full = false;
        let Some(socket) = os::lend(state.descriptors.link) else { return };
        if let Some(name) = self.unanswered.take() {
            self.answer(state, name);
        }
        while let (Some(message), false) = (state.ring.unsent(), self.is_full) {
            match os::send(&socket, &message.encode(), None) {
                Ok(()) => state.mark_sent(os::now()),
                Err(Errno(libc::EINTR)) => {}
                Err(Errno(libc::EAGAIN)) => self.is_full = true,
                // It is dead, or the link is: reading tells.
                Err(_) => return,
            }
        }
    }

    /// Reads one message, and carries it out if it is about descriptors.
    pub fn read(&mut self, state: &mut State) -> Read {
        let Some(socket) = os::lend(state.descriptors.link) else { return Read::Empty };
        let mut bytes = [0; SIZE + 1];
        let (length, fd) = match os::receive(&socket, &mut bytes) {
            Ok((0, None)) | Err(Errno(libc::ECONNRESET) | Errno(libc::EBADF)) => {
                return Read::Broken;
            }
            Ok(received) => received,
            Err(_) => return Read::Empty,
        };
        match FromSupervise::decode(bytes.get(..length).unwrap_or_default()) {
            Ok(message) => Read::Event(self.carry_out(state, message, fd)),
            Err(_) => {
                self.complain("sent what is no message");
                Read::Event(Event::Woke)
            }
        }
    }

    /// A descriptor that no case takes is closed on return.
    fn carry_out(&mut self, state: &mut State, message: FromSupervise, fd: Option<Fd>) -> Event {
        match (message, fd) {
            (FromSupervise::Hold { name }, Some(fd)) => self.hold(state, &name, fd),
            (FromSupervise::Drop { name }, _) => {
                if let Some(old) = state.held.remove(&name) {
                    drop(Fd::take(old));
                }
            }
            (FromSupervise::Fetch { name }, _) => self.answer(state, name),
            (FromSupervise::Stdio, Some(fd)) => take_stdio(state, &fd),
            (FromSupervise::Hold { .. } | FromSupervise::Stdio, None) => {
                self.complain("sent no descriptor with a message that needs one");
            }
            (FromSupervise::Watchdog { device, timeout_ms }, _) => {
                watchdog::obey(state, &device, timeout_ms);
            }
            (
                FromSupervise::Ack { .. }
                | FromSupervise::Deadline { .. }
                | FromSupervise::Final { .. },
                _,
            ) => {}
        }
        Event::Said(message)
    }

    fn hold(&mut self, state: &mut State, name: &Name, fd: Fd) {
        match state.held.hold(name, fd.number()) {
            Ok(old) => {
                // From now on the table owns it.
                let _ = fd.into_number();
                if let Some(old) = old {
                    drop(Fd::take(old));
                }
            }
            Err(init::held::Full) => {
                let line = say::line("warning: cannot hold ").text(name.as_bytes());
                say::warning(line.text(": too many are held"));
            }
        }
    }

    fn answer(&mut self, state: &State, name: Name) {
        let Some(socket) = os::lend(state.descriptors.link) else { return };
        let fd = state.held.find(&name).and_then(os::lend);
        let answer = FromInit::Held { name, found: fd.is_some() };
        if os::send(&socket, &answer.encode(), fd.as_deref()) == Err(Errno(libc::EAGAIN)) {
            self.unanswered = Some(name);
            self.is_full = true;
        }
    }

    fn complain(&mut self, what: &str) {
        if !self.has_complained {
            self.has_complained = true;
            say::warning(say::line("warning: supervise ").text(what).text(": ignored"));
        }
    }
}

/// The catch-all log runs: our messages and those of every later `supervise` go there.
fn take_stdio(state: &mut State, fd: &Fd) {
    for standard in [1, 2] {
        if let Err(error) = fd.duplicate_onto(standard) {
            say::failure("take", b"standard output", error);
        }
    }
    if let Some(own) = say::open_own(2) {
        let number = own.into_number();
        say::speak_to(number, false);
        let old = core::mem::replace(&mut state.descriptors.log, number);
        if old != state.descriptors.console {
            drop(Fd::take(old));
        }
    }
}
