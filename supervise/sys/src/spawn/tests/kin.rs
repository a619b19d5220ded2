//! Whose child a process is. The test's process plays init; a child of it plays `supervise`.

use std::sync::atomic::{AtomicU32, Ordering};

use unit::Step;

use crate::Errno;
use crate::map::Shared;
use crate::process::Stat;
use crate::raw;
use crate::spawn::testing::*;
use crate::spawn::{Kin, Prepared, Spawner};
use crate::testing::{Scratch, is_emulated};

/// Runs `role` in a child of this process, which ends with what it returns; the test's process
/// goes on at once.
fn fork(role: impl FnOnce() -> u8) -> u32 {
    // SAFETY: the child is a copy of a process with many threads, of which it has one. What the
    // roles call takes no lock but the allocator's, which the C library holds over its fork.
    match unsafe { libc::fork() } {
        0 => {
            crate::testing::allow_allocation();
            // A panic must not run the rest of this test a second time.
            let role = std::panic::AssertUnwindSafe(role);
            raw::exit_now(std::panic::catch_unwind(role).unwrap_or(101))
        }
        pid => u32::try_from(pid).expect("there is room for a process"),
    }
}

/// Spawns a sleeper from a child, which makes its spawner by itself, and returns that child's wait
/// status and what was recorded.
fn spawn_from_a_child(spawner: impl FnOnce() -> Spawner) -> (i32, Shared) {
    let scratch = Scratch::new();
    let record = Shared::create(&scratch.0.join("record"), 4096, 0o600).unwrap();
    let process = sleeper();
    let prepared = Prepared::new(&order(&process, None)).unwrap();
    let words = record.words();
    let supervisor = fork(|| match spawner().spawn(prepared, None, &words[0]) {
        Ok(spawned) => {
            let executed = outcome(&spawned.report) == crate::spawn::Outcome::Executed;
            u8::from(!executed)
        }
        Err(error) => {
            let step = u32::from(error.step == Step::Clone);
            words[1].store(step << 16 | u32::from(error.errno), Ordering::Release);
            2
        }
    });
    (reap(supervisor), record)
}

#[test]
fn a_service_is_the_child_of_the_supervisors_parent() {
    if is_emulated("make siblings") {
        return;
    }
    for spawner in [Spawner::new, Spawner::without_clone3] {
        let (status, record) = spawn_from_a_child(|| spawner(Kin::Sibling));
        assert_eq!(status, 0);
        let live = Live::of(record.words()[0].load(Ordering::Acquire));
        assert_eq!(Stat::of(live.pid).unwrap().parent, std::process::id());
        // That we can wait for it like for any child of ours is what Live's end shows.
    }
}

#[test]
fn a_service_outlives_its_supervisor_and_is_on_record() {
    if is_emulated("make siblings") {
        return;
    }
    let scratch = Scratch::new();
    let record = Shared::create(&scratch.0.join("record"), 4096, 0o600).unwrap();
    let process = sleeper();
    let prepared = Prepared::new(&order(&process, None)).unwrap();
    let mut spawner = Spawner::new(Kin::Sibling);
    let supervisor = fork(|| {
        if spawner.spawn(prepared, None, &record.words()[0]).is_err() {
            return 2;
        }
        // What a supervisor that is killed at this instant looks like.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        0
    });
    assert_eq!(reap(supervisor), 9);
    let live = Live::of(record.words()[0].load(Ordering::Acquire));
    assert_eq!(Stat::of(live.pid).unwrap().parent, std::process::id());
}

#[test]
fn a_supervisor_without_descriptors_says_so() {
    let (status, record) = spawn_from_a_child(|| {
        let spawner = Spawner::new(Kin::Child);
        let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
        let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, none);
        spawner
    });
    assert_eq!(status, 2 << 8);
    let expected = 1 << 16 | u32::try_from(Errno::MFILE.raw_os_error()).unwrap();
    assert_eq!(record.words()[1].load(Ordering::Acquire), expected);
}

#[test]
fn closed_standard_descriptors_are_no_hindrance() {
    if is_emulated("make siblings") {
        return;
    }
    // Its own pipe and files then have the very numbers that the program is to have.
    let (status, record) = spawn_from_a_child(|| {
        for fd in 0..3 {
            // SAFETY: this child of the test uses none of them any more.
            unsafe { libc::close(fd) };
        }
        Spawner::new(Kin::Sibling)
    });
    assert_eq!(status, 0);
    let live = Live::of(record.words()[0].load(Ordering::Acquire));
    let null = || std::path::PathBuf::from("/dev/null");
    assert_eq!(live.descriptors(), [(0, null()), (1, null()), (2, null())]);
}

#[test]
fn the_supervisors_oom_score_is_its_own_again_once_no_child_shares_its_memory() {
    if is_emulated("share memory") {
        return;
    }
    let process = sleeper();
    let prepared = Prepared::new(&order(&process, None)).unwrap();
    let status = reap(fork(|| {
        let own = || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
        std::fs::write("/proc/self/oom_score_adj", "500").unwrap();
        let mut spawner = Spawner::new(Kin::Child);
        assert_eq!(spawner.own_oom_score_adj(), Some(500));
        let spawned = spawner.spawn(prepared, None, &AtomicU32::new(0)).unwrap();
        let live = Live::of(spawned.pid);
        spawner.rest();
        assert_eq!(own().trim(), "0", "the child has not been seen to leave");
        assert_eq!(outcome(&spawned.report), crate::spawn::Outcome::Executed);
        drop(spawned.report);
        spawner.rest();
        assert_eq!(own().trim(), "500");
        assert_eq!(live.proc("oom_score_adj").trim(), "0");
        0
    }));
    assert_eq!(status, 0);
}

/// The OOM score and nice value of a process of all defaults, whose parent has these.
pub(super) fn seen_from_a_child_with(score: i32, nice: i32) -> (String, i64) {
    let score = score.to_string();
    let (status, record) = spawn_from_a_child(|| {
        std::fs::write("/proc/self/oom_score_adj", &score).unwrap();
        rustix::process::setpriority_process(None, nice).unwrap();
        Spawner::new(Kin::Sibling)
    });
    assert_eq!(status, 0);
    let live = Live::of(record.words()[0].load(Ordering::Acquire));
    (live.proc("oom_score_adj"), live.stat(19))
}

#[test]
fn descriptors_are_closed_on_exec_one_by_one_on_old_kernels() {
    let status = reap(fork(|| {
        // Not close-on-exec, both.
        let (read, write) = rustix::pipe::pipe().unwrap();
        raw::close_on_exec_one_by_one(3);
        let is_closed = |fd| rustix::io::fcntl_getfd(fd) == Ok(rustix::io::FdFlags::CLOEXEC);
        u8::from(!(is_closed(&read) && is_closed(&write)))
    }));
    assert_eq!(status, 0);
}
