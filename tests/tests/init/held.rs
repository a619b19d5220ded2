//! Descriptors that init holds, and what garbage on the link does to them: nothing.

use std::os::fd::{AsFd, OwnedFd};

use wire::link::{FromInit, FromSupervise, Request, SIZE};

use crate::tree::{Supervise, Tree, name};

/// Holds the writing end of a pipe; returns the reading end.
fn hold_pipe(supervise: &Supervise, text: &str) -> OwnedFd {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    let message = FromSupervise::Hold { name: name(text) };
    supervise.send(&message.encode(), &[write.as_fd()]);
    read
}

fn leads_to(write: &OwnedFd, read: &OwnedFd) -> bool {
    rustix::io::write(write, b"x").expect("a pipe");
    let mut byte = [0];
    rustix::io::read(read, &mut byte).expect("what was written") == 1 && byte == *b"x"
}

#[test]
fn held_descriptors_outlive_supervise() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let pipes: Vec<_> =
        (0..500).map(|number| hold_pipe(&supervise, &format!("log/{number}"))).collect();
    assert!(supervise.fetch("log/500").is_none());
    supervise.kill();

    let supervise = tree.supervise();
    supervise.greet();
    for (number, read) in pipes.iter().enumerate() {
        let write = supervise.fetch(&format!("log/{number}")).expect("it is held");
        assert!(leads_to(&write, read));
    }
    supervise.say(FromSupervise::Drop { name: name("log/7") });
    assert!(supervise.fetch("log/7").is_none());
    // Nobody has the other end any more: end of file.
    assert_eq!(rustix::io::read(&pipes[7], &mut [0; 1]), Ok(0));
    assert!(supervise.fetch("log/8").is_some());
}

#[test]
fn the_last_descriptor_of_a_name_counts() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let first = hold_pipe(&supervise, "control");
    let second = hold_pipe(&supervise, "control");
    let write = supervise.fetch("control").expect("it is held");
    assert!(leads_to(&write, &second));
    assert_eq!(rustix::io::read(&first, &mut [0; 1]), Ok(0));
}

#[test]
fn garbage_on_the_link_harms_nothing() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    let read = hold_pipe(&supervise, "log/a");
    let other = std::fs::File::open("/dev/null").expect("there is a /dev/null");
    let many = [other.as_fd(); 60];
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..2000_usize {
        let mut bytes = [0; 3 * SIZE];
        for byte in &mut bytes {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *byte = noise.to_le_bytes()[0];
        }
        let length = 1 + round % bytes.len();
        supervise.send(&bytes[..length], &many[..round % 60]);
    }
    // Real messages that make no sense: descriptors missing, too many, or of no use; numbers that
    // were never given out; the other direction's.
    supervise.say(FromSupervise::Hold { name: name("log/a") });
    supervise.say(FromSupervise::Stdio);
    supervise.say(FromSupervise::Ack { seq: u64::MAX });
    supervise.say(FromSupervise::Drop { name: name("never-held") });
    supervise.send(&FromSupervise::Ack { seq: 0 }.encode(), &many);
    supervise.send(&FromInit::Ping { seq: 1 }.encode(), &[]);
    supervise.send(&FromSupervise::Hold { name: name("log/b") }.encode(), &many);

    let write = supervise.fetch("log/a").expect("it is still held");
    assert!(leads_to(&write, &read));
    assert!(supervise.fetch("log/b").is_some(), "the first of many is taken");
    let init = supervise.init.as_raw_nonzero();
    let open = std::fs::read_dir(format!("/proc/{init}/fd")).expect("init runs").count();
    assert!(open < 20, "{open} descriptors are open");
    // And it still does its work.
    supervise.run("(exit 3 &)");
    let FromInit::Exited { status, .. } = supervise.next() else { panic!("no exit") };
    assert_eq!(status, 3 << 8);
}

#[test]
fn a_flood_of_questions_is_answered_whole() {
    // The answers do not fit into the socket: init must neither lose one nor block.
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let mut supervise = tree.supervise();
    supervise.greet();
    let read = hold_pipe(&supervise, "log/a");
    // As many as the other direction takes without anybody reading.
    const COUNT: usize = 250;
    for _ in 0..COUNT {
        supervise.say(FromSupervise::Fetch { name: name("log/a") });
    }
    supervise.run("(exit 3 &)");
    let (mut answers, mut exits) = (0, 0);
    while answers < COUNT || exits < 1 {
        match supervise.next_with_fd() {
            (FromInit::Held { found: true, .. }, Some(write)) => {
                assert!(leads_to(&write, &read));
                answers += 1;
            }
            (FromInit::Exited { .. }, None) => exits += 1,
            (message, _) => panic!("{message:?}"),
        }
    }
}

#[test]
fn whoever_hangs_up_is_replaced() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let pid = supervise.pid;
    let shell = supervise.hang_up();
    let next = tree.supervise();
    next.greet();
    assert_ne!(next.pid, pid);
    drop(shell);
    next.say(FromSupervise::Final { request: Request::Exit, exit_status: 0, grace_ms: 1000 });
}

#[test]
fn what_init_says_goes_to_the_log_that_it_was_given() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    supervise.send(&FromSupervise::Stdio.encode(), &[write.as_fd()]);
    drop(write);
    assert!(supervise.fetch("nothing").is_none(), "it has come that far");
    supervise.kill();
    let mut next = tree.supervise();
    next.greet();
    // And what the next supervise and its children say.
    assert_eq!(next.run("echo so says a child >&2"), 0);
    let mut text = [0; 1024];
    let mut length = 0;
    while !text[..length].ends_with(b"a child\n") {
        length += rustix::io::read(&read, &mut text[length..]).expect("a pipe");
    }
    let text = String::from_utf8_lossy(&text[..length]);
    assert!(text.contains("supervise ended: signal 9"), "{text}");
}

#[test]
fn a_log_that_nobody_reads_does_not_block_init() {
    if !tests::may_unshare() {
        return;
    }
    let tree = Tree::container();
    let supervise = tree.supervise();
    supervise.greet();
    let (_read, write) = rustix::pipe::pipe().expect("a pipe");
    supervise.send(&FromSupervise::Stdio.encode(), &[write.as_fd()]);
    // Full to the last byte.
    let _ = rustix::pipe::fcntl_setpipe_size(&write, 4096);
    let size = rustix::pipe::fcntl_getpipe_size(&write).expect("a pipe");
    rustix::io::write(&write, &vec![b'x'; size]).expect("it fits");
    supervise.kill();
    tree.supervise().greet();
}
