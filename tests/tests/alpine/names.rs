//! Names of Alpine's packages: each that is used was looked up.

use std::collections::BTreeSet;
use std::process::Command;

use facts::Library;

use crate::{read, run, top};

#[test]
fn every_package_that_is_named_is_one_of_alpines() {
    let list = read(&top().join("tests/alpine/packages"));
    let known: BTreeSet<&str> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let used = used();
    let used: BTreeSet<&str> = used.iter().map(String::as_str).collect();
    let unknown: Vec<_> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "not in tests/alpine/packages: {unknown:?}");
    let useless: Vec<_> = known.difference(&used).collect();
    assert!(useless.is_empty(), "in tests/alpine/packages, and nobody uses them: {useless:?}");
}

fn used() -> BTreeSet<String> {
    let library = Library::built_in();
    let mut used = BTreeSet::new();
    for profile in library.profiles.values() {
        used.extend(profile.binaries.iter().filter_map(|it| it.package.get("alpine").cloned()));
    }
    for target in library.hardware.values() {
        used.extend(target.firmware.iter().filter_map(|it| it.alpine.clone()));
    }
    // The daemons that have a subpackage of ours.
    let daemons = ". alpine/cooper/APKBUILD; for d in $_daemons; do echo \"${d%%:*}\"; done";
    let said = run(Command::new("sh").args(["-c", daemons]).current_dir(top()));
    used.extend(said.lines().map(str::to_owned));
    // What alpine/image itself names: words of its functions that print such names.
    let recipe = read(&top().join("alpine/image"));
    let printed = recipe.lines().filter_map(|line| line.split_once("echo ")).map(|(_, rest)| rest);
    let words = printed.flat_map(|rest| rest.trim_end_matches(" ;;").split(' '));
    let is_name = |word: &&str| {
        !word.is_empty()
            && word
                .chars()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || "-_".contains(it))
    };
    let kinds =
        ["alpine-", "linux-", "limine", "e2fs", "mkinit", "openssh-", "chrony", "raspberry"];
    used.extend(
        words
            .filter(is_name)
            .filter(|word| kinds.iter().any(|kind| word.starts_with(kind)))
            .map(str::to_owned),
    );
    used
}
