//! Stopping: whom it reaches, what it runs, and that it ends.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::tree::{Tree, is_alive, members, signal};

/// Two processes that die of SIGTERM, in two sessions.
const TWO: &str = "exec = [\"sh\", \"-c\", \"setsid sleep 1000 & exec sleep 1000\"]\n";

fn stop(tree: &Tree, name: &str) {
    tree.must("Stop", json!({ "names": [name], "wait": true }));
    assert_eq!(tree.status(name)["state"], "down");
}

#[test]
fn each_stop_mode_reaches_whom_it_says() {
    let tree = Tree::start(&[
        ("process", &format!("{TWO}stop = {{ kill = \"process\" }}")),
        ("cgroup", &format!("{TWO}stop = {{ kill = \"cgroup\" }}")),
        ("mixed", &format!("{TWO}stop = {{ kill = \"mixed\" }}")),
    ]);
    for name in ["process", "cgroup", "mixed"] {
        tree.wait(name, "ready");
        tree.until("two processes", || members(&tree.cgroup(name)).len() == 2);
        let main = tree.pid(name);
        stop(&tree, name);
        assert!(!is_alive(main));
        let left = members(&tree.cgroup(name));
        assert_eq!(left.len(), usize::from(name == "process"), "{name}: {left:?}");
    }
    // The next life joins the rest of the last one.
    tree.must("Start", json!({ "names": ["process"], "wait": true }));
    tree.until("three processes", || members(&tree.cgroup("process")).len() == 3);
}

#[test]
fn a_service_that_ignores_everything_is_killed_when_its_time_is_over() {
    let tree = Tree::start(&[(
        "deaf",
        "exec = [\"sh\", \"-c\", \"trap '' TERM INT HUP; while :; do sleep 1000; done\"]\n\
         stop = { timeout = \"300ms\", kill = \"mixed\" }",
    )]);
    tree.wait("deaf", "ready");
    tree.until("its sleep", || members(&tree.cgroup("deaf")).len() == 2);
    let begin = Instant::now();
    stop(&tree, "deaf");
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(300), "too early: {took:?}");
    assert!(took < Duration::from_secs(5), "too late: {took:?}");
    assert_eq!(members(&tree.cgroup("deaf")), [0; 0]);
}

#[test]
fn a_stop_command_and_a_finish_command_are_told_what_they_need() {
    let dir = std::env::temp_dir().join(format!("cooper-stop-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let out = dir.display();
    let tree = Tree::start(&[(
        "told",
        &format!(
            "exec = [\"sleep\", \"1000\"]\n\
             stop = {{ exec = [\"sh\", \"-c\", \"echo $MAINPID > {out}/stop; kill -INT $MAINPID\"] }}\n\
             finish = [\"sh\", \"-c\", \"echo $1 $2 $3 > {out}/finish\", \"finish\"]"
        ),
    )]);
    tree.wait("told", "ready");
    let pid = tree.pid("told");
    stop(&tree, "told");
    assert_eq!(std::fs::read_to_string(dir.join("stop")).unwrap(), format!("{pid}\n"));
    assert_eq!(std::fs::read_to_string(dir.join("finish")).unwrap(), "256 SIGINT told\n");
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn dependents_stop_first_and_only_if_one_says_so() {
    let slow =
        "exec = [\"sh\", \"-c\", \"trap 'sleep 0.2; exit' TERM; while :; do sleep 0.05; done\"]";
    let tree = Tree::start(&[
        ("base", "exec = [\"sleep\", \"1000\"]"),
        ("top", &format!("{slow}\nrequires = [\"base\"]")),
    ]);
    tree.wait("top", "ready");
    let (error, parameters) = tree.call("Stop", json!({ "names": ["base"] })).unwrap_err();
    assert_eq!((error.as_str(), parameters), ("WouldStop", json!({ "names": ["top"] })));
    let plan = tree.must("Stop", json!({ "names": ["base"], "plan": true }));
    assert_eq!(plan["plan"]["stop"], json!(["top", "base"]), "{plan}");
    assert_eq!(tree.status("top")["state"], "ready", "a plan does nothing");
    tree.must("Stop", json!({ "names": ["base"], "force": true }));
    let base = tree.pid("base");
    let waits = tree.wait_for("base", |service| service["waiting_on"] == "top");
    assert!(is_alive(base), "{waits}");
    tree.wait("base", "down");
    assert_eq!(tree.status("top")["state"], "down");
}

#[test]
fn a_crash_stops_no_dependent() {
    let tree = Tree::start(&[
        ("base", "exec = [\"sleep\", \"1000\"]"),
        ("top", "exec = [\"sleep\", \"1000\"]\nrequires = [\"base\"]"),
    ]);
    tree.wait("top", "ready");
    let (base, top) = (tree.pid("base"), tree.pid("top"));
    signal(base, rustix::process::Signal::KILL);
    tree.wait_for("base", |service| service["incarnation"] == 2 && service["state"] == "ready");
    assert_eq!(tree.pid("top"), top);
    assert_eq!(tree.status("base")["restarts"], 1);
}
