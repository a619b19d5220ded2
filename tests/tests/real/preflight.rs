//! What others' preflights say of this machine, and what `svc doctor` says. Each step says its rule
//! first.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::node::Node;

/// kubeadm's name of a check, and ours.
const CHECKS: [(&str, &str); 10] = [
    ("IsPrivilegedUser", "root"),
    ("NumCPU", "cpus"),
    ("Mem", "memory"),
    ("Swap", "swap"),
    ("Hostname", "hostname"),
    ("CRI", "cri-socket"),
    ("FileContent--proc-sys-net-ipv4-ip_forward", "sysctl:net.ipv4.ip_forward"),
    ("FileExisting-cp", "binary:cp"),
    ("FileExisting-losetup", "binary:losetup"),
    ("FileExisting-mount", "binary:mount"),
];

/// Docker's check-config.sh, which k3s' was made from, reads the same kernel configuration.
pub fn the_kernel_is_what_check_config_says(node: &mut Node) {
    let (_, said) = node.try_run(
        "gzip -c /boot/config-$(uname -r) > /tmp/config.gz; check-config.sh /tmp/config.gz",
    );
    let ours = doctor(node, "k3s-server");
    let mut compared = 0;
    for line in said.lines() {
        let found = line.split_once("CONFIG_").and_then(|(_, rest)| rest.split_once(": "));
        let Some((option, state)) = found else { continue };
        let Some(status) = ours.get(&format!("kernel:{option}")) else { continue };
        let theirs = state.starts_with("enabled");
        assert_eq!(theirs, status == "ok", "{option}: {state}, and we say {status}\n{said}");
        compared += 1;
    }
    assert!(compared > 20, "only {compared} options are in both:\n{said}\n{ours:?}");
    node.say(&format!("check-config and doctor agree on {compared} options"));
}

/// kubeadm's preflight, of a sound machine and of one with faults: it complains of what we do, and
/// of nothing else that we know.
pub fn kubeadm_says_what_doctor_says(node: &mut Node) {
    agree(node);
    let switch = "/proc/sys/net/ipv4/ip_forward";
    node.run(&format!("echo 0 > {switch}; mv /usr/bin/mount /usr/bin/mount.gone"));
    let faults = agree(node);
    node.run(&format!("echo 1 > {switch}; mv /usr/bin/mount.gone /usr/bin/mount"));
    for planted in ["sysctl:net.ipv4.ip_forward", "binary:mount"] {
        assert!(faults.contains(&planted), "{planted} was not found: {faults:?}");
    }
    node.say("kubeadm and doctor agree");
}

/// Asserts that both say the same; what both complain of.
fn agree(node: &mut Node) -> Vec<&'static str> {
    let (_, said) = node.try_run(
        "kubeadm init phase preflight --ignore-preflight-errors=all \
         --config=/etc/kubernetes/preflight.yaml",
    );
    assert!(said.contains("[preflight] Running pre-flight checks"), "{said}");
    let ours = doctor(node, "kubeadm");
    let mut faults = Vec::new();
    for (theirs, id) in CHECKS {
        let status = ours.get(id).unwrap_or_else(|| panic!("doctor does not know {id}: {ours:?}"));
        let complains = said.contains(&format!("[WARNING {theirs}]"));
        let complain = status == "warning" || status == "error";
        assert_eq!(complains, complain, "{theirs}, {id}: we say {status}\n{said}");
        if complain {
            faults.push(id);
        }
    }
    faults
}

/// Every finding of `svc doctor`, with its status.
fn doctor(node: &mut Node, profile: &str) -> BTreeMap<String, String> {
    let (_, text) = node.try_run(&format!("svc doctor --all --json --profile {profile}"));
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let word = |finding: &Value, key: &str| finding[key].as_str().expect("a word").to_owned();
    let findings = told["findings"].as_array().expect("a list").iter();
    findings.map(|finding| (word(finding, "id"), word(finding, "status"))).collect()
}
