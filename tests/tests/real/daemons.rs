//! Daemons that are no part of Kubernetes. Each step says its rule first.

use std::time::Duration;

use serde_json::Value;

use crate::node::{Node, Off};

/// Kubelet's 40 s, were they needed, and everything after.
const END_MAX: Duration = Duration::from_secs(180);

/// READY=1, and it answers; nobody has logged it in.
pub fn tailscaled_answers(node: &mut Node) {
    node.run("svc start tailscaled || { svc logs tailscaled; false; }");
    assert_eq!(node.service("tailscaled")["state"], "ready");
    let status = node.run("tailscale status --json");
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["BackendState"], "NeedsLogin", "{status}");
    node.run("svc stop tailscaled");
    assert_eq!(node.run("cat /proc/sys/net/ipv4/conf/all/src_valid_mark"), "0\n");
    node.say("tailscaled answered");
}

/// With a control plane, a runtime and pods on it, the machine switches itself off in time.
pub fn everything_ends_in_order(node: Node) -> Off {
    let (took, console, off) = node.poweroff();
    for bad in ["Kernel panic", "Call Trace", "would not die", "still in use"] {
        assert!(!console.contains(bad), "{bad}:\n{console}");
    }
    assert!(console.contains("init: all done"), "{console}");
    assert!(took < END_MAX, "{took:?}:\n{console}");
    eprintln!("off {:.1} s after `svc poweroff`", took.as_secs_f32());
    off
}

/// The next boot is as good as the first, and knows how the last one ended.
pub fn it_comes_back(off: Off) {
    let mut node = off.boot("default");
    node.run("svc start default");
    node.until("test \"$(grep -c begun /var/lib/said/hello)\" = 2", "svc logs kubelet");
    let told = node.run("svc boot");
    assert!(told.contains("last shutdown: poweroff"), "{told}");
}
