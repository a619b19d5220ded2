//! A tree of one service: `init -- COMMAND` in a container.

use graph::{
    CgroupSpec, Environment, Graph, KillMode, Kind, LogSpec, LogTo, OnChange, Process, Readiness,
    RestartPolicy, RestartSpec, RunSpec, SHUTDOWN_BUDGET_MS, Service, StopSpec,
};

use crate::container::MAIN;

/// The signal that came.
const ANY_SIGNAL: u8 = 0;
/// From clone to exec, on a disk that may have to wake up first.
const START_TIMEOUT_MS: u32 = 120_000;
/// The command gets this long to end.
const STOP_TIMEOUT_MS: u32 = 10_000;

/// The graph of a tree that ends when `command` does, with its exit status.
pub fn graph(command: &[String]) -> Graph {
    let service = Service {
        name: MAIN.into(),
        description: "The command that this tree is for".into(),
        kind: Kind::Longrun(process(command.to_vec(), Vec::new())),
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        conflicts: Vec::new(),
        provides: Vec::new(),
        conditions: Vec::new(),
        on_change: OnChange::Restart,
        critical: true,
        file: String::new(),
        fingerprint: 0,
    };
    Graph { shutdown_budget_ms: SHUTDOWN_BUDGET_MS, services: vec![service], ..Graph::default() }
}

/// A program with nothing asked for.
pub fn process(exec: Vec<String>, variables: Vec<(String, String)>) -> Process {
    Process {
        exec,
        ready: Readiness::Exec,
        start_timeout_ms: START_TIMEOUT_MS,
        probe_every_ms: 0,
        finish: Vec::new(),
        finish_timeout_ms: 0,
        stop: StopSpec {
            exec: Vec::new(),
            signal: ANY_SIGNAL,
            timeout_ms: STOP_TIMEOUT_MS,
            kill: KillMode::Mixed,
        },
        restart: RestartSpec { policy: RestartPolicy::Never, min_ms: 0, max_ms: 0 },
        reload: None,
        health: None,
        watchdog_ms: 0,
        run: RunSpec::default(),
        environment: Environment { variables, files: Vec::new() },
        cgroup: CgroupSpec { path: format!("system/{MAIN}"), ..CgroupSpec::default() },
        log: LogSpec {
            to: LogTo::Console,
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
