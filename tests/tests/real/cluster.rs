//! A cluster of one node: the control plane as services of the host, and a kubelet that joins it.
//! Each step says its rule first.

use crate::node::Node;
use crate::pods::unchanged;

const EXCUSE: &str = "kubectl get nodes,pods -A -o wide; for each in etcd kube-apiserver \
    kube-controller-manager kube-scheduler kubelet; do svc logs -n 10 $each; done";

/// Each says so by sd_notify, or when it is asked; kubelet then joins, and the node is Ready.
pub fn the_node_becomes_ready(node: &mut Node) {
    // Under emulation the API server has its hands full with itself for minutes: it ends if what it
    // begins with takes too long, so nobody else works meanwhile.
    node.run("svc stop --force kubelet");
    node.run(
        "svc start etcd kube-apiserver || { svc status; svc logs -n 40 kube-apiserver; false; }",
    );
    node.until("kubectl get --raw /readyz", EXCUSE);
    node.say("the API server is ready");
    node.run("svc start control-plane || { svc status; false; }");
    node.say("the control plane is up");
    node.run(
        "echo KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/admin.conf \
         > /etc/default/kubelet && svc start default",
    );
    node.until("kubectl wait --for=condition=Ready --timeout=60s node/node", EXCUSE);
    node.say("the node is Ready");
}

/// A deployment becomes a pod, it gets this node, and runs.
pub fn a_deployment_runs(node: &mut Node) {
    node.until("kubectl get serviceaccount default", EXCUSE);
    node.run(
        "kubectl create deployment sleep --image=example.org/busybox:1 \
         -- /bin/busybox sleep 1000000",
    );
    node.until("kubectl wait --for=condition=Available --timeout=60s deployment/sleep", EXCUSE);
    node.say("a deployment runs");
}

/// What `svc stop` is for a daemon with pods: they go on, and are there when it comes back.
pub fn stopping_kubelet_leaves_pods(node: &mut Node) {
    unchanged(node, |node| {
        node.run("svc stop --force kubelet");
        assert_eq!(node.service("kubelet")["state"], "down");
    });
    unchanged(node, |node| {
        node.run("svc start default");
    });
    // The next boot has no API server.
    node.run("echo KUBELET_KUBECONFIG_ARGS= > /etc/default/kubelet");
    node.say("kubelet was stopped and started");
}
