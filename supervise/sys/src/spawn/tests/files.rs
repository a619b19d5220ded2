//! Environment files.

use crate::Errno;
use crate::spawn::testing::*;
use crate::testing::{Scratch, is_root};
use crate::users::Identity;

#[test]
fn later_definitions_replace_earlier_ones() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path("one"), "# comment\nA=1\nB='x y'\nPATH=/bin:/usr/bin\n").unwrap();
    std::fs::write(scratch.path("two"), "B=z\nC=3").unwrap();
    let mut process = sleeper();
    process.environment.variables.push(("A".into(), "0".into()));
    process.environment.files = vec![
        scratch.path("one"),
        format!("-{}", scratch.path("absent")),
        format!("-{}", scratch.path("two")),
    ];
    let live = Live::new(&order(&process, None));
    assert_eq!(live.environment(), ["PATH=/bin:/usr/bin", "A=1", "B=z", "C=3"]);
}

#[test]
fn a_secret_file_is_read_before_privileges_are_given_up() {
    use std::os::unix::fs::PermissionsExt;
    if !is_root() {
        return;
    }
    let scratch = Scratch::new();
    std::fs::write(scratch.path("secret"), "TOKEN=x").unwrap();
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(scratch.path("secret"), mode).unwrap();
    let mut process = sleeper();
    process.environment.files = vec![scratch.path("secret")];
    let identity = Identity { uid: 4242, gid: 4242, groups: Vec::new(), home: None };
    let live = Live::new(&order(&process, Some(&identity)));
    assert_eq!(live.environment(), ["PATH=/usr/bin:/bin", "TOKEN=x"]);
}

#[test]
fn files_have_limits_and_reach_them() {
    let scratch = Scratch::new();
    let file = scratch.path("file");
    let mut process = sleeper();
    process.environment.files = vec![file.clone()];
    let many = |count: u32| (0..count).map(|number| format!("V{number}=1\n")).collect::<String>();
    let large = |size: usize| format!("A={}", "x".repeat(size - 2));
    for (text, expected) in [
        (String::new(), Ok(1)),
        (many(512), Ok(513)),
        (many(513), Err(Errno::TOOBIG)),
        (large(64 * 1024), Ok(2)),
        (large(64 * 1024 + 1), Err(Errno::FBIG)),
        ("A=1\nnonsense\n".into(), Err(Errno::INVAL)),
    ] {
        std::fs::write(&file, text).unwrap();
        let live = Live::try_new(&order(&process, None));
        let count = live.as_ref().map(|live| live.environment().len());
        match expected {
            Ok(expected) => assert_eq!(count, Ok(expected)),
            Err(errno) => {
                let error = count.unwrap_err();
                assert_eq!(error.step, unit::Step::Environment);
                assert_eq!(i32::from(error.errno), errno.raw_os_error());
            }
        }
    }
}
