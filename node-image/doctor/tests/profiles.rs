//! The questions that profiles ask are those that there are answers to.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;

use facts::Library;

/// A name that nobody knows would never be judged; one that nobody asks would never be run.
#[test]
fn every_check_is_asked_by_a_profile() {
    let library = Library::built_in();
    let checks = library.profiles.values().flat_map(|profile| &profile.checks);
    let asked: BTreeSet<&str> = checks.map(|check| check.id.as_str()).collect();
    let known: BTreeSet<&str> = doctor::ids().collect();
    assert_eq!(asked, known);
}

/// What hardware is known for is told where a question finds it.
#[test]
fn a_trap_names_a_check() {
    let library = Library::built_in();
    let known: BTreeSet<&str> = doctor::ids().collect();
    for (name, target) in &library.hardware {
        for check in target.traps.iter().filter_map(|trap| trap.check.as_deref()) {
            assert!(known.contains(check), "{name}: {check}");
        }
    }
}

/// Whoever looks for a check finds it by its name.
#[test]
fn checks_are_in_order() {
    assert!(doctor::ids().is_sorted());
}
