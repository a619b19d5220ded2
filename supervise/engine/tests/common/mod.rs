//! Graphs for tests, and a world in which an engine's actions have their effects.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly"
)]

pub mod world;

use engine::{Goal, Status};
use graph::{
    Bundle, CgroupSpec, Environment, Graph, KillMode, Kind, LogSpec, LogTo, OnChange, Process,
    Readiness, RestartPolicy, RestartSpec, RunSpec, Service, ServiceId, StopSpec,
};
use unit::State;

/// A longrun that says when it is ready, and is always restarted.
pub fn process() -> Process {
    Process {
        exec: vec!["/bin/true".into()],
        ready: Readiness::Notify,
        start_timeout_ms: 10_000,
        probe_every_ms: 0,
        finish: Vec::new(),
        finish_timeout_ms: 5_000,
        stop: StopSpec {
            exec: Vec::new(),
            signal: 15,
            timeout_ms: 10_000,
            kill: KillMode::Process,
        },
        restart: RestartSpec { policy: RestartPolicy::Always, min_ms: 1_000, max_ms: 30_000 },
        reload: None,
        health: None,
        watchdog_ms: 0,
        run: RunSpec::default(),
        environment: Environment::default(),
        cgroup: CgroupSpec::default(),
        log: LogSpec {
            to: LogTo::None,
            file_size_max: 0,
            files_max: 0,
            age_max_s: 0,
            quota: 0,
            rate_max: 0,
            timestamps: false,
            block: false,
        },
    }
}

pub fn service(name: &str, kind: Kind) -> Service {
    Service {
        name: name.into(),
        description: String::new(),
        kind,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        conflicts: Vec::new(),
        provides: Vec::new(),
        conditions: Vec::new(),
        on_change: OnChange::Restart,
        critical: false,
        file: String::new(),
        fingerprint: 0,
    }
}

pub fn longrun(name: &str) -> Service {
    service(name, Kind::Longrun(process()))
}

pub fn oneshot(name: &str) -> Service {
    let restart = RestartSpec { policy: RestartPolicy::Never, min_ms: 1_000, max_ms: 30_000 };
    service(name, Kind::Oneshot(Process { ready: Readiness::Exit, restart, ..process() }))
}

pub fn bundle(name: &str) -> Service {
    service(name, Kind::Bundle(Bundle {}))
}

pub fn graph(services: Vec<Service>) -> Graph {
    Graph { shutdown_budget_ms: 60_000, services, ..Graph::default() }
}

pub fn ids(graph: &Graph) -> impl DoubleEndedIterator<Item = ServiceId> + use<> {
    (0..graph.services.len() as u32).map(ServiceId)
}

/// Nothing runs and nothing is to run before somebody or time acts.
pub fn rests(status: &Status) -> bool {
    status.unit.state.is_idle()
}

pub fn failed(status: &Status) -> bool {
    matches!(
        status.unit.state,
        State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. }
    )
}

pub fn wanted(status: &Status) -> bool {
    status.goal != Goal::Down
}
