//! The state, and the one function that decides.
//!
//! Not decided here: which children exist (the kernel knows), and what the final phase does once
//! it has begun (it is straight on, in `src/pid1/last.rs`).

use wire::link::{FromInit, FromSupervise, Hello, Request, Role, VERSION};

use crate::Instant;
use crate::held::Held;
use crate::keeper::Keeper;
use crate::ring::{Exit, Ring};
use crate::shutdown::{Ending, Shutdown};
use crate::signals::{self, Meaning};

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
    unused: u32,
    /// When the first instruction ran.
    boot: Instant,
    /// Descriptors of the program, by number; 0: none.
    pub descriptors: Descriptors,
    /// Re-executions in a row, for the guard against doing nothing else.
    pub crashes: Crashes,
    /// `supervise`.
    pub keeper: Keeper,
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
    unused: i32,
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
const LAYOUT: u64 = 0x434f_4f50_0001_0001 ^ ((size_of::<State>() as u64) << 16);

impl State {
    /// Fills in what is not zero at first.
    pub fn begin(&mut self, pid: u32, role: Role, boot: Instant) {
        self.layout = LAYOUT;
        self.pid = pid;
        self.role = u32::from(role.byte());
        self.boot = boot;
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
                Action::Nothing
            }
            Event::LinkBroken => {
                self.keeper.unlinked(now);
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
        let keeper = self.keeper.deadline(self.ring.is_outstanding());
        match (keeper, self.shutdown.deadline()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn due(&mut self, now: Instant) -> Action {
        if self.shutdown.deadline().is_some_and(|by| by <= now) {
            if let Some(ending) = self.shutdown.alone() {
                return self.end(ending);
            }
        }
        let owes = self.ring.is_outstanding();
        if self.keeper.deadline(owes).is_none_or(|deadline| deadline > now) {
            return Action::Nothing;
        }
        if self.keeper.pid().is_some() {
            let is_unlinked = self.keeper.is_unlinked();
            return self.kill(now, if is_unlinked { Reason::Unlinked } else { Reason::Hung });
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

    fn signalled(&mut self, now: Instant, signal: i32) -> Action {
        match signals::meaning(self.role(), signal) {
            None => Action::Nothing,
            Some(Meaning::Act(request)) => self.end(Shutdown::now(request)),
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

    fn said(&mut self, now: Instant, message: FromSupervise) -> Action {
        match message {
            FromSupervise::Ack { seq } => {
                if self.ring.ack(seq) {
                    self.keeper.answered(now);
                    self.shutdown.acked(seq);
                }
                Action::Nothing
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
            | FromSupervise::Stdio => Action::Nothing,
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
mod tests {
    extern crate std;
    use super::*;
    use crate::keeper::{DELAY_MAX_MS, HUNG_MS, UNLINKED_MS};
    use crate::shutdown::{ALONE_GRACE_MS, INSIST_TIMES, TAKE_MS};
    use crate::signals::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
    use std::boxed::Box;
    use std::vec::Vec;

    const RTMIN_15: i32 = 49;

    /// A state with a `supervise` (process 100) that has acknowledged its first message.
    fn up(role: Role) -> Box<State> {
        let mut state = Box::<State>::default();
        state.begin(1, role, Instant(7));
        start(&mut state, Instant(0), 100);
        state
    }

    fn start(state: &mut State, now: Instant, pid: u32) {
        assert_eq!(state.step(now, Event::Woke), Action::Start);
        assert_eq!(state.step(now, Event::Started(pid)), Action::Nothing);
        let last = send_all(state, now).last().copied();
        let (Some(FromInit::Ping { seq })
        | Some(FromInit::Exited { seq, .. })
        | Some(FromInit::Signalled { seq, .. })) = last
        else {
            panic!("a new supervise is sent something: {last:?}")
        };
        assert_eq!(ack(state, now, seq), Action::Nothing);
    }

    fn send_all(state: &mut State, now: Instant) -> Vec<FromInit> {
        let mut sent = Vec::new();
        while let Some(message) = state.ring.unsent() {
            sent.push(message);
            state.mark_sent(now);
        }
        sent
    }

    fn ack(state: &mut State, now: Instant, seq: u64) -> Action {
        state.step(now, Event::Said(FromSupervise::Ack { seq }))
    }

    fn exit(pid: u32) -> Event {
        Event::Exited(Exit { pid, status: 0, cpu_us: 0, maxrss_kib: 0 })
    }

    fn alone(request: Request) -> Action {
        Action::End(Ending { request, exit_status: 143, grace_ms: ALONE_GRACE_MS })
    }

    #[test]
    fn idle_has_no_deadline() {
        let mut state = up(Role::Machine);
        assert_eq!(state.deadline(), None);
        assert_eq!(state.step(Instant(u64::MAX), Event::Woke), Action::Nothing);
    }

    #[test]
    fn exits_of_others_are_forwarded_and_that_of_supervise_is_not() {
        let mut state = up(Role::Machine);
        assert_eq!(state.step(Instant(1), exit(5)), Action::Nothing);
        assert_eq!(state.step(Instant(1), exit(100)), Action::Nothing);
        let sent = send_all(&mut state, Instant(1));
        assert!(matches!(sent[..], [FromInit::Exited { pid: 5, .. }]), "{sent:?}");
        assert_eq!(state.step(Instant(1), Event::Woke), Action::Start);
    }

    #[test]
    fn a_silent_supervise_is_killed_and_its_successor_told_the_same() {
        let mut state = up(Role::Machine);
        let sent_at = Instant(50);
        assert_eq!(state.step(Instant(1), exit(5)), Action::Nothing);
        let sent = send_all(&mut state, sent_at);
        let late = sent_at.plus_ms(HUNG_MS);
        assert_eq!(state.deadline(), Some(late));
        assert_eq!(state.step(Instant(late.0 - 1), Event::Woke), Action::Nothing);
        assert_eq!(state.step(late, Event::Woke), Action::Kill(100, Reason::Hung));
        assert_eq!(state.step(late, Event::Woke), Action::Start);
        assert_eq!(state.step(late, Event::Started(101)), Action::Nothing);
        assert_eq!(send_all(&mut state, late), sent);
    }

    #[test]
    fn a_supervise_that_makes_progress_does_not_hang() {
        let mut state = up(Role::Machine);
        for pid in 1..100 {
            assert_eq!(state.step(Instant(0), exit(pid)), Action::Nothing);
        }
        send_all(&mut state, Instant(0));
        let mut now = Instant(0);
        for seq in 2..=100 {
            now = now.plus_ms(HUNG_MS - 1);
            assert_eq!(state.step(now, Event::Woke), Action::Nothing);
            assert_eq!(ack(&mut state, now, seq), Action::Nothing);
        }
        assert_eq!(state.deadline(), None);
    }

    #[test]
    fn the_clock_starts_when_a_message_is_sent_to_someone_idle() {
        let mut state = up(Role::Machine);
        let later = Instant(0).plus_ms(10 * HUNG_MS);
        assert_eq!(state.step(later, exit(5)), Action::Nothing);
        send_all(&mut state, later);
        assert_eq!(state.step(later, Event::Woke), Action::Nothing);
        assert_eq!(state.deadline(), Some(later.plus_ms(HUNG_MS)));
    }

    #[test]
    fn a_supervise_that_hangs_before_its_first_word_is_noticed() {
        let mut state = Box::<State>::default();
        state.begin(1, Role::Container, Instant(0));
        assert_eq!(state.step(Instant(0), Event::Woke), Action::Start);
        assert_eq!(state.step(Instant(0), Event::Started(100)), Action::Nothing);
        assert!(matches!(send_all(&mut state, Instant(0))[..], [FromInit::Ping { seq: 1 }]));
        let late = Instant(0).plus_ms(HUNG_MS);
        assert_eq!(state.step(late, Event::Woke), Action::Kill(100, Reason::Hung));
    }

    #[test]
    fn a_request_that_is_not_taken_is_carried_out_alone() {
        let mut state = up(Role::Machine);
        assert_eq!(state.step(Instant(0), Event::Signalled(SIGUSR2)), Action::Nothing);
        let sent = send_all(&mut state, Instant(0));
        assert!(matches!(sent[..], [FromInit::Signalled { request: Request::Poweroff, .. }]));
        let late = Instant(0).plus_ms(TAKE_MS);
        assert_eq!(state.step(Instant(late.0 - 1), Event::Woke), Action::Nothing);
        // Asking again does not put it off.
        assert_eq!(state.step(Instant(5), Event::Signalled(SIGUSR2)), Action::Nothing);
        assert_eq!(state.step(late, Event::Woke), alone(Request::Poweroff));
        assert_eq!(state.shutdown.begun().map(|e| e.request), Some(Request::Poweroff));
    }

    #[test]
    fn a_request_that_is_taken_is_left_to_supervise() {
        let mut state = up(Role::Machine);
        assert_eq!(state.step(Instant(0), Event::Signalled(SIGTERM)), Action::Nothing);
        let sent = send_all(&mut state, Instant(0));
        let [FromInit::Signalled { seq, .. }] = sent[..] else { panic!("{sent:?}") };
        assert_eq!(ack(&mut state, Instant(1), seq), Action::Nothing);
        assert_eq!(state.deadline(), None);
    }

    #[test]
    fn a_supervise_that_cannot_be_started_does_not_stop_a_shutdown() {
        let mut state = Box::<State>::default();
        state.begin(1, Role::Machine, Instant(0));
        let mut now = Instant(0);
        assert_eq!(state.step(now, Event::Signalled(SIGTERM)), Action::Nothing);
        loop {
            now = state.deadline().unwrap();
            match state.step(now, Event::Woke) {
                Action::Start => {
                    assert_eq!(state.step(now, Event::NotStarted), Action::Nothing);
                }
                action @ (Action::Nothing | Action::Kill(..) | Action::End(_)) => {
                    break assert_eq!(action, alone(Request::Reboot));
                }
            }
        }
        assert!(now <= Instant(0).plus_ms(TAKE_MS + DELAY_MAX_MS));
    }

    #[test]
    fn a_deadline_is_kept_even_if_supervise_vanishes_and_never_put_off() {
        let mut state = up(Role::Container);
        let deadline =
            |request, after_ms| Event::Said(FromSupervise::Deadline { request, after_ms });
        assert_eq!(state.step(Instant(0), deadline(Request::Poweroff, 1000)), Action::Nothing);
        assert_eq!(state.step(Instant(0), deadline(Request::Reboot, 5000)), Action::Nothing);
        let by = Instant(0).plus_ms(1000);
        assert_eq!(state.deadline(), Some(by));
        assert_eq!(state.step(by, Event::Woke), alone(Request::Reboot));
    }

    #[test]
    fn final_ends_at_once_and_as_told() {
        let mut state = up(Role::Container);
        let last = FromSupervise::Final { request: Request::Exit, exit_status: 3, grace_ms: 9 };
        let ending = Ending { request: Request::Exit, exit_status: 3, grace_ms: 9 };
        assert_eq!(state.step(Instant(0), Event::Said(last)), Action::End(ending));
        assert_eq!(state.shutdown.begun(), Some(ending));
    }

    #[test]
    fn some_signals_do_not_ask() {
        let mut state = up(Role::Machine);
        assert_eq!(state.step(Instant(0), Event::Signalled(RTMIN_15)), alone(Request::Reboot));
    }

    #[test]
    fn seven_times_ctrl_alt_del_is_meant() {
        let mut state = up(Role::Machine);
        for time in 1..INSIST_TIMES {
            let now = Instant(0).plus_ms(u64::from(time) * 5000);
            assert_eq!(state.step(now, Event::Signalled(SIGINT)), Action::Nothing);
            let seq = state.ring.acked() + 1;
            send_all(&mut state, now);
            assert_eq!(ack(&mut state, now, seq), Action::Nothing);
        }
        let now = Instant(0).plus_ms(100_000);
        for _ in 1..INSIST_TIMES {
            assert_eq!(state.step(now, Event::Signalled(SIGINT)), Action::Nothing);
        }
        assert_eq!(state.step(now, Event::Signalled(SIGINT)), alone(Request::Reboot));
    }

    #[test]
    fn a_reload_has_no_deadline_of_its_own() {
        let mut state = up(Role::Machine);
        assert_eq!(state.step(Instant(0), Event::Signalled(SIGHUP)), Action::Nothing);
        assert_eq!(state.deadline(), None);
    }

    #[test]
    fn whoever_breaks_the_link_is_replaced() {
        let mut state = up(Role::Machine);
        assert_eq!(state.step(Instant(0), Event::LinkBroken), Action::Nothing);
        assert_eq!(state.step(Instant(0), Event::Woke), Action::Nothing);
        let late = Instant(0).plus_ms(UNLINKED_MS);
        assert_eq!(state.deadline(), Some(late));
        assert_eq!(state.step(late, Event::Woke), Action::Kill(100, Reason::Unlinked));
        start(&mut state, late, 101);
        assert_eq!(state.deadline(), None);
    }

    #[test]
    fn whoever_dies_has_closed_the_link_before() {
        let mut state = up(Role::Machine);
        assert_eq!(state.step(Instant(0), Event::LinkBroken), Action::Nothing);
        assert_eq!(state.step(Instant(9), exit(100)), Action::Nothing);
        assert_eq!(state.step(Instant(9), Event::Woke), Action::Start);
        assert!(
            send_all(&mut state, Instant(9)).iter().all(|m| matches!(m, FromInit::Ping { .. }))
        );
    }

    #[test]
    fn a_state_belongs_to_one_process() {
        let state = up(Role::Machine);
        assert!(state.belongs_to(1));
        assert!(!state.belongs_to(2));
        assert!(!State::default().belongs_to(0));
    }

    #[test]
    fn crashes_in_a_row_are_slowed_down() {
        let mut crashes = Crashes::default();
        let now = Instant(0).plus_ms(10 * CRASH_ROW_MS);
        let delays: Vec<u64> = (0..12).map(|_| crashes.count(now, 11)).collect();
        assert_eq!(delays[..5], [0, 50, 100, 200, 400]);
        assert_eq!(delays[11], 10_000);
        assert_eq!(crashes.count(now.plus_ms(CRASH_ROW_MS + 1), 11), 0);
    }
}
