//! Every step that can go wrong says which it was, and what the kernel said.

use std::sync::atomic::AtomicU32;

use graph::{CapabilitySet, LimitSpec, MountSpec, Process, TtySpec};
use unit::Step;

use crate::Errno;
use crate::spawn::testing::*;
use crate::spawn::{Kin, Order, Outcome, Output, PathTest, Prepared, Spawner, Stdin};
use crate::testing::{Scratch, is_emulated, is_root};
use crate::users::Identity;

/// Asserts that `order` fails at `step` with `errno`, with either form of the clone.
fn fails(order: &Order<'_>, step: Step, errno: Errno) {
    for mut spawner in [Spawner::new(Kin::Child), Spawner::without_clone3(Kin::Child)] {
        let Err(error) = Live::with(&mut spawner, order, None) else {
            panic!("it should fail at {step:?}")
        };
        assert_eq!((error.step, i32::from(error.errno)), (step, errno.raw_os_error()));
    }
}

fn fails_with(change: impl FnOnce(&mut Process), step: Step, errno: Errno) {
    let mut process = sleeper();
    change(&mut process);
    fails(&order(&process, None), step, errno);
}

#[test]
fn definition() {
    let nul = |process: &mut Process| process.exec.push("a\0b".into());
    let unknown = LimitSpec { name: "unknown".into(), soft: 1, hard: 1 };
    fails_with(nul, Step::Definition, Errno::INVAL);
    fails_with(|process| process.run.limits = vec![unknown], Step::Definition, Errno::INVAL);
    fails_with(|process| process.exec.clear(), Step::Definition, Errno::NOEXEC);
    let relative = vec!["run/x".into()];
    fails_with(|process| process.run.directories = relative, Step::Definition, Errno::INVAL);
}

#[test]
fn log() {
    let process = sleeper();
    let mut order = order(&process, None);
    order.output = Output::Fifo("/nothing/log");
    fails(&order, Step::Log, Errno::NOENT);
    (order.output, order.stdin) = (Output::Null, Stdin::Fifo("/proc"));
    fails(&order, Step::Log, Errno::ISDIR);
}

#[test]
fn notify() {
    let scratch = Scratch::new();
    let fifo = scratch.path("ready");
    let process = sleeper();
    let mut order = order(&process, None);
    order.ready = Some((3, &fifo));
    fails(&order, Step::Notify, Errno::NOENT);
    crate::fifo::make(fifo.as_ref(), 0o600, None).unwrap();
    for number in [1 << 30, u32::MAX] {
        order.ready = Some((number, &fifo));
        fails(&order, Step::Notify, Errno::BADF);
    }
}

#[test]
fn directories() {
    let below_a_file = vec!["/dev/null/x".into()];
    fails_with(|process| process.run.directories = below_a_file, Step::Directories, Errno::NOTDIR);
}

#[test]
fn mounts() {
    if !is_root() {
        return;
    }
    let absent = || "/nothing/here".to_owned();
    for mount in [
        MountSpec::Tmpfs(absent()),
        MountSpec::ReadOnly(absent()),
        MountSpec::Inaccessible(absent()),
        MountSpec::Bind { source: absent(), target: "/tmp".into() },
        MountSpec::Bind { source: "/tmp".into(), target: absent() },
    ] {
        fails_with(|process| process.run.mounts = vec![mount], Step::Mounts, Errno::NOENT);
    }
}

#[test]
fn tty() {
    if is_emulated("hang up a terminal") {
        return;
    }
    for reset in [true, false] {
        let null = TtySpec { path: "/dev/null".into(), reset };
        fails_with(|process| process.run.tty = Some(null), Step::Tty, Errno::NOTTY);
    }
    let absent = TtySpec { path: "/dev/nothing".into(), reset: false };
    fails_with(|process| process.run.tty = Some(absent), Step::Tty, Errno::NOENT);
}

#[test]
fn limits() {
    let inverted = LimitSpec { name: "core".into(), soft: 2, hard: 1 };
    fails_with(|process| process.run.limits = vec![inverted], Step::Limits, Errno::INVAL);
}

#[test]
fn priority() {
    fails_with(|process| process.run.oom_score_adj = Some(2000), Step::Priority, Errno::INVAL);
}

#[test]
fn user() {
    let process = sleeper();
    let nobody = Identity { uid: u32::MAX - 1, gid: 1, groups: Vec::new(), home: None };
    if !is_root() {
        return fails(&order(&process, Some(&nobody)), Step::User, Errno::PERM);
    }
    let groups = vec![rustix::process::Gid::from_raw(1); 65537];
    let too_many = Identity { uid: 1, gid: 1, groups, home: None };
    fails(&order(&process, Some(&too_many)), Step::User, Errno::INVAL);
}

#[test]
fn capabilities() {
    if !is_root() {
        return;
    }
    let outside = Some(CapabilitySet { bounding: Some(0), ambient: 1 });
    fails_with(|process| process.run.capabilities = outside, Step::Capabilities, Errno::PERM);
}

#[test]
fn cwd() {
    fails_with(|process| process.run.cwd = "/nothing".into(), Step::Cwd, Errno::NOENT);
    fails_with(|process| process.run.cwd = "/dev/null".into(), Step::Cwd, Errno::NOTDIR);
}

#[test]
fn environment() {
    let absent = vec!["/nothing".into()];
    let directory = vec!["-/proc".into()];
    fails_with(|process| process.environment.files = absent, Step::Environment, Errno::NOENT);
    fails_with(|process| process.environment.files = directory, Step::Environment, Errno::ISDIR);
}

#[test]
fn exec() {
    let scratch = Scratch::new();
    let empty = scratch.path("empty");
    std::fs::write(&empty, "").unwrap();
    fails_with(|process| process.exec = vec![empty.clone()], Step::Exec, Errno::ACCESS);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&empty, mode).unwrap();
    fails_with(|process| process.exec = vec![empty.clone()], Step::Exec, Errno::NOEXEC);
    fails_with(|process| process.exec = vec!["/nothing".into()], Step::Exec, Errno::NOENT);
    fails_with(|process| process.exec = vec!["no-such-program".into()], Step::Exec, Errno::NOENT);
    fails_with(|process| process.exec = vec!["/".into()], Step::Exec, Errno::ACCESS);
}

#[test]
fn a_child_that_failed_ends_with_the_status_of_shells() {
    let process = process(&["/nothing"]);
    let word = std::sync::atomic::AtomicU32::new(0);
    let prepared = Prepared::new(&order(&process, None)).unwrap();
    let spawned = Spawner::new(Kin::Child).spawn(prepared, None, &word).unwrap();
    assert_eq!(reap(spawned.pid), 127 << 8);
}

#[test]
fn a_condition_that_does_not_hold() {
    let process = process(&["true"]);
    let test = |index, path, negated| PathTest { index, path, negated };
    let holds = [test(0, "/proc/self", false), test(1, "/nowhere/at/all", true)];
    let others = [test(2, "/nowhere/at/all", false), test(3, "/proc/self", true)];
    for other in others {
        for mut spawner in [Spawner::new(Kin::Child), Spawner::without_clone3(Kin::Child)] {
            let (first, second) = (holds[0], holds[1]);
            let paths = [first, second, other];
            let order = Order { paths: &paths, ..order(&process, None) };
            let prepared = Prepared::new(&order).unwrap();
            let spawned = spawner.spawn(prepared, None, &AtomicU32::new(0)).unwrap();
            assert_eq!(outcome(&spawned.report), Outcome::Unmet(other.index));
        }
    }
    let order = Order { paths: &holds, ..order(&process, None) };
    drop(Live::with(&mut Spawner::new(Kin::Child), &order, None).expect("they hold"));
}
