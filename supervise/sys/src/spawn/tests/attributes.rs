//! The tables `[run]` and `[environment]`, each key seen on a live process.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use caps::{CapSet, Capability, CapsHashSet};
use graph::{CapabilitySet, LimitSpec};
use rustix::process::{Gid, getrlimit};

use crate::spawn::prepare::resource;
use crate::spawn::testing::*;
use crate::testing::{Scratch, is_emulated, is_root};
use crate::users::Identity;

fn identity() -> Identity {
    let groups = [4243, 4244].map(Gid::from_raw).to_vec();
    Identity { uid: 4242, gid: 4243, groups, home: None }
}

/// Sets of another process: the kernel tells three of them by a call, two in /proc only.
fn set_of(live: &Live, set: CapSet) -> CapsHashSet {
    let line = match set {
        CapSet::Bounding => "CapBnd",
        CapSet::Ambient => "CapAmb",
        CapSet::Effective | CapSet::Inheritable | CapSet::Permitted => {
            return caps::read(Some(i32::try_from(live.pid).unwrap()), set).unwrap();
        }
    };
    let bits = u64::from_str_radix(&live.status(line), 16).unwrap();
    caps::all().into_iter().filter(|capability| bits & capability.bitmask() != 0).collect()
}

/// Limits of this name; without CAP_SYS_RESOURCE, as in many containers, no higher than ours.
fn limit(name: &str, soft: u64, hard: u64) -> LimitSpec {
    let ours = getrlimit(resource(name).unwrap()).maximum.unwrap_or(u64::MAX);
    let privileged = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_RESOURCE).unwrap();
    let cut = |value: u64| if privileged { value } else { value.min(ours) };
    LimitSpec { name: name.into(), soft: cut(soft), hard: cut(hard) }
}

#[test]
fn a_user_has_its_numbers_and_no_capabilities() {
    if !is_root() {
        return;
    }
    let live = Live::new(&order(&sleeper(), Some(&identity())));
    assert_eq!(live.status("Uid"), "4242\t4242\t4242\t4242");
    assert_eq!(live.status("Gid"), "4243\t4243\t4243\t4243");
    assert_eq!(live.status("Groups"), "4243 4244");
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient] {
        assert!(set_of(&live, set).is_empty(), "{set:?}");
    }
}

#[test]
fn ambient_capabilities_survive_the_change_of_user() {
    if !is_root() {
        return;
    }
    let mut process = sleeper();
    let ambient = Capability::CAP_NET_BIND_SERVICE.bitmask() | Capability::CAP_SYS_TIME.bitmask();
    process.run.capabilities = Some(CapabilitySet { bounding: Some(ambient), ambient });
    let live = Live::new(&order(&process, Some(&identity())));
    let expected = CapsHashSet::from([Capability::CAP_NET_BIND_SERVICE, Capability::CAP_SYS_TIME]);
    for set in [
        CapSet::Ambient,
        CapSet::Bounding,
        CapSet::Effective,
        CapSet::Inheritable,
        CapSet::Permitted,
    ] {
        assert_eq!(set_of(&live, set), expected, "{set:?}");
    }
}

#[test]
fn the_bounding_set_binds_root() {
    if !is_root() {
        return;
    }
    let mut process = sleeper();
    let bounding = Some(Capability::CAP_CHOWN.bitmask() | Capability::CAP_KILL.bitmask());
    process.run.capabilities = Some(CapabilitySet { bounding, ambient: 0 });
    let live = Live::new(&order(&process, None));
    let expected = CapsHashSet::from([Capability::CAP_CHOWN, Capability::CAP_KILL]);
    for set in [CapSet::Bounding, CapSet::Effective, CapSet::Permitted] {
        assert_eq!(set_of(&live, set), expected, "{set:?}");
    }
    assert!(set_of(&live, CapSet::Ambient).is_empty());
}

#[test]
fn without_a_word_capabilities_are_ours() {
    let live = Live::new(&order(&sleeper(), None));
    for set in [CapSet::Bounding, CapSet::Permitted] {
        assert_eq!(set_of(&live, set), caps::read(None, set).unwrap(), "{set:?}");
    }
}

#[test]
fn no_new_privileges_are_gained() {
    let mut process = sleeper();
    process.run.no_new_privs = true;
    assert_eq!(Live::new(&order(&process, None)).status("NoNewPrivs"), "1");
}

#[test]
fn priorities_are_set() {
    if !is_root() {
        return;
    }
    let mut process = sleeper();
    process.run.nice = Some(-7);
    process.run.oom_score_adj = Some(300);
    let live = Live::new(&order(&process, None));
    assert_eq!((live.stat(19), live.proc("oom_score_adj").trim()), (-7, "300"));
}

#[test]
fn priorities_are_not_those_of_the_supervisor() {
    if is_emulated("make siblings") {
        return;
    }
    if !is_root() {
        return;
    }
    // A test's thread cannot change our score alone, so a child of ours changes its own, and
    // starts a process in its turn.
    let seen = super::kin::seen_from_a_child_with(500, 5);
    assert_eq!(seen, ("0\n".into(), 0));
}

#[test]
fn the_file_mode_mask_and_the_directory_are_set() {
    let scratch = Scratch::new();
    let mut process = sleeper();
    process.run.umask = Some(0o077);
    process.run.cwd = scratch.path("");
    let live = Live::new(&order(&process, None));
    assert_eq!(live.status("Umask"), "0077");
    assert_eq!(live.link("cwd"), scratch.0);
}

#[test]
fn every_limit_is_set() {
    if is_emulated("limit memory") {
        return;
    }
    let kernel = [
        ("as", "Max address space"),
        ("core", "Max core file size"),
        ("cpu", "Max cpu time"),
        ("data", "Max data size"),
        ("fsize", "Max file size"),
        ("locks", "Max file locks"),
        ("memlock", "Max locked memory"),
        ("msgqueue", "Max msgqueue size"),
        ("nice", "Max nice priority"),
        ("nofile", "Max open files"),
        ("nproc", "Max processes"),
        ("rss", "Max resident set"),
        ("rtprio", "Max realtime priority"),
        ("rttime", "Max realtime timeout"),
        ("sigpending", "Max pending signals"),
        ("stack", "Max stack size"),
    ];
    let mut process = sleeper();
    // Large enough for a program to run, and each another one.
    let wanted = |(number, (name, _)): (u64, &(&str, &str))| match *name {
        "nice" | "rtprio" => limit(name, 7, 9),
        "nofile" => limit(name, 400, 500),
        "core" => limit(name, 0, u64::MAX),
        _ => limit(name, (1 << 30) + number, (1 << 31) + number),
    };
    process.run.limits = (0..).zip(&kernel).map(wanted).collect();
    let live = Live::new(&order(&process, None));
    for (spec, (_, line)) in process.run.limits.iter().zip(kernel) {
        let text = |value: u64| match value {
            u64::MAX => "unlimited".to_owned(),
            value => value.to_string(),
        };
        assert_eq!(live.limit(line), (text(spec.soft), text(spec.hard)), "{line}");
    }
}

#[test]
fn directories_are_made_and_given_to_the_user() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let mut process = sleeper();
    let nested = scratch.path("a/b/c");
    let moded = scratch.path("moded");
    let existing = scratch.path("existing");
    std::fs::create_dir(&existing).unwrap();
    std::fs::set_permissions(&existing, std::fs::Permissions::from_mode(0o777)).unwrap();
    process.run.directories = vec![nested.clone(), format!("{moded}:2750"), existing.clone()];
    let _live = Live::new(&order(&process, Some(&identity())));
    for (path, mode) in [(&nested, 0o755), (&moded, 0o2750), (&existing, 0o755)] {
        let metadata = std::fs::metadata(path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (4242, 4243), "{path}");
        assert_eq!(metadata.mode() & 0o7777, mode, "{path}");
    }
    assert_eq!(std::fs::metadata(scratch.path("a")).unwrap().uid(), 0, "ancestors stay root's");
}

#[test]
fn a_link_in_the_place_of_a_directory_is_not_followed() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    let target = scratch.path("target");
    std::fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, scratch.path("link")).unwrap();
    let mut process = sleeper();
    process.run.directories = vec![scratch.path("link")];
    let error = Live::try_new(&order(&process, Some(&identity()))).err().unwrap();
    assert_eq!(error.step, unit::Step::Directories);
    assert_eq!(std::fs::metadata(&target).unwrap().uid(), 0);
}

#[test]
fn the_program_is_searched_as_the_user_and_from_its_directory() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("bin")).unwrap();
    std::fs::copy("/bin/sleep", scratch.path("bin/mine")).unwrap();
    let mut process = process(&["bin/mine", "1000"]);
    process.run.cwd = scratch.path("");
    let live = Live::new(&order(&process, Some(&identity())));
    assert_eq!(live.link("exe"), PathBuf::from(scratch.path("bin/mine")));
}
