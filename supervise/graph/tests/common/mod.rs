//! Graphs to test with.
#![allow(dead_code, clippy::indexing_slicing, reason = "for tests, of which each uses a part")]

use graph::{Bundle, Graph, Kind, OnChange, Service, ServiceId, Watchdog, fingerprint};

/// A service that is valid at any place of a graph: a process with something in every field.
pub fn longrun(name: &str) -> Service {
    let mut service = graph::rescue_shell();
    service.name = name.into();
    service.on_change = OnChange::Restart;
    service.file = format!("/etc/cooper/services/{name}.toml");
    let process = process_mut(&mut service);
    process.cgroup.path = format!("system/{name}");
    process.cgroup.settings = vec![("memory.max".into(), "512M".into())];
    service.fingerprint = fingerprint(&service, None);
    service
}

/// A bundle.
pub fn bundle(name: &str) -> Service {
    let mut service = graph::rescue_bundle(ServiceId(0));
    service.name = name.into();
    service.kind = Kind::Bundle(Bundle {});
    service.requires.clear();
    service
}

/// The process of a service that has one.
pub fn process_mut(service: &mut Service) -> &mut graph::Process {
    match &mut service.kind {
        Kind::Longrun(process) | Kind::Oneshot(process) => process,
        Kind::Bundle(_) => panic!("a bundle has no process"),
    }
}

/// Five services with every kind of relation.
pub fn sample() -> Graph {
    let mut services = vec![
        longrun("network"),
        longrun("containerd"),
        longrun("k3s"),
        longrun("kubelet"),
        bundle("default"),
    ];
    services[1].provides = vec!["cri".into(), "a-runtime".into()];
    services[1].conflicts = vec![ServiceId(2)];
    services[2].conflicts = vec![ServiceId(1)];
    services[3].requires = vec![ServiceId(0), ServiceId(1)];
    services[3].after = vec![ServiceId(2)];
    services[4].wants = vec![ServiceId(3)];
    Graph {
        operators: vec!["alice".into(), "@wheel".into()],
        shutdown_budget_ms: 90_000,
        watchdog: Some(Watchdog { device: "/dev/watchdog".into(), timeout_ms: 60_000 }),
        services,
    }
}
