//! The rules of the house, as tests: what stands where, who may import whom, how long a function
//! may be. They read `cargo metadata` and the sources; nothing is built or run.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod documents;
mod imports;
mod layout;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's top directory.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// What git tracks or would track: paths relative to the top, without what .gitignore names.
fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(top())
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git ls-files failed");
    String::from_utf8(output.stdout)
        .expect("our file names are UTF-8")
        .split_terminator('\0')
        .filter(|path| top().join(path).exists())
        .map(str::to_owned)
        .collect()
}

/// Fails with every broken rule at once, one on a line.
fn assert_none(what: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{what}:\n{}", broken.join("\n"));
}
