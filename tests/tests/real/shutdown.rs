//! How a node with pods goes down (node.md §5). Each step says its rule first.

use std::time::Duration;

use crate::node::{Node, Off};

/// Who would be waited for.
const HOLDERS: &str = "/usr/lib/cooper/login1 inhibitors";
const EXCUSE: &str = "svc status; svc logs -n 40 login1; svc logs -n 40 kubelet";
/// What the image gives to a kubelet that never lets go (pods-graceful.toml.d).
const PATIENCE: Duration = Duration::from_secs(45);

/// The real kubelet takes login1 for logind: it reads its property, takes a lock, and listens.
pub fn kubelet_asks_for_time(node: &mut Node) {
    node.run("svc start default");
    node.until(&format!("{HOLDERS} | grep -q '^kubelet '"), EXCUSE);
    let said = node.run("svc logs -n 100000 kubelet");
    assert!(!said.contains("Failed to start node shutdown manager"), "{said}");
    node.until("test \"$(pod_state)\" = Running", EXCUSE);
    node.say("kubelet holds a lock, and its pod runs");
}

/// A kubelet that is told of the shutdown ends its pods, and lets go.
pub fn pods_end_by_themselves(mut node: Node) -> Off {
    node.run("echo mark >> /var/lib/said/hello");
    down(node).1
}

/// What happened is on record: the pod had its time, nobody had to kill it, kubelet let go.
pub fn the_next_boot_knows_that_it_did(off: Off) -> Node {
    let mut node = off.boot("default");
    let said = node.run("cat /var/lib/said/hello");
    let (_, after) = said.split_once("mark\n").expect("the mark of before");
    assert!(after.starts_with("asked to end\nended\n"), "{said}");
    let said = node.run("svc boot");
    let last = said.lines().find(|line| line.starts_with("last shutdown: poweroff, "));
    assert!(last.is_some_and(|line| line.contains("kubelet let go after ")), "{said}");
    node.say("kubelet had let go, and its pod had ended by itself");
    node
}

/// A kubelet that never lets go does not keep the node from going down.
pub fn one_that_never_lets_go_loses(mut node: Node) -> Off {
    node.run("kill -STOP $(pidof kubelet)");
    let (took, off) = down(node);
    assert!(took > PATIENCE, "it was not waited for: {took:?}");
    off
}

/// And is named afterwards; what it has left running was ended without it.
pub fn the_next_boot_names_it(off: Off) {
    let mut node = off.boot("default");
    let said = node.run("svc boot");
    assert!(said.contains("kubelet did not let go within "), "{said}");
    let said = node.run("svc logs -n 1000 pods");
    assert!(said.contains("processes of pods get SIGTERM"), "{said}");
    node.say("kubelet is named");
}

fn down(node: Node) -> (Duration, Off) {
    let (took, console, off) = node.poweroff();
    eprintln!("off {:.1} s after `svc poweroff`", took.as_secs_f32());
    for bad in ["Kernel panic", "Call Trace", "would not die", "still in use"] {
        assert!(!console.contains(bad), "{bad}:\n{console}");
    }
    (took, off)
}
