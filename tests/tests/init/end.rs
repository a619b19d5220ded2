//! Signals, and the final phase: who is asked, who is killed when, how init ends.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use wire::link::{FromInit, FromSupervise, Request};

use crate::tree::{Supervise, Tree};

fn last(request: Request, exit_status: u8, grace_ms: u32) -> FromSupervise {
    FromSupervise::Final { request, exit_status, grace_ms }
}

/// Leaves a process behind that runs `on_term` when SIGTERM comes, and is ready for it.
fn leave(supervise: &mut Supervise, tree: &Tree, name: &str, on_term: &str) {
    let mark = tree.dir.join(name);
    let mark = mark.display();
    let body = format!("trap \"{on_term}\" TERM; : > {mark}; while :; do sleep 0.05; done");
    let command = format!("(setsid sh -c '{body}' &); while [ ! -e {mark} ]; do :; done");
    assert_eq!(supervise.run(&command), 0);
}

#[test]
fn signals_are_passed_on_and_do_nothing_else() {
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let signals = [
        (Signal::HUP, Request::Reload),
        (Signal::TERM, Request::Exit),
        (Signal::INT, Request::Exit),
        (Signal::QUIT, Request::Exit),
        (Signal::USR1, Request::Exit),
        (Signal::USR2, Request::Exit),
        (Signal::POWER, Request::Exit),
    ];
    for (signal, meant) in signals {
        supervise.signal_init(signal);
        let FromInit::Signalled { seq, request } = supervise.next() else { panic!("no request") };
        assert_eq!(request, meant, "{signal:?}");
        supervise.say(FromSupervise::Ack { seq });
    }
    for signal in [Signal::WINCH, Signal::PIPE, Signal::CONT, Signal::TTIN] {
        supervise.signal_init(signal);
    }
    assert_eq!(supervise.next_within(Duration::from_millis(200)), None);
    supervise.say(last(Request::Exit, 7, 1000));
    assert_eq!(tree.ended().0.code(), Some(7));
}

#[test]
fn the_final_phase_asks_first_and_kills_when_the_time_is_up() {
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    let (heard, deaf) = (tree.dir.join("heard"), tree.dir.join("deaf"));
    leave(&mut supervise, &tree, "a", &format!("echo TERM > {}; exit", heard.display()));
    leave(&mut supervise, &tree, "b", &format!("echo TERM > {}", deaf.display()));
    let begin = Instant::now();
    supervise.say(last(Request::Exit, 3, 700));
    let (status, end) = tree.ended();
    assert_eq!(status.code(), Some(3));
    assert_eq!(fs::read_to_string(heard).expect("it heard SIGTERM"), "TERM\n");
    assert_eq!(fs::read_to_string(deaf).expect("it heard it too"), "TERM\n");
    let took = end - begin;
    assert!(took >= Duration::from_millis(700), "killed after {took:?}, too early");
    assert!(took < Duration::from_secs(5), "took {took:?}");
}

#[test]
fn the_final_phase_waits_for_nobody_when_all_are_gone() {
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    leave(&mut supervise, &tree, "a", "exit");
    let begin = Instant::now();
    supervise.say(last(Request::Exit, 0, 30_000));
    let (status, end) = tree.ended();
    assert_eq!(status.code(), Some(0));
    assert!(end - begin < Duration::from_secs(5), "took {:?}", end - begin);
}

#[test]
fn stopped_processes_end_too() {
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    let heard = tree.dir.join("heard");
    leave(&mut supervise, &tree, "a", &format!("echo TERM > {}; exit", heard.display()));
    // All but init, the stand-in and this shell.
    let others = "[ $p = 1 ] || [ $p = $$ ] || [ $p = $PPID ] || kill -STOP $p";
    supervise.run(&format!("for p in /proc/[0-9]*; do p=${{p#/proc/}}; {others}; done; true"));
    let begin = Instant::now();
    supervise.say(last(Request::Exit, 5, 30_000));
    let (status, end) = tree.ended();
    assert_eq!(status.code(), Some(5));
    assert_eq!(fs::read_to_string(heard).expect("it heard SIGTERM"), "TERM\n");
    assert!(end - begin < Duration::from_secs(10), "took {:?}", end - begin);
}

#[test]
fn a_container_that_wants_to_be_started_again_says_so() {
    // The kernel ends a pid namespace's init with SIGHUP on reboot(2): what LXC looks for.
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    supervise.say(last(Request::Reboot, 0, 1000));
    assert_eq!(tree.ended().0.signal(), Some(Signal::HUP.as_raw()));
}

#[test]
fn a_deadline_is_kept_without_supervise() {
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    supervise.say(FromSupervise::Deadline { request: Request::Exit, after_ms: 500 });
    supervise.kill();
    let next = tree.supervise();
    next.greet();
    // Whoever comes later must not put it off.
    next.say(FromSupervise::Deadline { request: Request::Exit, after_ms: 600_000 });
    assert_eq!(tree.ended().0.code(), Some(143));
}

#[test]
fn a_request_that_nobody_takes_is_carried_out_alone() {
    // It takes the 10 s that supervise has.
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let begin = Instant::now();
    supervise.signal_init(Signal::TERM);
    let (status, end) = tree.ended();
    assert_eq!(status.code(), Some(143));
    let took = end - begin;
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_subtree_ends_all_that_is_below_it_and_nobody_else() {
    // Without privileges. The test itself has the same parent's rights as a process below.
    let mut tree = Tree::subtree();
    let mut supervise = tree.supervise();
    let hello = supervise.greet();
    assert_eq!(hello.role, wire::link::Role::Subtree);
    let mut bystander = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
    leave(&mut supervise, &tree, "a", "exit");
    leave(&mut supervise, &tree, "b", "");
    let pids = below(supervise.init.as_raw_nonzero().get());
    assert!(pids.len() >= 3, "{pids:?}");
    supervise.run("(exit 4 &)");
    assert!(matches!(supervise.next(), FromInit::Exited { .. }));
    supervise.say(last(Request::Exit, 42, 500));
    assert_eq!(tree.ended().0.code(), Some(42));
    let left: Vec<_> = pids
        .into_iter()
        .filter(|pid| {
            // A process id may be somebody else's by now: the name tells.
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            matches!(name.trim(), "sh" | "stand-in")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(bystander.try_wait().expect("our child").is_none(), "it is not below");
    bystander.kill().expect("our child");
    bystander.wait().expect("our child");
}

/// The children of a process.
fn below(pid: i32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
    children.split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
}
