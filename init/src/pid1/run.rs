//! The loop. It sleeps until a signal, a message or a deadline; on an idle machine, for ever.

use init::state::Reason;
use init::{Action, Event, Instant, State};
use wire::link::FromSupervise;

use crate::children::{self, Supervise};
use crate::link::{Link, Read};
use crate::os::{self, Dead, Errno, Fd};
use crate::{boot, last, say, shell, watchdog};

/// So many children are reaped, or messages read, before the others have their turn: nobody who
/// forks or talks without end keeps init from the rest.
const BATCH: u32 = 256;

/// All that the loop works with.
pub struct Init<'a> {
    /// What init knows.
    pub state: &'a mut State,
    /// The link to `supervise`.
    pub link: Link,
    /// Where signals are read from.
    pub signals: &'a Fd,
    /// A machine is booting, until `supervise` first acknowledges something.
    pub is_booting: bool,
    /// What to start.
    pub supervise: Supervise<'a>,
}

impl Init<'_> {
    /// Goes on until the final phase, which does not return.
    pub fn run(mut self) -> ! {
        if let Some(ending) = self.state.shutdown.begun() {
            last::run(self.state, self.signals, ending);
        }
        loop {
            let has_more = self.reap();
            self.act();
            self.link.flush(self.state);
            self.wait(has_more);
            while let Some(signal) = os::next_signal(self.signals) {
                self.step(Event::Signalled(signal));
            }
            self.read();
        }
    }

    /// Returns whether there is more to reap.
    fn reap(&mut self) -> bool {
        for _ in 0..BATCH {
            let supervise = self.state.keeper.pid();
            let mut ended = None;
            let dead = children::reap(self.state, |state, exit| {
                if supervise == Some(exit.pid) {
                    ended = Some(exit);
                } else {
                    // The state has nothing to do about it but to keep it.
                    let _ = state.step(os::now(), Event::Exited(exit));
                }
            });
            if let Some(exit) = ended {
                // Its last words count, and come before its end.
                self.read();
                self.link.close(self.state);
                self.step(Event::Exited(exit));
                let line = say::line("warning: supervise ended: ").ending(exit.status);
                say::warning(line.text("; it is started again"));
            }
            match dead {
                Dead::Found(_) => {}
                Dead::NoneYet | Dead::NoChildren => return false,
            }
        }
        true
    }

    /// What time brings. One thing leads to another at most twice: a kill, then a start.
    fn act(&mut self) {
        for _ in 0..3 {
            self.step(Event::Woke);
        }
    }

    fn step(&mut self, event: Event) {
        if self.is_booting && matches!(event, Event::Said(FromSupervise::Ack { .. })) {
            self.is_booting = false;
            boot::end_haste();
        }
        match self.state.step(os::now(), event) {
            Action::Nothing => {}
            Action::Start => self.start(),
            Action::Kill(pid, reason) => {
                let why = match reason {
                    Reason::Hung => "does not answer",
                    Reason::Unlinked => "has closed its link",
                };
                let line = say::line("warning: supervise ").text(why);
                say::warning(line.text("; it is killed and started again"));
                os::kill(Some(pid), libc::SIGKILL);
                self.link.close(self.state);
            }
            Action::Feed => watchdog::feed(self.state),
            Action::OpenShell => self.open_shell(),
            Action::End(ending) => last::run(self.state, self.signals, ending),
        }
    }

    fn start(&mut self) {
        match self.try_start() {
            Ok(pid) => self.step(Event::Started(pid)),
            Err(error) => {
                say::failure("start", self.supervise.path.to_bytes(), error);
                self.link.close(self.state);
                self.step(Event::NotStarted);
            }
        }
    }

    fn open_shell(&mut self) {
        let line = say::line("warning: ").text(self.supervise.path.to_bytes());
        say::warning(line.text(" cannot be started: a shell is opened on the console"));
        match shell::open(self.supervise.path) {
            Ok(pid) => self.step(Event::ShellOpened(pid)),
            Err(error) => {
                say::failure("open", b"a shell", error);
                self.step(Event::ShellNotOpened);
            }
        }
    }

    fn try_start(&mut self) -> Result<u32, Errno> {
        let theirs = self.link.open(self.state)?;
        children::start_supervise(self.state.role(), &theirs, &self.supervise)
    }

    fn wait(&self, has_more: bool) {
        let deadline = if has_more { Some(Instant(0)) } else { self.state.deadline() };
        let incoming = if self.link.is_listening() { libc::POLLIN } else { 0 };
        let outgoing = if self.link.is_full() { libc::POLLOUT } else { 0 };
        let link = os::lend(self.state.descriptors.link);
        let link = link.as_deref().map(|link| (link, incoming | outgoing));
        os::wait_for([Some((self.signals, libc::POLLIN)), link], deadline);
    }

    fn read(&mut self) {
        for _ in 0..BATCH {
            if !self.link.is_listening() {
                return;
            }
            match self.link.read(self.state) {
                Read::Event(event) => self.step(event),
                Read::Empty => return,
                Read::Broken => {
                    self.link.close(self.state);
                    return self.step(Event::LinkBroken);
                }
            }
        }
    }
}
