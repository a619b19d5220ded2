//! Tests that cross rooms: what they share, and what tests inside rooms share with them.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether a test can run that needs `what`. In CI it must; elsewhere it is left out, and says so.
///
/// # Panics
/// In CI, if it cannot: a test that is left out there proves nothing.
pub fn needs(what: &str, is_met: bool) -> bool {
    let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(is_met || !is_ci, "this test needs {what}, and in CI it must run");
    if !is_met {
        println!("not run: it needs {what}");
    }
    is_met
}

/// Whether this process may make namespaces, as root may.
///
/// # Panics
/// In CI, if it may not.
pub fn may_unshare() -> bool {
    let may = Command::new("unshare").args(["--pid", "--fork", "--mount", "true"]).output();
    needs("namespaces of its own (root)", may.is_ok_and(|output| output.status.success()))
}

/// A copy of a file or a directory in `dir`, for somebody else to use: where cargo builds, not
/// everybody may look. Another process makes it: a program that this one wrote could not be
/// executed while a child that another test has just forked has it open for writing.
///
/// # Panics
/// If it cannot be copied.
#[must_use]
pub fn copied(from: &Path, dir: &Path) -> PathBuf {
    let copy = Command::new("cp").arg("-r").args([from, dir]).status();
    assert!(copy.is_ok_and(|status| status.success()), "cannot copy {}", from.display());
    dir.join(from.file_name().unwrap_or_default())
}
