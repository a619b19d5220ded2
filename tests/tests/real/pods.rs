//! A kubelet without an API server, and the pod of its manifest. Each step says its rule first.

use serde_json::Value;

use crate::node::Node;

/// The processes of all pods, with their cgroups.
const PODS: &str = "cd /sys/fs/cgroup/kubepods && \
    for each in $(find . -name cgroup.procs); do sed \"s,^,$each ,\" $each; done | sort";

/// READY=1 by sd_notify, from processes that are the services' main ones.
pub fn daemons_say_themselves_that_they_are_ready(node: &mut Node) {
    node.run("svc start default || { svc status; svc logs -n 40 kubelet; false; }");
    for name in ["containerd", "kubelet"] {
        assert_eq!(node.service(name)["state"], "ready", "{name}");
        let pid = node.pid(name);
        let variables = node.run(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
        assert!(variables.contains("NOTIFY_SOCKET=/run/cooper/notify/"), "{name}: {variables}");
        assert_eq!(node.run(&format!("cat /proc/{pid}/comm")).trim(), name, "node.md §0, 8");
    }
    node.say("containerd and kubelet are ready");
}

/// The pod of the manifest, with a network of its own.
pub fn a_pod_runs(node: &mut Node) {
    node.until("grep -q begun /var/lib/said/hello", "svc logs kubelet");
    node.until("test \"$(pod_state)\" = Running", "svc logs kubelet");
    node.say("the pod runs");
}

/// node.md §0, 4 and §2.3: PID 1 in /init.scope, the runtime and kubelet in /podruntime, pods in
/// /kubepods. And what is in /system, kubelet has not moved (`systemCgroups`).
pub fn cgroups_are_where_they_belong(node: &mut Node) {
    let of = |node: &mut Node, pid: u64| node.run(&format!("cat /proc/{pid}/cgroup"));
    assert_eq!(of(node, 1), "0::/init.scope\n");
    let (containerd, kubelet) = (node.pid("containerd"), node.pid("kubelet"));
    assert_eq!(of(node, containerd), "0::/podruntime/containerd/main\n");
    assert_eq!(of(node, kubelet), "0::/podruntime/kubelet\n");
    let pods = node.run(PODS);
    assert!(pods.contains("./burstable/pod"), "{pods}");
    let shims =
        node.run("for pid in $(pidof containerd-shim-runc-v2); do cat /proc/$pid/cgroup; done");
    assert_eq!(shims.trim(), "0::/podruntime/containerd/main", "shims stay with their runtime");
    let others = node
        .run("cat /sys/fs/cgroup/cgroup.procs | while read pid; do cat /proc/$pid/cmdline; done");
    assert_eq!(others, "", "only threads of the kernel are in the root");
}

/// node.md §0, 3: with INVOCATION_ID or /run/systemd/system they would choose the wrong cgroup
/// driver.
pub fn nothing_makes_them_think_of_systemd(node: &mut Node) {
    let daemons = "$(pidof containerd kubelet containerd-shim-runc-v2 pause)";
    node.run(&format!(
        "for pid in {daemons}; do ! grep -q INVOCATION_ID /proc/$pid/environ || exit; done"
    ));
    node.run("! test -e /run/systemd/system");
    let said = node.run("svc logs -n 100000 kubelet | grep 'cgroup driver setting received'");
    assert!(said.contains("cgroupDriver=\"cgroupfs\""), "{said}");
}

/// stop.kill = "process": `svc restart` ends the daemon only.
pub fn a_pod_outlives_its_kubelet(node: &mut Node) {
    unchanged(node, |node| {
        let pid = node.pid("kubelet");
        node.run("svc restart kubelet");
        assert_ne!(node.pid("kubelet"), pid);
    });
    node.say("kubelet was restarted");
}

/// The shims live in containerd's cgroup, and are spared.
pub fn a_pod_outlives_its_runtime(node: &mut Node) {
    let shims = node.run("pidof containerd-shim-runc-v2");
    unchanged(node, |node| {
        let pid = node.pid("containerd");
        node.run("svc restart containerd");
        assert_ne!(node.pid("containerd"), pid);
    });
    assert_eq!(node.run("pidof containerd-shim-runc-v2"), shims);
    node.say("containerd was restarted");
}

/// kill -9 of `supervise` disturbs no daemon either.
pub fn a_pod_outlives_the_supervisor(node: &mut Node) {
    let before = (node.pid("containerd"), node.pid("kubelet"));
    unchanged(node, |node| {
        let old = node.run("pidof supervise");
        node.run("kill -9 $(pidof supervise)");
        node.run("svc start default");
        assert_ne!(node.run("pidof supervise"), old);
    });
    assert_eq!((node.pid("containerd"), node.pid("kubelet")), before);
    node.say("supervise was killed");
}

/// After all of that kubelet knows its pod again, and has not restarted its container.
pub fn it_is_still_the_same_pod(node: &mut Node) {
    node.until("test \"$(pod_state)\" = Running", "svc logs kubelet");
    let text = node.run("pods");
    let pods: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let container = &pods["items"][0]["status"]["containerStatuses"][0];
    assert_eq!(container["restartCount"], 0, "{pods}");
    assert_eq!(node.run("grep -c begun /var/lib/said/hello"), "1\n");
}

/// Does something that must leave every process of a pod as it is.
pub fn unchanged(node: &mut Node, what: impl FnOnce(&mut Node)) {
    let before = node.run(PODS);
    what(node);
    assert_eq!(node.run(PODS), before, "pods are not what they were");
}
