//! Questions, which need neither privileges nor a supervisor that answers.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::{expect, svc, svc_as_nobody};
use crate::tree::Tree;

const SLEEP: &str = "exec = [\"/bin/sleep\", \"1000\"]\n";
const FAILS: &str = "exec = [\"/bin/false\"]\nrestart = { policy = \"never\" }\n";
const WAITS: &str = "exec = [\"/bin/sleep\", \"1000\"]\nrequires = [\"fails\"]\n";

fn tree() -> Tree {
    let oneshot = format!("type = \"oneshot\"\n{FAILS}");
    let tree = Tree::start(&[("a", SLEEP), ("fails", &oneshot), ("waits", WAITS)]);
    tree.wait("a", "ready");
    tree.wait("fails", "failed");
    tree.wait("waits", "waiting");
    tree
}

#[test]
fn everyone_may_ask_also_while_supervise_is_stopped() {
    // The state table answers, whatever supervise does.
    let tree = tree();
    let supervise = tree.supervise().and_then(|pid| Pid::from_raw(pid.try_into().unwrap()));
    kill_process(supervise.unwrap(), Signal::STOP).unwrap();
    let said = expect(svc_as_nobody(&tree, &["status"]), 0);
    let line = said.out.lines().find(|line| line.starts_with("waits ")).unwrap();
    assert!(line.contains("waiting") && line.contains("for fails: failed"), "{line}");
    let said = expect(svc_as_nobody(&tree, &["explain", "waits"]), 0);
    assert!(said.out.starts_with("waits: waiting for fails\n  fails: failed, exit 1"), "{said:?}");
    expect(svc_as_nobody(&tree, &["status", "a"]), 0);
    expect(svc_as_nobody(&tree, &["status", "a", "waits"]), 1);
    expect(svc_as_nobody(&tree, &["boot"]), 0);
    kill_process(supervise.unwrap(), Signal::CONT).unwrap();
}

#[test]
fn json_is_what_the_control_protocol_answers() {
    let tree = tree();
    let said = expect(svc(&tree, &["status", "--json", "a"]), 0);
    let mut own: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(own["services"][0].take(), tree.status("a"));
}

#[test]
fn names_that_are_none_are_told() {
    let tree = tree();
    for verb in ["status", "explain", "start", "stop", "restart", "reload", "logs"] {
        let said = expect(svc(&tree, &[verb, "wait"]), 3);
        assert_eq!(said.err, "svc: no service is named wait; did you mean waits?\n", "{verb}");
    }
}
