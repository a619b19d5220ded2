//! The end of a tree.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::tree::{Tree, is_alive, signal};

#[test]
fn services_stop_in_order_and_the_tree_ends_with_its_status() {
    let dir = std::env::temp_dir().join(format!("cooper-end-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let out = dir.display();
    let says = |name: &str, more: &str| {
        format!(
            "exec = [\"sleep\", \"1000\"]\nfinish = [\"sh\", \"-c\", \"echo {name} >> {out}/order\"]\n{more}"
        )
    };
    let mut tree = Tree::start(&[
        ("base", &says("base", "")),
        ("middle", &says("middle", "requires = [\"base\"]")),
        ("top", &says("top", "requires = [\"middle\"]")),
    ]);
    tree.wait("top", "ready");
    tree.must("Shutdown", json!({ "ending": "exit", "exit_status": 7 }));
    assert_eq!(tree.ended().code(), Some(7));
    let order = std::fs::read_to_string(dir.join("order")).unwrap();
    assert_eq!(order, "top\nmiddle\nbase\n");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_shutdown_goes_on_when_the_supervisor_is_killed() {
    let mut tree = Tree::start(&[(
        "slow",
        "exec = [\"sh\", \"-c\", \"trap 'sleep 0.5; exit' TERM; echo >&3; while :; do sleep 0.02; done\"]\n\
         ready = { fd = 3 }",
    )]);
    tree.wait("slow", "ready");
    let pid = tree.pid("slow");
    signal(tree.init(), rustix::process::Signal::TERM);
    tree.wait("slow", "stopping");
    tree.kill_supervise();
    assert_eq!(tree.ended().code(), Some(0));
    assert!(!is_alive(pid));
}

#[test]
fn the_end_of_a_critical_service_is_the_end_of_the_tree() {
    let mut tree = Tree::start(&[
        (
            "main",
            "exec = [\"sh\", \"-c\", \"sleep 0.3; exit 5\"]\ncritical = true\nrestart = { policy = \"never\" }",
        ),
        ("other", "exec = [\"sleep\", \"1000\"]"),
    ]);
    assert_eq!(tree.ended().code(), Some(5));
}

#[test]
fn what_does_not_stop_is_killed_when_the_budget_is_spent() {
    let mut tree = Tree::start(&[
        (
            "deaf",
            "exec = [\"sh\", \"-c\", \"trap '' TERM; echo >&3; while :; do sleep 1; done\"]\n\
             ready = { fd = 3 }\nstop = { timeout = \"5m\" }",
        ),
        ("node", "[shutdown]\nbudget = \"1s\""),
    ]);
    tree.wait("deaf", "ready");
    let begin = Instant::now();
    signal(tree.init(), rustix::process::Signal::TERM);
    tree.ended();
    assert!(begin.elapsed() < Duration::from_secs(25), "{:?}", begin.elapsed());
}
