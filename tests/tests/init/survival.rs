//! Fatal signals to init.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::process::Signal;
use wire::link::{FromInit, FromSupervise};

use crate::tree::{Tree, name};

#[test]
fn init_goes_on_after_a_fatal_signal() {
    if !tests::may_unshare() {
        return;
    }
    for signal in [Signal::SEGV, Signal::BUS, Signal::ILL, Signal::FPE, Signal::ABORT] {
        let tree = Tree::container();
        let mut supervise = tree.supervise();
        supervise.greet();
        let (read, write) = rustix::pipe::pipe().expect("a pipe");
        let hold = FromSupervise::Hold { name: name("log/a") };
        supervise.send(&hold.encode(), &[write.as_fd()]);
        drop(write);
        supervise.run("(exit 1 &)");
        assert!(matches!(supervise.next(), FromInit::Exited { seq: 2, .. }));
        // It answers: so it holds the descriptor, and knows that it has sent the exit. Before it
        // does it may say so again, for which the number is.
        assert!(supervise.fetch("log/a").is_some());

        supervise.signal_init(signal);
        // The same link, the same supervise, the same descriptors; exits go on, in order.
        supervise.run("(exit 2 &)");
        let FromInit::Exited { seq: 3, status, .. } = supervise.next() else { panic!("no exit") };
        assert_eq!(status, 2 << 8);
        let held = supervise.fetch("log/a").expect("it is still held");
        rustix::io::write(&held, b"x").expect("a pipe");
        assert_eq!(rustix::io::read(&read, &mut [0; 8]), Ok(1));
        assert!(!tree.starts_another(Duration::from_millis(100)));
        // What was not acknowledged then is not forgotten now.
        supervise.kill();
        let supervise = tree.supervise();
        let FromInit::Hello(hello) = supervise.next() else { panic!("no Hello") };
        assert_eq!((hello.starts, hello.lost_exits), (2, false));
        assert!(matches!(supervise.next(), FromInit::Exited { seq: 2, .. }));
        assert!(matches!(supervise.next(), FromInit::Exited { seq: 3, .. }));
    }
}

#[test]
fn a_state_that_leads_to_one_crash_after_the_other_is_forgotten() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    for crash in 1..=4 {
        supervise.signal_init(Signal::SEGV);
        if crash < 4 {
            // It is back when it answers.
            assert!(supervise.fetch("nothing").is_none());
        }
    }
    let next = tree.supervise();
    let FromInit::Hello(hello) = next.next() else { panic!("no Hello") };
    assert_eq!((hello.starts, hello.lost_exits, hello.init_pid), (1, true, 1));
    let FromInit::Ping { seq } = next.next() else { panic!("no Ping") };
    next.say(FromSupervise::Ack { seq });
    assert!(next.fetch("nothing").is_none());
}

#[test]
fn the_final_phase_goes_on_after_a_fatal_signal() {
    if !tests::may_unshare() {
        return;
    }
    let mut tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    let mark = tree.dir.join("deaf");
    // It does not heed SIGTERM; the file says that it has begun not to.
    let deaf = format!("(sh -c 'trap \"\" TERM; : > {}; sleep 1000' &)", mark.display());
    supervise.run(&format!("{deaf}; while [ ! -e {} ]; do :; done", mark.display()));
    let last =
        FromSupervise::Final { request: wire::link::Request::Exit, exit_status: 9, grace_ms: 1000 };
    supervise.say(last);
    // The stand-in is gone first: then the phase has begun.
    let gone = rustix::process::pidfd_open(supervise.pid, rustix::process::PidfdFlags::empty());
    if let Ok(gone) = gone {
        let mut files = [rustix::event::PollFd::new(&gone, rustix::event::PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut files, None), Ok(1));
    }
    supervise.signal_init(Signal::SEGV);
    assert_eq!(tree.ended().0.code(), Some(9));
}
