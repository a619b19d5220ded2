//! What every process gets, and what none inherits.

use std::path::PathBuf;

use crate::fifo;
use crate::spawn::testing::*;
use crate::spawn::{Kin, Output, Spawner, Stdin, signals};
use crate::testing::{Scratch, is_emulated, wait};

/// Both forms of the clone.
fn spawners() -> [Spawner; 2] {
    [Spawner::new(Kin::Child), Spawner::without_clone3(Kin::Child)]
}

#[test]
fn a_program_is_executed_with_its_arguments() {
    let process = process(&["sleep", "1000"]);
    for mut spawner in spawners() {
        let live = Live::with(&mut spawner, &order(&process, None), None).unwrap();
        assert_eq!(live.proc("cmdline"), "sleep\x001000\0");
    }
}

#[test]
fn a_program_without_a_slash_is_searched_in_the_service_path() {
    let scratch = Scratch::new();
    let mut process = process(&["sleep", "1000"]);
    let path = format!("/nothing:{}::/usr/bin/true:/bin:/usr/bin", scratch.0.display());
    process.environment.variables = vec![("PATH".into(), path)];
    Live::new(&order(&process, None));
}

#[test]
fn nothing_of_our_environment_is_inherited() {
    assert!(std::env::vars_os().count() > 1, "there is something to inherit");
    let mut process = sleeper();
    process.environment.variables.push(("B".into(), "=".into()));
    let mut order = order(&process, None);
    order.variables = &[("NOTIFY_SOCKET", "/run/x"), ("A", "")];
    let live = Live::new(&order);
    assert_eq!(live.environment(), ["PATH=/usr/bin:/bin", "B==", "NOTIFY_SOCKET=/run/x", "A="]);
}

#[test]
fn a_watchdog_is_told_whom_it_is_for() {
    let process = sleeper();
    let mut order = order(&process, None);
    order.watchdog_us = Some(5_000_000);
    let live = Live::new(&order);
    let pid = format!("WATCHDOG_PID={}", live.pid);
    assert_eq!(live.environment(), ["PATH=/usr/bin:/bin", "WATCHDOG_USEC=5000000", &pid]);
}

#[test]
fn descriptors_are_three_and_none_is_inherited() {
    // Not close-on-exec: what a careless library leaves behind.
    let (_read, _write) = rustix::pipe::pipe().unwrap();
    let process = sleeper();
    for mut spawner in spawners() {
        let live = Live::with(&mut spawner, &order(&process, None), None).unwrap();
        let null = || PathBuf::from("/dev/null");
        assert_eq!(live.descriptors(), [(0, null()), (1, null()), (2, null())]);
    }
}

#[test]
fn the_ready_descriptor_has_the_number_that_was_asked_for() {
    let scratch = Scratch::new();
    let path = scratch.path("ready");
    fifo::make(path.as_ref(), 0o600, None).unwrap();
    let reader = fifo::open(path.as_ref()).unwrap();
    // Among these numbers are those that the child uses itself on its way.
    for number in (3..40).chain([500]) {
        // A shell's own redirections need not know more than one digit.
        let script = format!("echo > /proc/self/fd/{number}; sleep 1000");
        let process = process(&["sh", "-c", &script]);
        let mut order = order(&process, None);
        order.ready = Some((number, &path));
        let live = Live::new(&order);
        let mut bytes = [0; 8];
        let length = wait(&reader, || rustix::io::read(&reader, &mut bytes).ok());
        assert_eq!(length, 1, "fd {number}");
        let descriptors = live.descriptors();
        assert!(descriptors.contains(&(number, PathBuf::from(&path))), "{descriptors:?}");
    }
}

#[test]
fn output_and_input_go_through_fifos() {
    let scratch = Scratch::new();
    let (input, output) = (scratch.path("in"), scratch.path("out"));
    for path in [&input, &output] {
        fifo::make(path.as_ref(), 0o600, None).unwrap();
    }
    let reader = fifo::open(output.as_ref()).unwrap();
    let writer = fifo::open(input.as_ref()).unwrap();
    rustix::io::write(&writer, b"hello\n").unwrap();
    let process = process(&["sh", "-c", "read line; echo $line; echo error >&2; sleep 1000"]);
    let mut order = order(&process, None);
    (order.stdin, order.output) = (Stdin::Fifo(&input), Output::Fifo(&output));
    let _live = Live::new(&order);
    let mut text = Vec::new();
    while text.len() < b"hello\nerror\n".len() {
        let mut bytes = [0; 64];
        let length = wait(&reader, || rustix::io::read(&reader, &mut bytes).ok());
        text.extend_from_slice(&bytes[..length]);
    }
    assert_eq!(text, b"hello\nerror\n");
}

#[test]
fn output_may_be_a_file() {
    let scratch = Scratch::new();
    let path = scratch.path("console");
    std::fs::write(&path, "before\n").unwrap();
    let process = process(&["echo", "after"]);
    let mut order = order(&process, None);
    order.output = Output::Console(&path);
    let live = Live::new(&order);
    assert_eq!(reap(live.pid), 0);
    std::mem::forget(live);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nafter\n");
}

#[test]
fn no_signal_is_blocked_or_ignored() {
    if is_emulated("leave signals alone") {
        return;
    }
    // The runtime of every Rust program ignores SIGPIPE; nohup(1) ignores SIGHUP.
    for signal in [libc::SIGPIPE, libc::SIGHUP] {
        // SAFETY: no handler is installed, so that nothing can run at a wrong time.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let process = sleeper();
    for mut spawner in spawners() {
        let mask = signals::block_all();
        let live = Live::with(&mut spawner, &order(&process, None), None);
        signals::restore(mask);
        let live = live.unwrap();
        for line in ["SigBlk", "SigIgn", "SigCgt"] {
            assert_eq!(live.status(line), "0000000000000000", "{line}");
        }
    }
}

#[test]
fn our_own_signal_mask_is_as_before() {
    let before = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    Live::new(&order(&sleeper(), None));
    let after = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let blocked =
        |status: &str| status.lines().find(|line| line.starts_with("SigBlk")).map(str::to_owned);
    assert_eq!(blocked(&before), blocked(&after));
}

#[test]
fn a_process_leads_a_session_without_a_terminal() {
    let live = Live::new(&order(&sleeper(), None));
    assert_eq!((live.stat(5), live.stat(6), live.stat(7)), (live.pid.into(), live.pid.into(), 0));
    assert_eq!(crate::process::session_members(live.pid).unwrap(), [live.pid]);
}

#[test]
fn defaults_are_those_of_the_manual() {
    let live = Live::new(&order(&sleeper(), None));
    assert_eq!(live.status("Umask"), "0022");
    assert_eq!(live.link("cwd"), PathBuf::from("/"));
    // Where we may not raise it, ours stays the hard limit.
    let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let (soft, hard) = live.limit("Max open files");
    assert_eq!(soft, "1024");
    assert!(hard == "524288" || Some(hard.parse().unwrap()) == ours, "{hard}");
    assert_eq!((live.stat(19), live.proc("oom_score_adj").trim()), (0, "0"));
    assert_eq!(live.status("NoNewPrivs"), "0");
}
