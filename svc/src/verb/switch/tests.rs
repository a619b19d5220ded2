//! What is on disk after each step.

use std::ffi::OsString;

use crate::scratch::Scratch;

use super::*;

fn links(dir: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    (fs::read_link(dir.join(CURRENT)).ok(), fs::read_link(dir.join(PREVIOUS)).ok())
}

/// The symlinks move on with each switch, and graphs that neither names are removed.
#[test]
fn switches_keep_the_previous_graph() {
    let scratch = Scratch::new();
    let store = Store::lock(scratch.path()).unwrap();
    for hash in 1..=3 {
        store.switch(hash, format!("graph {hash}").as_bytes()).unwrap();
        store.tidy();
    }
    assert_eq!(links(scratch.path()), (Some(name_of(3).into()), Some(name_of(2).into())));
    assert_eq!(current(scratch.path()).unwrap().as_deref(), Some(&b"graph 3"[..]));
    let mut files: Vec<_> =
        fs::read_dir(scratch.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    files.sort();
    let expected = [name_of(2).as_str(), &name_of(3), CURRENT, LOCK, PREVIOUS].map(OsString::from);
    assert_eq!(files, expected);
}

/// The same graph again changes nothing: `previous` must not become the current one.
#[test]
fn the_same_graph_again_changes_nothing() {
    let scratch = Scratch::new();
    let store = Store::lock(scratch.path()).unwrap();
    store.switch(1, b"one").unwrap();
    store.switch(2, b"two").unwrap();
    let before = links(scratch.path());
    store.switch(2, b"two").unwrap();
    assert_eq!(links(scratch.path()), before);
}

/// A refused graph leaves the symlinks as they were, also if there were none.
#[test]
fn a_refused_graph_is_undone() {
    let scratch = Scratch::new();
    let store = Store::lock(scratch.path()).unwrap();
    let before = store.switch(1, b"one").unwrap();
    store.revert(&before).unwrap();
    assert_eq!(links(scratch.path()), (None, None));
    store.switch(1, b"one").unwrap();
    store.switch(2, b"two").unwrap();
    let before = store.switch(3, b"three").unwrap();
    store.revert(&before).unwrap();
    assert_eq!(links(scratch.path()), (Some(name_of(2).into()), Some(name_of(1).into())));
}

/// A second apply is refused while the first is at work.
#[test]
fn two_applies_do_not_race() {
    let scratch = Scratch::new();
    let first = Store::lock(scratch.path()).unwrap();
    assert!(matches!(Store::lock(scratch.path()), Err(Error::Failed(_))));
    drop(first);
    assert!(Store::lock(scratch.path()).is_ok());
}

/// A disk that is full: the error says so, and nothing is changed or left over.
#[test]
fn a_full_disk_changes_nothing() {
    let scratch = Scratch::new();
    let path = scratch.path().join("graph");
    // Everything that is written to /dev/full fails with ENOSPC.
    symlink("/dev/full", scratch.path().join("graph.new")).unwrap();
    let error = write_whole(&path, b"text").unwrap_err();
    assert!(error.to_string().ends_with("no space left on device"), "{error}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}
