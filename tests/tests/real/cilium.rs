//! Cilium: its profile in force, and its agent as our service. Each step says its rule first.
//!
//! The agent is alone, without Kubernetes: a program for a pod is not compiled in time under
//! emulation (docs/node.md, "Cilium"), so there is nothing that a cluster would add.

use serde_json::Value;

use crate::node::Node;

/// What a person writes who wants it.
const CHOICE: &str = r#"
profiles = ["cilium"]
hardware = "generic-x86_64"
services = ["mdev", "mdev-coldplug", "network-static"]
"#;

/// What is not as `svc doctor` would have it on this machine, and why it may be so.
const EXCUSED: [(&str, &str); 1] =
    [("time-synchronised", "its network ends at the host's doorstep, where no server of time is")];

const ATTACHED: &str = "bpftool net | grep cil_";

const EXCUSE: &str = "svc status; svc logs -n 60 cilium-agent; ls -lR /run/cilium/state";

/// `svc apply` sets up what a new profile wants while the node runs.
pub fn its_profile_comes_into_force(node: &mut Node) {
    node.run("svc start runtime || { svc status; svc logs -n 40 containerd; false; }");
    let containerd = node.pid("containerd");
    node.run("! test -e /sys/module/vxlan");
    node.run(&format!("cat > /etc/cooper/node.toml << 'END'{CHOICE}END"));
    let said = node.run("svc apply 2>&1");
    assert!(!said.contains("warning"), "{said}");
    node.run("svc start modules sysctl mounts && test -e /sys/module/vxlan");
    assert_eq!(node.pid("containerd"), containerd, "{said}");
    node.say("the profile is in force");
}

/// Everything holds that the profile asks for.
pub fn doctor_has_nothing_to_say(node: &mut Node) {
    let told = node.svc("doctor --profile cilium");
    let findings = told["findings"].as_array().expect("a list").iter();
    let faults = findings.filter(|it| it["status"] == "warning" || it["status"] == "error");
    let (excused, faults): (Vec<&Value>, Vec<&Value>) =
        faults.partition(|it| EXCUSED.iter().any(|(id, _)| it["id"] == *id));
    assert!(faults.is_empty(), "{faults:#?}");
    for (id, why) in EXCUSED {
        assert!(excused.iter().any(|it| it["id"] == id), "{id} needs no excuse: {why}");
    }
    node.say("doctor has nothing to say");
}

/// It answers where kubelet would ask, and has told the runtime who makes networks of pods now.
pub fn the_agent_says_that_it_is_ready(node: &mut Node) {
    node.run("svc start cilium-agent || { svc logs -n 60 cilium-agent; false; }");
    assert_eq!(node.service("cilium-agent")["state"], "ready");
    node.run("wget -q -O - http://127.0.0.1:9879/healthz");
    let networks = node.run("ls /etc/cni/net.d");
    assert_eq!(networks, "05-cilium.conflist\n10-pods.conflist.cilium_bak\n");
    node.say("cilium-agent is ready");
}

/// With Debian's clang; the kernel takes them, and they stay in our /sys/fs/bpf.
pub fn its_programs_are_compiled_and_attached(node: &mut Node) {
    node.until("test -s /run/cilium/state/bpf_alignchecker.o", EXCUSE);
    node.say("clang has compiled what checks its output");
    node.until("test -s \"$(echo /run/cilium/state/templates/*/bpf_host.o)\"", EXCUSE);
    node.say("clang has compiled the host's program");
    node.until("bpftool net | grep -q '^eth0.*cil_from_netdev'", EXCUSE);
    let attached = node.run(ATTACHED);
    for program in ["cil_to_host", "cil_from_host"] {
        let mut lines = attached.lines().filter(|line| line.starts_with("cilium_host"));
        assert!(lines.any(|line| line.contains(program)), "{program}: {attached}");
    }
    node.run("test -e /sys/fs/bpf/cilium/devices/eth0/links/cil_from_netdev");
    node.say("its programs are attached");
}

/// It masquerades with the iptables of the node, and its interfaces have no strict filter.
pub fn the_node_is_as_it_needs_it(node: &mut Node) {
    node.until("iptables -t nat -S CILIUM_POST_nat | grep -q MASQUERADE", EXCUSE);
    let filters = "cat /proc/sys/net/ipv4/conf/{all,default,eth0,cilium_host,cilium_net}/rp_filter";
    assert_eq!(node.run(filters), "0\n".repeat(5));
}

/// What is attached goes on without the agent.
pub fn its_programs_outlive_it(node: &mut Node) {
    let attached = node.run(ATTACHED);
    node.run("svc stop cilium-agent");
    assert_eq!(node.run(ATTACHED), attached);
    node.say("its programs are there without it");
}
