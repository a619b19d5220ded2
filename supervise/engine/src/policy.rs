//! What of a service's definition decides its life.

use graph::{KillMode, Kind, Process, RestartPolicy, Service};
use unit::{Kill, Policy, Readiness, Reload, Restart};

/// The part of `service` that its unit needs.
#[must_use]
pub fn policy_of(service: &Service) -> Policy {
    match &service.kind {
        Kind::Longrun(process) => policy(unit::Kind::Longrun, process),
        Kind::Oneshot(process) => policy(unit::Kind::Oneshot, process),
        Kind::Bundle(_) => BUNDLE,
    }
}

/// A bundle has no process: nothing of this but its kind is ever looked at.
const BUNDLE: Policy = Policy {
    kind: unit::Kind::Bundle,
    readiness: Readiness::Exec,
    start_timeout_ms: 0,
    stop_timeout_ms: 0,
    command_timeout_ms: 0,
    kill: Kill::Process,
    stop_command: false,
    finish_command: false,
    reload: Reload::None,
    restart: Restart::Never,
    backoff_min_ms: 0,
    backoff_max_ms: 0,
    watchdog_ms: 0,
    health: false,
    health_restarts: false,
};

fn policy(kind: unit::Kind, process: &Process) -> Policy {
    Policy {
        kind,
        readiness: match process.ready {
            graph::Readiness::Exec | graph::Readiness::Exit => Readiness::Exec,
            graph::Readiness::Notify | graph::Readiness::Fd(_) | graph::Readiness::Probe(_) => {
                Readiness::Signal
            }
        },
        start_timeout_ms: process.start_timeout_ms,
        stop_timeout_ms: process.stop.timeout_ms,
        command_timeout_ms: process.finish_timeout_ms,
        kill: match process.stop.kill {
            KillMode::Process => Kill::Process,
            KillMode::Cgroup => Kill::Cgroup,
            KillMode::Mixed => Kill::Mixed,
        },
        stop_command: !process.stop.exec.is_empty(),
        finish_command: !process.finish.is_empty(),
        reload: match process.reload {
            None => Reload::None,
            Some(graph::Reload::Signal(_)) => Reload::Signal,
            Some(graph::Reload::Exec(_)) => Reload::Command,
        },
        restart: match process.restart.policy {
            RestartPolicy::Always => Restart::Always,
            RestartPolicy::OnFailure => Restart::OnFailure,
            RestartPolicy::Never => Restart::Never,
        },
        backoff_min_ms: process.restart.min_ms,
        backoff_max_ms: process.restart.max_ms,
        watchdog_ms: process.watchdog_ms,
        health: process.health.is_some(),
        health_restarts: process.health.as_ref().is_some_and(|health| health.restart),
    }
}
