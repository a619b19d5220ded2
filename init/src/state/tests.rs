//! Each rule of the state, by what comes in and what is decided.

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
    state.begin(1, role, Instant(7), false);
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
    state.begin(1, Role::Container, Instant(0), false);
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
    state.begin(1, Role::Machine, Instant(0), false);
    let mut now = Instant(0);
    assert_eq!(state.step(now, Event::Signalled(SIGTERM)), Action::Nothing);
    loop {
        now = state.deadline().unwrap();
        match state.step(now, Event::Woke) {
            Action::Start => {
                assert_eq!(state.step(now, Event::NotStarted), Action::Nothing);
            }
            action @ (Action::Nothing
            | Action::Kill(..)
            | Action::Feed
            | Action::OpenShell
            | Action::End(_)) => {
                break assert_eq!(action, alone(Request::Reboot));
            }
        }
    }
    assert!(now <= Instant(0).plus_ms(TAKE_MS + DELAY_MAX_MS));
}

#[test]
fn a_deadline_is_kept_even_if_supervise_vanishes_and_never_put_off() {
    let mut state = up(Role::Container);
    let deadline = |request, after_ms| Event::Said(FromSupervise::Deadline { request, after_ms });
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
    assert!(send_all(&mut state, Instant(9)).iter().all(|m| matches!(m, FromInit::Ping { .. })));
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

/// A state whose watchdog of a minute is armed.
fn guarded() -> Box<State> {
    let mut state = up(Role::Machine);
    state.watchdog.armed(Instant(0), 60_000);
    state
}

#[test]
fn with_a_watchdog_supervise_is_asked_and_its_answer_feeds() {
    let mut state = guarded();
    let asked = Instant(0).plus_ms(15_000);
    assert_eq!(state.deadline(), Some(asked));
    assert_eq!(state.step(asked, Event::Woke), Action::Nothing);
    let sent = send_all(&mut state, asked);
    let [FromInit::Ping { seq }] = sent[..] else { panic!("{sent:?}") };
    assert_eq!(ack(&mut state, asked.plus_ms(1), seq), Action::Feed);
    assert_eq!(ack(&mut state, asked.plus_ms(2), seq), Action::Nothing, "no news");
    assert_eq!(state.deadline(), Some(asked.plus_ms(15_001)));
}

#[test]
fn whatever_is_acknowledged_feeds_the_watchdog_and_is_not_asked_for_besides() {
    let mut state = guarded();
    let later = Instant(0).plus_ms(14_000);
    assert_eq!(state.step(later, exit(5)), Action::Nothing);
    let sent = send_all(&mut state, later);
    let asked = Instant(0).plus_ms(15_000);
    assert_eq!(state.step(asked, Event::Woke), Action::Nothing);
    assert_eq!(send_all(&mut state, asked), []);
    let [FromInit::Exited { seq, .. }] = sent[..] else { panic!("{sent:?}") };
    assert_eq!(ack(&mut state, asked, seq), Action::Feed);
}

#[test]
fn a_silent_supervise_is_replaced_before_the_watchdog_runs_out() {
    let mut state = guarded();
    let asked = state.deadline().unwrap();
    assert_eq!(state.step(asked, Event::Woke), Action::Nothing);
    send_all(&mut state, asked);
    let hung = state.deadline().unwrap();
    assert_eq!(state.step(hung, Event::Woke), Action::Kill(100, Reason::Hung));
    assert_eq!(state.step(hung, Event::Woke), Action::Start);
    assert_eq!(state.step(hung, Event::Started(101)), Action::Nothing);
    let sent = send_all(&mut state, hung);
    let [FromInit::Ping { seq }] = sent[..] else { panic!("{sent:?}") };
    assert_eq!(ack(&mut state, hung.plus_ms(100), seq), Action::Feed);
    assert!(hung < Instant(0).plus_ms(60_000));
}

#[test]
fn nobody_is_asked_while_there_is_nobody() {
    let mut state = guarded();
    assert_eq!(state.step(Instant(9), exit(100)), Action::Nothing);
    assert_eq!(state.step(Instant(9), Event::Woke), Action::Start);
    assert_eq!(state.step(Instant(9), Event::NotStarted), Action::Nothing);
    let due = state.deadline().unwrap();
    assert!(due < Instant(0).plus_ms(15_000), "the next start, not the next question");
}

/// Starts in vain until something else is decided; when, and what.
fn start_in_vain(state: &mut State) -> (Instant, Action) {
    let mut now = Instant(0);
    for _ in 0..rescue::AFTER * 2 {
        now = state.deadline().unwrap();
        let action = state.step(now, Event::Woke);
        if action != Action::Start {
            return (now, action);
        }
        assert_eq!(state.step(now, Event::Started(100)), Action::Nothing);
        assert_eq!(state.step(now, exit(100)), Action::Nothing);
    }
    (now, Action::Nothing)
}

#[test]
fn a_supervise_that_cannot_be_executed_leaves_a_shell_and_is_tried_on() {
    let mut state = Box::<State>::default();
    state.begin(1, Role::Machine, Instant(0), false);
    let (now, action) = start_in_vain(&mut state);
    assert_eq!(action, Action::OpenShell);
    assert!(now < Instant(0).plus_ms(10_000));
    assert_eq!(state.step(now, Event::ShellOpened(7)), Action::Nothing);
    assert_eq!(state.step(now, Event::Woke), Action::Start);
    assert_eq!(state.step(now, Event::NotStarted), Action::Nothing);
    assert_eq!(state.deadline(), Some(now.plus_ms(rescue::RETRY_MS)));
    // Whoever leaves the shell wants to see whether it helped.
    let left = now.plus_ms(5_000);
    assert_eq!(state.step(left, exit(7)), Action::Nothing);
    assert_eq!(state.deadline(), Some(left));
    assert_eq!(state.step(left, Event::Woke), Action::OpenShell);
    assert_eq!(state.step(left, Event::ShellNotOpened), Action::Nothing);
    start(&mut state, left, 101);
    assert_eq!(state.deadline(), None);
    assert_eq!(send_all(&mut state, left), [], "the shell's end is nobody's business");
}

#[test]
fn a_container_has_no_console_to_offer_a_shell_on() {
    let mut state = Box::<State>::default();
    state.begin(1, Role::Container, Instant(0), false);
    assert_eq!(start_in_vain(&mut state).1, Action::Nothing);
}

#[test]
fn with_a_main_service_signals_are_handed_on_and_some_end_all_if_nobody_takes_them() {
    let mut state = Box::<State>::default();
    state.begin(1, Role::Container, Instant(7), true);
    start(&mut state, Instant(0), 100);
    for signal in [SIGHUP, SIGUSR2] {
        assert_eq!(state.step(Instant(0), Event::Signalled(signal)), Action::Nothing);
        let number = u8::try_from(signal).unwrap();
        let sent = send_all(&mut state, Instant(0));
        assert!(matches!(sent[..], [FromInit::Forwarded { signal, .. }] if signal == number));
    }
    assert_eq!(state.shutdown.deadline(), None);
    assert_eq!(state.step(Instant(0), Event::Signalled(SIGTERM)), Action::Nothing);
    let taken_by = Instant(0).plus_ms(TAKE_MS);
    assert_eq!(state.shutdown.deadline(), Some(taken_by));
    assert_eq!(state.step(taken_by, Event::Woke), alone(Request::Exit));
    // On a machine there is none, whatever its command line says.
    let mut state = Box::<State>::default();
    state.begin(1, Role::Machine, Instant(7), true);
    assert!(!state.has_main());
}
