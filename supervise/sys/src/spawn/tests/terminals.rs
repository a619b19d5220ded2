//! `tty`, on pseudo-terminals.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use graph::TtySpec;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::spawn::testing::*;
use crate::testing::{is_emulated, is_root};

/// A terminal: the end of whoever sits in front of it, and its name.
fn terminal() -> (OwnedFd, String) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let front = openpt(flags).unwrap();
    grantpt(&front).unwrap();
    unlockpt(&front).unwrap();
    let name = ptsname(&front, Vec::new()).unwrap().into_string().unwrap();
    (front, name)
}

fn open(name: &str) -> OwnedFd {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(name, flags, Mode::empty()).unwrap()
}

#[test]
fn a_terminal_is_the_controlling_one_and_all_three_descriptors() {
    let (_front, name) = terminal();
    let mut process = sleeper();
    process.run.tty = Some(TtySpec { path: name.clone(), reset: false });
    let live = Live::new(&order(&process, None));
    let path = || PathBuf::from(&name);
    assert_eq!(live.descriptors(), [(0, path()), (1, path()), (2, path())]);
    assert_ne!(live.stat(7), 0, "it has a controlling terminal");
    assert_eq!(live.stat(6), live.pid.into(), "and leads its session");
    let flags = live.proc("fdinfo/0");
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:\t")).unwrap();
    let flags = u32::from_str_radix(flags, 8).unwrap();
    assert_eq!(flags & OFlags::NONBLOCK.bits(), 0, "reading it waits");
}

#[test]
fn a_reset_takes_the_terminal_away_and_makes_it_sane() {
    if is_emulated("hang up a terminal") {
        return;
    }
    if !is_root() {
        return;
    }
    let (_front, name) = terminal();
    let old = open(&name);
    let mut modes = tcgetattr(&old).unwrap();
    modes.local_modes = LocalModes::empty();
    tcsetattr(&old, OptionalActions::Now, &modes).unwrap();
    let mut process = sleeper();
    process.run.tty = Some(TtySpec { path: name.clone(), reset: true });
    let live = Live::new(&order(&process, None));
    assert_ne!(live.stat(7), 0);
    // A terminal that was hung up reads as ended, and cannot be written.
    assert_eq!(rustix::io::read(&old, &mut [0; 1]), Ok(0));
    assert_eq!(rustix::io::write(&old, b"x"), Err(crate::Errno::IO));
    let modes = tcgetattr(open(&name)).unwrap();
    assert!(modes.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
}

#[test]
fn a_reset_takes_the_terminal_from_another_session() {
    if is_emulated("hang up a terminal") {
        return;
    }
    if !is_root() {
        return;
    }
    let (_front, name) = terminal();
    let mut process = process(&["sh", "-c", "trap '' HUP; while :; do sleep 1000; done"]);
    process.run.tty = Some(TtySpec { path: name.clone(), reset: false });
    let old = Live::new(&order(&process, None));
    process.run.tty = Some(TtySpec { path: name, reset: true });
    let new = Live::new(&order(&process, None));
    assert_eq!(old.stat(7), 0, "the old session has none any more");
    assert_ne!(new.stat(7), 0);
}
