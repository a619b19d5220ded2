//! Starting: the order, the failures, what a process is given.

use std::fs;

use serde_json::json;

use crate::tree::{Tree, members};

#[test]
fn services_start_in_order_and_are_children_of_init_in_their_cgroups() {
    let tree = Tree::start(&[
        ("first", "exec = [\"sleep\", \"1000\"]"),
        ("second", "exec = [\"sleep\", \"1000\"]\nrequires = [\"first\"]"),
        ("default", "type = \"bundle\"\nrequires = [\"second\"]"),
    ]);
    tree.wait("default", "ready");
    let (first, second) = (tree.record("first"), tree.record("second"));
    assert!(first.ready_us <= second.start_us, "{first:?} {second:?}");
    for (name, record) in [("first", first), ("second", second)] {
        let stat = fs::read_to_string(format!("/proc/{}/stat", record.main_pid)).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        assert_eq!(rest.split(' ').nth(1), Some(tree.init().to_string().as_str()));
        assert_eq!(members(&tree.cgroup(name)), [record.main_pid]);
    }
}

#[test]
fn a_program_that_is_not_there_is_told_by_step_and_reason() {
    let tree = Tree::start(&[
        ("broken", "exec = [\"/nowhere/at/all\"]\nrestart = { policy = \"never\" }"),
        ("waits", "exec = [\"sleep\", \"1000\"]\nrequires = [\"broken\"]"),
        ("goes-on", "exec = [\"sleep\", \"1000\"]\nwants = [\"broken\"]"),
    ]);
    let broken = tree.wait("broken", "failed");
    assert_eq!(broken["last_end"]["cause"], "not_spawned");
    assert_eq!(broken["last_end"]["errno"], 2);
    assert!(broken["why"].as_str().unwrap().contains("no such file"), "{broken}");
    tree.wait("goes-on", "ready");
    let waits = tree.wait("waits", "waiting");
    assert_eq!(waits["waiting_on"], "broken");
    let chain = tree.must("Explain", json!({ "name": "waits" }));
    assert_eq!(chain["chain"][1]["name"], "broken", "{chain}");
}

#[test]
fn a_dependent_goes_on_once_what_it_requires_comes_up() {
    let dir = std::env::temp_dir().join(format!("cooper-mark-{}", std::process::id()));
    let mark = dir.display();
    let tree = Tree::start(&[
        (
            "late",
            &format!(
                "type = \"oneshot\"\nexec = [\"test\", \"-e\", \"{mark}\"]\n\
                 restart = {{ policy = \"never\" }}"
            ),
        ),
        ("waits", "exec = [\"sleep\", \"1000\"]\nrequires = [\"late\"]"),
    ]);
    tree.wait("late", "failed");
    tree.wait("waits", "waiting");
    fs::write(&dir, "").unwrap();
    tree.must("Start", json!({ "names": ["late"], "wait": true }));
    tree.wait("waits", "ready");
    fs::remove_file(&dir).unwrap();
}

#[test]
fn conditions_and_templates_are_heeded() {
    let tree = Tree::start(&[
        ("never", "exec = [\"sleep\", \"1000\"]\n[condition]\npath-exists = \"/nowhere/at/all\""),
        ("always", "exec = [\"sleep\", \"1000\"]\n[condition]\npath-exists = \"/proc/self\""),
        ("pause@", "exec = [\"sleep\", \"%i\"]"),
        ("default", "type = \"bundle\"\nwants = [\"never\", \"always\", \"pause@1234\"]"),
    ]);
    tree.wait("default", "ready");
    let never = tree.wait("never", "skipped");
    assert!(never["why"].as_str().unwrap().contains("/nowhere/at/all"), "{never}");
    tree.wait("always", "ready");
    let pid = tree.pid("pause@1234");
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(command, b"sleep\x001234\0");
}

#[test]
fn one_hundred_services_come_up() {
    // More than may be between clone and exec at once.
    let names: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "exec = [\"sleep\", \"1000\"]")).collect();
    let tree = Tree::start(&files);
    for name in &names {
        tree.wait(name, "ready");
    }
}
