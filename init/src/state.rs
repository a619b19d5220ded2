//! The state, and the one function that decides.
//!
//! Not decided here: which children exist (the kernel knows), and what the final phase does once
//! it has begun (it is straight on, in `src/pid1/last.rs`).

use wire::link::{FromInit, FromSupervise, Hello, Request, Role, VERSION};

use crate::Instant;
use crate::held::Held;
use crate::keeper::Keeper;
use crate::rescue::{self, Rescue};
use crate::ring::{Exit, Ring};
use crate::shutdown::{Ending, Shutdown};
use crate::signals::{self, Meaning};
use crate::watchdog::Watchdog;

/// Everything init knows that must outlive a fatal signal. Integers only: any bit pattern is a
/// state, and all zero is the first one, but for what [`State::begin`] fills in.
#[derive(Debug, Default)]
#[repr(C)]
pub struct State {
    /// Whose this is: see [`State::belongs_to`].
    layout: u64,
    pid: u32,
    role: u32,
    /// A dead child whose exit is in the ring, and which is about to be reaped; 0: none.
    pub burying: u32,
    /// Whether there is a main service, which signals are for; 0: there is none.
    has_main: u32,
    /// When the first instruction ran.
    boot: Instant,
    /// Descriptors of the program, by number; 0: none.
    pub descriptors: Descriptors,
    /// Re-executions in a row, for the guard against doing nothing else.
    pub crashes: Crashes,
    /// `supervise`.
    pub keeper: Keeper,
    /// The shell that is offered when it cannot be started.
    pub rescue: Rescue,
    /// The hardware watchdog.
    pub watchdog: Watchdog,
    /// The end.
    pub shutdown: Shutdown,
    /// What `supervise` has to be told.
    pub ring: Ring,
    /// What is kept for it.
    pub held: Held,
}

/// Open files that a new image of the program takes over. None of them is ever 0.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Descriptors {
    /// Our end of the link.
    pub link: i32,
    /// Where messages for people go.
    pub log: i32,
    /// Where our standard error led at first, for the last messages.
    pub console: i32,
    /// The hardware watchdog, while it is armed.
    pub watchdog: i32,
}

impl Descriptors {
    /// All of them; those that are none are 0.
    #[must_use]
    pub fn all(&self) -> [i32; 4] {
        [self.link, self.log, self.console, self.watchdog]
    }
}

/// Fatal signals to init.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Crashes {
    /// In a row.
    pub count: u32,
    /// The last one's number.
    pub signal: i32,
    /// When.
    pub last: Instant,
}

/// A crash this long after the one before starts a new row.
pub const CRASH_ROW_MS: u64 = 60_000;
/// From this crash in a row on, the state itself is suspected, and forgotten.
pub const CRASHES_MAX: u32 = 3;

impl Crashes {
    /// Another one. Returns how long to wait before trying again, milliseconds: nothing at
    /// first, then doubling to ten seconds.
    pub fn count(&mut self, now: Instant, signal: i32) -> u64 {
        if now.ms_since(self.last) > CRASH_ROW_MS {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.signal = signal;
        self.last = now;
        let doublings = self.count.saturating_sub(2).min(10);
        let factor = 1_u64.checked_shl(doublings).unwrap_or(1);
        if self.count < 2 { 0 } else { factor.saturating_mul(50).min(10_000) }
    }
}

/// What has happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Nothing but time.
    Woke,
    /// A child has ended; it may be `supervise`.
    Exited(Exit),
    /// A signal came.
    Signalled(i32),
    /// `supervise` said something. Descriptors are the program's affair.
    Said(FromSupervise),
    /// `supervise` runs.
    Started(u32),
    /// It could not be started.
    NotStarted,
    /// It has closed its end, or broken it.
    LinkBroken,
    /// The shell that was to be offered runs.
    ShellOpened(u32),
    /// It could not be started.
    ShellNotOpened,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Start `supervise`, then say `Started` or `NotStarted`.
    Start,
    /// Kill this process, and forget the link.
    Kill(u32, Reason),
    /// Give the watchdog time.
    Feed,
    /// Offer a shell, then say `ShellOpened` or `ShellNotOpened`.
    OpenShell,
    /// Begin the final phase; it does not come back.
    End(Ending),
}

/// Why `supervise` is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// It acknowledges nothing.
    Hung,
    /// It has no link any more, so it is of no use.
    Unlinked,
}

const SIGKILL: i32 = 9;

/// Changes with the layout of [`State`]: raise the last digits when the size does not tell.
#[expect(clippy::as_conversions, reason = "no other conversion is const; usize fits")]
const LAYOUT: u64 = 0x434f_4f50_0001_0002 ^ ((size_of::<State>() as u64) << 16);

impl State {
    /// Fills in what is not zero at first.
    pub fn begin(&mut self, pid: u32, role: Role, boot: Instant, has_main: bool) {
        self.layout = LAYOUT;
        self.pid = pid;
        self.role = u32::from(role.byte());
        self.boot = boot;
        self.has_main = u32::from(has_main && role != Role::Machine);
    }

    /// Whether this is a state of the process with this id, written by this program.
    #[must_use]
    pub fn belongs_to(&self, pid: u32) -> bool {
        self.layout == LAYOUT && self.pid == pid && self.known_role().is_some()
    }

    /// What init is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.known_role().unwrap_or(Role::Subtree)
    }

    /// Whether there is a main service, which signals and terminal are for.
    #[must_use]
    pub fn has_main(&self) -> bool {
        self.has_main != 0
    }

    /// When the first instruction ran.
    #[must_use]
    pub fn boot(&self) -> Instant {
        self.boot
    }

    /// The first message on a new link.
    #[must_use]
    pub fn hello(&self) -> FromInit {
        FromInit::Hello(Hello {
            version: VERSION,
            role: self.role(),
            init_pid: self.pid,
            starts: self.keeper.starts(),
            lost_exits: self.ring.has_lost(),
            boot_us: self.boot.0,
        })
    }

    /// One event; at most one thing to do. Total: every event may come in every state.
    pub fn step(&mut self, now: Instant, event: Event) -> Action {
        match event {
            Event::Woke => self.due(now),
            Event::Exited(exit) => {
                if self.keeper.pid() == Some(exit.pid) {
                    self.keeper.ended(now, exit.status);
                    self.take_time(now);
                } else if self.rescue.shell() == Some(exit.pid) {
                    self.rescue.ended(now);
                    self.keeper.hurry(now);
                } else {
                    self.ring.push_exit(exit);
                }
                Action::Nothing
            }
            Event::Signalled(signal) => self.signalled(now, signal),
            Event::Said(message) => self.said(now, message),
            Event::Started(pid) => {
                self.keeper.started(now, pid);
                Action::Nothing
            }
            Event::NotStarted => {
                self.keeper.not_started(now);
                self.take_time(now);
                Action::Nothing
            }
            Event::LinkBroken => {
                self.keeper.unlinked(now);
                Action::Nothing
            }
            Event::ShellOpened(pid) => {
                self.rescue.opened(now, pid);
                Action::Nothing
            }
            Event::ShellNotOpened => {
                self.rescue.not_opened();
                Action::Nothing
            }
        }
    }

    /// A message is about to be sent: from now on it is owed an acknowledgement.
    pub fn mark_sent(&mut self, now: Instant) {
        if !self.ring.is_outstanding() {
            self.keeper.owes_nothing(now);
        }
        self.ring.mark_sent();
    }

    /// When [`Event::Woke`] has something to do; never, on an idle machine.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [self.keeper_deadline(), self.shutdown.deadline(), self.ask_at()];
        deadlines.into_iter().flatten().min()
    }

    fn keeper_deadline(&self) -> Option<Instant> {
        self.keeper.deadline(self.ring.is_outstanding(), self.watchdog.patience_ms())
    }

    /// When `supervise` is to be asked for a sign of life: whatever else it has to acknowledge is
    /// one as well.
    fn ask_at(&self) -> Option<Instant> {
        let is_quiet = self.keeper.pid().is_some() && self.ring.is_empty();
        self.watchdog.ask_at().filter(|_| is_quiet)
    }

    fn due(&mut self, now: Instant) -> Action {
        if self.shutdown.deadline().is_some_and(|by| by <= now) {
            if let Some(ending) = self.shutdown.alone() {
                return self.end(ending);
            }
        }
        if self.ask_at().is_some_and(|at| at <= now) {
            self.ring.push_ping();
        }
        if self.keeper_deadline().is_none_or(|deadline| deadline > now) {
            return Action::Nothing;
        }
        if self.keeper.pid().is_some() {
            let is_unlinked = self.keeper.is_unlinked();
            return self.kill(now, if is_unlinked { Reason::Unlinked } else { Reason::Hung });
        }
        // A machine that is about to end needs nobody's help.
        let may_help = self.role() == Role::Machine && self.shutdown.deadline().is_none();
        if may_help && self.rescue.is_due(self.keeper.in_vain()) {
            return Action::OpenShell;
        }
        self.keeper.count_start();
        self.ring.reconnect();
        self.ring.push_ping();
        Action::Start
    }

    /// A process with SIGKILL pending executes nothing any more, even if it hangs in the kernel
    /// for ever: its successor need not wait for its exit.
    fn kill(&mut self, now: Instant, reason: Reason) -> Action {
        let Some(pid) = self.keeper.pid() else { return Action::Nothing };
        self.keeper.ended(now, SIGKILL);
        Action::Kill(pid, reason)
    }

    /// Whoever is at the rescue shell is not to be shouted at.
    fn take_time(&mut self, now: Instant) {
        if self.rescue.shell().is_some() {
            self.keeper.take_time(now, rescue::RETRY_MS);
        }
    }

    fn signalled(&mut self, now: Instant, signal: i32) -> Action {
        match signals::meaning(self.role(), signal) {
            Some(Meaning::Act(request)) => self.end(Shutdown::now(request)),
            None | Some(Meaning::Ask(_)) if self.has_main() => {
                self.forward(now, signal);
                Action::Nothing
            }
            None => Action::Nothing,
            Some(Meaning::Ask(request)) => {
                if signal == signals::SIGINT && self.shutdown.insists(now, self.role()) {
                    return self.end(Shutdown::now(request));
                }
                let seq = self.ring.push_request(request);
                self.shutdown.ask(now, request, seq);
                Action::Nothing
            }
        }
    }

    fn forward(&mut self, now: Instant, signal: i32) {
        let Ok(signal) = u8::try_from(signal) else { return };
        let seq = self.ring.push_forward(signal);
        if let Some(request) = wire::link::ending(signal) {
            self.shutdown.ask(now, request, seq);
        }
    }

    fn said(&mut self, now: Instant, message: FromSupervise) -> Action {
        match message {
            FromSupervise::Ack { seq } => {
                if !self.ring.ack(seq) {
                    return Action::Nothing;
                }
                self.keeper.answered(now);
                self.rescue.is_over();
                self.shutdown.acked(seq);
                if self.watchdog.answered(now) { Action::Feed } else { Action::Nothing }
            }
            FromSupervise::Deadline { request, after_ms } => {
                self.shutdown.agree(now, request, after_ms);
                Action::Nothing
            }
            FromSupervise::Final { request, exit_status, grace_ms } => {
                self.end(Ending { request, exit_status, grace_ms })
            }
            FromSupervise::Hold { .. }
            | FromSupervise::Drop { .. }
            | FromSupervise::Fetch { .. }
            | FromSupervise::Stdio
            | FromSupervise::Watchdog { .. } => Action::Nothing,
        }
    }

    fn end(&mut self, ending: Ending) -> Action {
        // Reload ends nothing; the link's decoder refuses it, and no signal acts on it.
        if ending.request == Request::Reload {
            return Action::Nothing;
        }
        self.shutdown.begin(ending);
        Action::End(ending)
    }

    fn known_role(&self) -> Option<Role> {
        Role::from_byte(u8::try_from(self.role).ok()?)
    }
}

#[cfg(test)]
mod tests;
