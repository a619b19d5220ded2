//! Children that take long between clone and exec: here, until somebody opens a FIFO for writing
//! that they read as an environment file; on a node, until a disk answers.

use std::sync::atomic::AtomicU32;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::process::{DumpableBehavior, Gid, dumpable_behavior};

use crate::fifo;
use crate::process::Handle;
use crate::spawn::testing::*;
use crate::spawn::{Kin, Outcome, Output, Prepared, Spawned, Spawner};
use crate::testing::{Scratch, is_root, wait};
use crate::users::Identity;

/// Makes a FIFO and does not open it. Other tests clone at the same time, in threads of this
/// process: a descriptor that was open for an instant could live on in one of their children, and
/// be a writer whose going is the end of the file.
fn unopened(path: &str) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

/// Begins a spawn that does not come to its end before [`let_go`].
fn begin(spawner: &mut Spawner, scratch: &Scratch, name: &str) -> (Live, crate::spawn::Report) {
    let path = scratch.path(name);
    unopened(&path);
    let mut process = sleeper();
    process.environment.files = vec![path];
    let prepared = Prepared::new(&order(&process, None)).unwrap();
    let Spawned { pid, report } = spawner.spawn(prepared, None, &AtomicU32::new(0)).unwrap();
    (Live::of(pid), report)
}

fn let_go(scratch: &Scratch, name: &str) {
    // Waits until the child has come as far as to open it for reading.
    let fifo = rustix::fs::open(scratch.path(name), OFlags::WRONLY, Mode::empty()).unwrap();
    rustix::io::write(&fifo, format!("NAME={name}").as_bytes()).unwrap();
}

#[test]
fn a_child_that_waits_delays_nobody() {
    let scratch = Scratch::new();
    let mut spawner = Spawner::new(Kin::Child);
    let names: Vec<String> = (0..8).map(|number| number.to_string()).collect();
    let begun: Vec<_> = names.iter().map(|name| begin(&mut spawner, &scratch, name)).collect();
    Live::with(&mut spawner, &order(&sleeper(), None), None).unwrap();
    assert!(begun.iter().all(|(_, report)| report.outcome() == Outcome::Pending));
    for (name, (live, report)) in names.iter().zip(&begun).rev() {
        let_go(&scratch, name);
        assert_eq!(outcome(report), Outcome::Executed);
        assert_eq!(live.environment(), ["PATH=/usr/bin:/bin", &format!("NAME={name}")]);
    }
}

#[test]
fn a_child_that_nobody_listens_to_goes_on() {
    let scratch = Scratch::new();
    let (variables, output) = (scratch.path("a"), scratch.path("output"));
    unopened(&variables);
    unopened(&output);
    let reader = fifo::open(output.as_ref()).unwrap();
    let mut process = process(&["sh", "-c", "echo $NAME; sleep 1000"]);
    process.environment.files = vec![variables];
    let mut order = order(&process, None);
    order.output = Output::Fifo(&output);
    let prepared = Prepared::new(&order).unwrap();
    let mut spawner = Spawner::new(Kin::Child);
    let Spawned { pid, report } = spawner.spawn(prepared, None, &AtomicU32::new(0)).unwrap();
    let _live = Live::of(pid);
    drop((report, spawner));
    // What it works with is its own still, whatever we do with what we have freed.
    drop(vec![vec![0xff_u8; 4096]; 64]);
    let_go(&scratch, "a");
    let mut bytes = [0; 8];
    let length = wait(&reader, || rustix::io::read(&reader, &mut bytes).ok());
    assert_eq!(&bytes[..length], b"a\n");
}

#[test]
fn a_child_that_waits_can_be_stopped() {
    let scratch = Scratch::new();
    let mut spawner = Spawner::new(Kin::Child);
    let (live, report) = begin(&mut spawner, &scratch, "a");
    Handle::open(live.pid).unwrap().send(15).unwrap();
    assert_eq!(reap(live.pid), 15);
    assert_eq!(report.outcome(), Outcome::Executed, "and its end tells that it was not");
    std::mem::forget(live);
}

#[test]
fn the_supervisor_itself_stays_as_it_is() {
    if !is_root() {
        return;
    }
    let nice = rustix::process::getpriority_process(None);
    let score = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let identity = Identity { uid: 4242, gid: 4242, groups: vec![Gid::from_raw(4242)], home: None };
    let mut process = sleeper();
    process.run.capabilities = Some(graph::CapabilitySet { bounding: Some(1), ambient: 0 });
    process.run.umask = Some(0o077);
    process.run.nice = Some(3);
    for adjusted in [None, Some(300)] {
        process.run.oom_score_adj = adjusted;
        for identity in [None, Some(&identity)] {
            Live::new(&order(&process, identity));
        }
    }
    assert_eq!(std::fs::read_to_string("/proc/self/oom_score_adj").unwrap(), score);
    assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::Dumpable));
    assert_eq!(rustix::process::getpriority_process(None), nice);
}
