//! What daemons ask of whoever runs them (node.md §0 and §1), read off the compiled graph of the
//! services in `node-image/services`.
//!
//! That the daemons then do what is expected of them is shown in virtual machines: `vm`, `real`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

mod node;
mod order;
mod profiles;

use graph::{Graph, KillMode, OnChange, Probe, Process, Readiness, Reload, RestartPolicy, Service};
use node::{daemon, process, program, service, shipped};

/// Those whose containers live in their cgroup.
const RUNTIMES: [&str; 3] = ["containerd", "k3s", "k3s-agent"];
/// Those that set containers up, and so must see what the host sees.
const IN_THE_HOST: [&str; 6] =
    ["containerd", "k3s", "k3s-agent", "kubelet", "kube-proxy", "cilium-agent"];
const INFINITY: u64 = u64::MAX;

/// §0.1: whatever else is in their cgroups outlives them.
#[test]
fn stopping_reaches_the_main_process_alone() {
    let graph = shipped();
    for name in ["containerd", "k3s", "k3s-agent", "kubelet", "tailscaled", "sshd"] {
        assert_eq!(process(&graph, name).stop.kill, KillMode::Process, "{name}");
        assert!(process(&graph, name).stop.exec.is_empty(), "{name} is stopped by a signal");
    }
    assert_eq!(process(&graph, "iscsid").stop.kill, KillMode::Mixed);
    for name in ["chronyd", "seatd"] {
        assert_eq!(process(&graph, name).stop.kill, KillMode::Cgroup, "{name}");
    }
}

/// §0.2, §0.10: heard by a socket with a path, that chronyd takes and that is short enough.
#[test]
fn readiness_is_each_daemons_own_sign() {
    let graph = shipped();
    let notify =
        ["containerd", "kubelet", "k3s", "k3s-agent", "tailscaled", "chronyd", "sshd", "etcd"];
    for name in notify.iter().chain(&["kube-apiserver"]) {
        assert_eq!(process(&graph, name).ready, Readiness::Notify, "{name}");
    }
    let socket = format!("{}/{}", wire::paths::RUN, wire::paths::NOTIFY);
    assert!(socket.starts_with('/') && socket.len() < 108, "{socket}");
    for name in ["seatd", "mdevd"] {
        let Readiness::Fd(fd) = process(&graph, name).ready else { panic!("{name}: by newline") };
        let words = process(&graph, name).exec.join(" ");
        assert!(words.contains(&format!(" {fd} ")), "{name} is told of descriptor {fd}: {words}");
    }
    let probe = |name: &str| {
        let Readiness::Probe(probe) = &process(&graph, name).ready else {
            panic!("{name}: no probe")
        };
        probe.clone()
    };
    assert_eq!(probe("iscsid"), Probe::Unix("@ISCSIADM_ABSTRACT_NAMESPACE".into()));
    assert_eq!(probe("dbus"), Probe::Unix("/run/dbus/system_bus_socket".into()));
    assert!(
        matches!(probe("kube-proxy"), Probe::Http { address, .. } if address.ends_with(":10256"))
    );
    assert!(
        matches!(probe("cilium-agent"), Probe::Http { address, .. } if address.ends_with(":9879"))
    );
    let health = process(&graph, "kubelet").health.as_ref().expect("a probe of its sync loop");
    assert!(matches!(&health.probe, Probe::Http { address, .. } if address == "127.0.0.1:10248"));
}

/// k3s waits for other servers, however long: upstream has TimeoutStartSec=0.
#[test]
fn a_slow_start_is_no_failure() {
    let graph = shipped();
    const MINUTE: u32 = 60_000;
    for name in ["k3s", "k3s-agent"] {
        assert!(process(&graph, name).start_timeout_ms >= 24 * 60 * MINUTE, "{name}");
    }
    for name in ["kubelet", "etcd", "kube-apiserver", "kube-proxy", "cilium-agent"] {
        assert!(process(&graph, name).start_timeout_ms >= 10 * MINUTE, "{name}");
    }
    // And those that everything waits for do not keep it waiting.
    for name in ["network-dhcp", "network-static", "time-sync"] {
        assert!(process(&graph, name).start_timeout_ms <= MINUTE, "{name}");
    }
}

/// §0.3: k3s would choose the wrong cgroup driver. §0.11: kubelet refuses what is not well-formed,
/// and nobody asked.
#[test]
fn nobody_is_told_of_systemd_or_a_watchdog() {
    for service in &shipped().services {
        let Some(process) = node::process_of(service) else { continue };
        let has = |name: &str| process.environment.variables.iter().any(|(key, _)| key == name);
        for name in ["INVOCATION_ID", "WATCHDOG_USEC", "WATCHDOG_PID", "NOTIFY_SOCKET"] {
            assert!(!has(name), "{}: {name}", service.name);
        }
        assert_eq!(process.watchdog_ms, 0, "{}", service.name);
        assert!(!service.critical, "{}: a node outlives each of its services", service.name);
    }
}

/// §0.7: what they mount must be seen outside, and they need all that root may.
#[test]
fn those_who_set_up_containers_are_in_the_hosts_namespaces() {
    let graph = shipped();
    for name in IN_THE_HOST {
        let run = &process(&graph, name).run;
        assert!(run.mounts.is_empty(), "{name}");
        assert!(run.user.is_none() && run.capabilities.is_none() && !run.no_new_privs, "{name}");
    }
}

/// §0.8: Longhorn looks for iscsid and containerd by their names, so nothing stands in their place.
#[test]
fn daemons_have_their_own_names() {
    let graph = shipped();
    for service in &graph.services {
        let (Some(process), true) = (node::process_of(service), daemon(service)) else { continue };
        let name = program(process);
        // Renamed by `exec -a`, or by a wrapper of NixOS.
        assert!(!name.starts_with('.') && !process.exec.join(" ").contains("exec -a"), "{name}");
    }
    for name in ["iscsid", "containerd", "kubelet", "tailscaled", "etcd", "kube-proxy"] {
        assert_eq!(program(process(&graph, name)), name);
    }
    for name in ["k3s", "k3s-agent"] {
        assert_eq!(program(process(&graph, name)), "k3s");
    }
}

/// §0.9, §1.3: containers inherit what their runtime has.
#[test]
fn limits_are_the_upstream_units() {
    let graph = shipped();
    let limit = |name: &str, what: &str| {
        let limits = &process(&graph, name).run.limits;
        let found = limits.iter().find(|limit| limit.name == what);
        found.map(|limit| (limit.soft, limit.hard))
    };
    assert_eq!(limit("containerd", "nofile"), Some((1024, 524_288)));
    for name in ["k3s", "k3s-agent"] {
        assert_eq!(limit(name, "nofile"), Some((1_048_576, 1_048_576)), "{name}");
    }
    for name in RUNTIMES {
        for what in ["nproc", "core"] {
            assert_eq!(limit(name, what), Some((INFINITY, INFINITY)), "{name} {what}");
        }
    }
    assert_eq!(limit("etcd", "nofile"), Some((40_000, 40_000)));
    assert_eq!(limit("iscsid", "memlock"), Some((INFINITY, INFINITY)), "mlockall is fatal to it");
    assert!(limit("dbus", "nofile").is_some_and(|(soft, _)| soft >= 65_536));
}

/// §1.3.
#[test]
fn who_goes_last_when_memory_is_short() {
    let graph = shipped();
    for (name, score) in [
        ("containerd", Some(-999)),
        ("kubelet", Some(-999)),
        ("udevd", Some(-1000)),
        ("dbus", Some(-900)),
        ("etcd", Some(-997)),
        // They set it by themselves.
        ("k3s", None),
        ("iscsid", None),
        ("sshd", None),
    ] {
        assert_eq!(process(&graph, name).run.oom_score_adj, score, "{name}");
    }
}

/// §0.4, §2.3: where kubelet's configuration and Talos have them; `.scope` is k3s's sign of a
/// container; /kubepods is kubelet's.
#[test]
fn cgroups_are_where_kubelet_expects_them() {
    let graph = shipped();
    for service in &graph.services {
        let Some(process) = node::process_of(service) else { continue };
        let path = &process.cgroup.path;
        assert!(!path.contains(".scope") && !path.starts_with("kubepods"), "{path}");
        let place = path.split('/').next();
        assert!(matches!(place, Some("system" | "podruntime")), "{path}");
        assert_eq!(process.cgroup.delegate, RUNTIMES.contains(&service.name.as_str()), "{path}");
    }
    for name in RUNTIMES.iter().chain(&["kubelet", "etcd"]) {
        assert_eq!(process(&graph, name).cgroup.path, format!("podruntime/{name}"));
    }
}

/// §1.2: a node heals itself, and never waits longer than with the upstream unit.
#[test]
fn they_are_restarted_without_end() {
    let graph = shipped();
    for (name, seconds) in [
        ("containerd", 5),
        ("kubelet", 10),
        ("k3s", 5),
        ("k3s-agent", 5),
        ("etcd", 10),
        ("seatd", 1),
    ] {
        let restart = process(&graph, name).restart;
        assert_eq!(restart.policy, RestartPolicy::Always, "{name}");
        assert!(restart.max_ms <= seconds * 1000, "{name}");
    }
    for name in ["tailscaled", "iscsid", "chronyd", "sshd"] {
        assert_eq!(process(&graph, name).restart.policy, RestartPolicy::OnFailure, "{name}");
    }
}

/// §0.14: what would end it, or its clients, is never sent.
#[test]
fn no_signal_does_harm() {
    const SIGHUP: u8 = 1;
    const SIGTERM: u8 = 15;
    let graph = shipped();
    for name in ["containerd", "k3s", "k3s-agent", "kubelet", "seatd", "iscsid", "tailscaled"] {
        assert_eq!(process(&graph, name).reload, None, "{name} has nothing to reload");
        assert_eq!(process(&graph, name).stop.signal, SIGTERM, "{name}");
    }
    assert_eq!(process(&graph, "mdevd").reload, Some(Reload::Signal(SIGHUP)));
    let Some(Reload::Exec(reload)) = &process(&graph, "sshd").reload else { panic!("sshd -t") };
    assert!(reload.join(" ").contains("sshd -t && kill -HUP"), "checked first: {reload:?}");
    // Sessions, clients and devices that are held do not survive it.
    for name in ["seatd", "dbus", "mdevd-coldplug", "udev-coldplug", "mdev-coldplug"] {
        assert_eq!(service(&graph, name).on_change, OnChange::Keep, "{name}");
    }
}

/// §5.3: kubelet finds its logind where ours is; and §3.4: tailscaled's mark does not stay.
#[test]
fn what_else_they_were_promised() {
    let graph = shipped();
    for name in ["kubelet", "k3s", "k3s-agent"] {
        let variables = &process(&graph, name).environment.variables;
        let bus = variables.iter().find(|(key, _)| key == "DBUS_SYSTEM_BUS_ADDRESS");
        assert_eq!(bus.expect("a bus").1, "unix:path=/run/cooper/login1", "{name}");
    }
    let finish = process(&graph, "tailscaled").finish.join(" ");
    assert!(
        finish.contains("tailscaled --cleanup") && finish.contains("src_valid_mark"),
        "{finish}"
    );
    assert!(conflict(&graph, "k3s", "k3s-agent") && conflict(&graph, "k3s", "kubelet"));
    assert!(conflict(&graph, "k3s-agent", "kubelet"));
}

/// One of each kind.
#[test]
fn alternatives_exclude_each_other() {
    let graph = shipped();
    for kind in [
        &["mdevd", "udevd", "mdev"][..],
        &["mdevd-coldplug", "udev-coldplug", "mdev-coldplug"],
        &["network-static", "network-dhcp"],
        &["network-static", "dhcpcd"],
    ] {
        for a in kind {
            for b in kind.iter().filter(|b| *b != a) {
                assert!(conflict(&graph, a, b), "{a} and {b}");
            }
        }
    }
}

fn conflict(graph: &Graph, a: &str, b: &str) -> bool {
    let other = |service: &Service| {
        service.conflicts.iter().any(|id| graph.services[usize::try_from(id.0).unwrap()].name == b)
    };
    other(service(graph, a))
}

/// Not every program is on the same path everywhere; who must be absolute says why.
#[test]
fn programs_are_found_where_a_distribution_has_them() {
    for service in &shipped().services {
        let Some(process) = node::process_of(service) else { continue };
        let absolute = process.exec[0].starts_with('/');
        let known = ["/bin/sh", "/usr/sbin/sshd"].contains(&process.exec[0].as_str())
            || process.exec[0].starts_with("/usr/lib/cooper/");
        assert!(!absolute || known, "{}: {}", service.name, process.exec[0]);
        assert!(has_path(process), "{}: a PATH of its own keeps the usual one", service.name);
    }
}

fn has_path(process: &Process) -> bool {
    let own = process.environment.variables.iter().find(|(key, _)| key == "PATH");
    own.is_none_or(|(_, path)| {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .all(|wanted| path.split(':').any(|part| part == *wanted))
    })
}
