//! A new graph is put in force: what has not changed runs on.

use std::fs;

use serde_json::json;

use crate::tree::{Tree, compiled, is_alive};

const SLEEP: &str = "exec = [\"sleep\", \"1000\"]";

fn put(tree: &Tree, files: &[(&str, &str)]) {
    let next = tree.run("next.new");
    fs::write(&next, compiled(files)).unwrap();
    fs::rename(next, tree.run("next")).unwrap();
}

#[test]
fn only_what_has_changed_is_touched() {
    let default = "type = \"bundle\"\nwants = [\"same\", \"changed\", \"gone\"]";
    let tree = Tree::start(&[
        ("same", &format!("{SLEEP}\nrequires = [\"changed\"]")),
        ("changed", SLEEP),
        ("gone", SLEEP),
        ("default", default),
    ]);
    tree.wait("default", "ready");
    let pids = ["same", "changed", "gone"].map(|name| tree.pid(name));
    let new: &[(&str, &str)] = &[
        ("same", &format!("{SLEEP}\nrequires = [\"changed\"]")),
        ("changed", "exec = [\"sleep\", \"2000\"]"),
        ("new", SLEEP),
        ("default", "type = \"bundle\"\nwants = [\"same\", \"changed\", \"new\"]"),
    ];
    put(&tree, new);
    let would = tree.must("Apply", json!({ "dry_run": true }));
    assert!(would["changes"].to_string().contains("changed"), "{would}");
    assert!(!tree.run("next").exists(), "what is only looked at does not stay");
    assert_eq!(tree.pid("changed"), pids[1]);

    put(&tree, new);
    tree.must("Apply", json!({}));
    tree.wait("new", "ready");
    tree.wait_for("changed", |service| service["incarnation"] != 1 && service["state"] == "ready");
    assert_eq!(tree.pid("same"), pids[0], "though what it requires was restarted");
    assert!(!is_alive(pids[1]) && !is_alive(pids[2]));
    assert_eq!(tree.call("Status", json!({ "names": ["gone"] })).unwrap_err().0, "UnknownService");
    let command = fs::read(format!("/proc/{}/cmdline", tree.pid("changed"))).unwrap();
    assert_eq!(command, b"sleep\x002000\0");
    // The new graph is in force for the next supervisor, too.
    tree.kill_supervise();
    tree.wait("new", "ready");
    assert_eq!(tree.pid("same"), pids[0]);
}

#[test]
fn a_graph_that_is_broken_changes_nothing() {
    let tree = Tree::start(&[("a", SLEEP)]);
    tree.wait("a", "ready");
    let before = tree.record("a");
    let mut bytes = compiled(&[("b", SLEEP)]);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(tree.run("next"), bytes).unwrap();
    let (error, _) = tree.call("Apply", json!({})).unwrap_err();
    assert_eq!(error, "InvalidGraph");
    assert_eq!(tree.record("a"), before);
    assert_eq!(tree.call("Apply", json!({})).unwrap_err().0, "InvalidGraph", "there is none");
}

#[test]
fn an_apply_is_finished_by_the_next_supervisor() {
    // Killed while the old definition is being stopped.
    let slow = "exec = [\"sh\", \"-c\", \"trap 'sleep 0.5; exit' TERM; echo >&3; \
                while :; do sleep 0.02; done\", \"before\"]\nready = { fd = 3 }";
    let tree = Tree::start(&[("slow", slow), ("same", SLEEP)]);
    tree.wait("slow", "ready");
    tree.wait("same", "ready");
    let same = tree.pid("same");
    put(&tree, &[("slow", &slow.replace("before", "behind")), ("same", SLEEP), ("new", SLEEP)]);
    let mut client = crate::client::Client::connect(&tree);
    client.begin("Apply", &json!({}), false).unwrap();
    tree.wait("slow", "stopping");
    tree.kill_supervise();
    assert_eq!(client.next(), None, "it must be repeated");
    tree.wait_for("slow", |service| service["incarnation"] != 1 && service["state"] == "ready");
    let command = fs::read_to_string(format!("/proc/{}/cmdline", tree.pid("slow"))).unwrap();
    assert!(command.contains("behind"), "{command}");
    assert_eq!(tree.pid("same"), same);
    assert!(!tree.run("next").exists());
}
