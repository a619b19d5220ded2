//! Exits: reaped, forwarded once, said again to the next `supervise` if need be.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use wire::link::{FromInit, FromSupervise, Role};

use crate::tree::{Supervise, Tree};

/// A shell command whose grandchildren are left to init, one after the other.
fn orphans(count: u32) -> String {
    format!("i=0; while [ $i -lt {count} ]; do (exit 7 &); i=$((i+1)); done")
}

/// Sequence number, process id and status of the next `count` exits, unacknowledged.
fn exits(supervise: &Supervise, count: usize) -> Vec<(u64, u32, i32)> {
    let next = || match supervise.next() {
        FromInit::Exited { seq, pid, status, .. } => (seq, pid, status),
        message => panic!("no exit: {message:?}"),
    };
    (0..count).map(|_| next()).collect()
}

/// How many children init has, `supervise` among them.
fn children(supervise: &Supervise) -> usize {
    let init = supervise.init.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children"));
    children.expect("init runs").split_whitespace().count()
}

#[test]
fn hello_comes_first_and_says_what_init_is() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let hello = tree.supervise().greet();
    assert_eq!((hello.role, hello.init_pid), (Role::Container, 1));
    assert_eq!((hello.starts, hello.lost_exits), (1, false));
    assert!(hello.boot_us > 0);
}

#[test]
fn thousands_of_orphans_are_reaped_and_each_exit_is_forwarded_once() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    let mut pids = HashSet::new();
    for _ in 0..20 {
        assert_eq!(supervise.run(&orphans(100)), 0);
        for (seq, pid, status) in exits(&supervise, 100) {
            assert_eq!(status, 7 << 8);
            assert!(pids.insert(pid), "{pid} twice");
            supervise.say(FromSupervise::Ack { seq });
        }
    }
    assert_eq!(children(&supervise), 1, "supervise alone");
}

#[test]
fn the_status_of_a_killed_process_and_its_use_of_the_machine_are_forwarded() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    supervise.run("(sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; kill -9 $$' &)");
    let FromInit::Exited { status, cpu_us, maxrss_kib, .. } = supervise.next() else {
        panic!("no exit")
    };
    assert_eq!(status, 9);
    assert!(cpu_us > 1000 && maxrss_kib > 100, "{cpu_us} us, {maxrss_kib} KiB");
}

#[test]
fn what_was_not_acknowledged_is_said_again_to_the_next_supervise() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    supervise.run(&orphans(5));
    let said = exits(&supervise, 5);
    supervise.say(FromSupervise::Ack { seq: said[1].0 });
    supervise.kill();

    let supervise = tree.supervise();
    let FromInit::Hello(hello) = supervise.next() else { panic!("no Hello") };
    assert_eq!((hello.starts, hello.lost_exits), (2, false));
    assert_eq!(exits(&supervise, 3), said[2..]);
    supervise.say(FromSupervise::Ack { seq: said[4].0 });
    supervise.kill();

    // Its own exit, and what is acknowledged, is nobody's business.
    tree.supervise().greet();
}

#[test]
fn when_too_much_was_not_acknowledged_the_rest_comes_with_a_warning() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    for _ in 0..25 {
        supervise.run(&orphans(100));
    }
    // The socket holds only some hundreds, so the ring is full once every orphan is reaped.
    let deadline = Instant::now() + Duration::from_secs(30);
    while children(&supervise) > 1 {
        assert!(Instant::now() < deadline, "init does not reap");
        std::thread::yield_now();
    }
    supervise.kill();
    let supervise = tree.supervise();
    let FromInit::Hello(hello) = supervise.next() else { panic!("no Hello") };
    assert!(hello.lost_exits);
    let kept = exits(&supervise, 2048);
    assert!(kept.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0), "in order");
    supervise.say(FromSupervise::Ack { seq: kept[2047].0 });
    supervise.kill();
    assert!(!tree.supervise().greet().lost_exits);
}

#[test]
fn a_supervise_that_hangs_is_replaced() {
    // It takes the 30 s that a supervise has. The pure tests try the times in between.
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    supervise.run(&orphans(1));
    let said = exits(&supervise, 1);
    kill_process(supervise.pid, Signal::STOP).expect("it runs");
    let next = tree.supervise();
    assert_ne!(next.pid, supervise.pid);
    assert!(matches!(next.next(), FromInit::Hello(_)));
    assert_eq!(exits(&next, 1), said);
}

#[test]
fn idle_means_no_wake_up() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let init = supervise.init.as_raw_nonzero();
    let switches = || {
        let status = fs::read_to_string(format!("/proc/{init}/status")).expect("init runs");
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        lines.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    // The acknowledgement may still be on its way: it is dealt with when the answer is here.
    assert!(supervise.fetch("nothing").is_none());
    assert_eq!(supervise.next_within(Duration::from_millis(200)), None);
    let before = switches();
    assert_eq!(supervise.next_within(Duration::from_secs(3)), None);
    assert_eq!(switches(), before);
}
