//! What of a definition reaches the unit.

mod common;

use common::{bundle, process, service};
use engine::policy_of;
use graph::{Health, KillMode, Kind, Probe, Process, RestartPolicy, RestartSpec, StopSpec};
use unit::{Kill, Policy, Readiness, Reload, Restart};

fn of(process: Process) -> Policy {
    policy_of(&service("a", Kind::Longrun(process)))
}

#[test]
fn every_field_is_taken_from_its_own_place() {
    // Each number is another one, so that no two can be mistaken for each other.
    let policy = of(Process {
        start_timeout_ms: 1,
        finish_timeout_ms: 2,
        watchdog_ms: 3,
        stop: StopSpec {
            exec: vec!["/bin/stop".into()],
            signal: 15,
            timeout_ms: 4,
            kill: KillMode::Mixed,
        },
        restart: RestartSpec { policy: RestartPolicy::OnFailure, min_ms: 5, max_ms: 6 },
        ..process()
    });
    assert_eq!(
        policy,
        Policy {
            kind: unit::Kind::Longrun,
            readiness: Readiness::Signal,
            start_timeout_ms: 1,
            stop_timeout_ms: 4,
            command_timeout_ms: 2,
            kill: Kill::Mixed,
            stop_command: true,
            finish_command: false,
            reload: Reload::None,
            restart: Restart::OnFailure,
            backoff_min_ms: 5,
            backoff_max_ms: 6,
            watchdog_ms: 3,
            health: false,
            health_restarts: false,
        }
    );
}

#[test]
fn each_choice_has_its_counterpart() {
    let ready = |ready| of(Process { ready, ..process() }).readiness;
    assert_eq!(ready(graph::Readiness::Exec), Readiness::Exec);
    assert_eq!(ready(graph::Readiness::Notify), Readiness::Signal);
    assert_eq!(ready(graph::Readiness::Fd(3)), Readiness::Signal);
    assert_eq!(ready(graph::Readiness::Probe(Probe::Path("/x".into()))), Readiness::Signal);

    let kill = |kill| of(Process { stop: StopSpec { kill, ..process().stop }, ..process() }).kill;
    assert_eq!(kill(KillMode::Process), Kill::Process);
    assert_eq!(kill(KillMode::Cgroup), Kill::Cgroup);
    assert_eq!(kill(KillMode::Mixed), Kill::Mixed);

    let restart = |policy| {
        let restart = RestartSpec { policy, ..process().restart };
        of(Process { restart, ..process() }).restart
    };
    assert_eq!(restart(RestartPolicy::Always), Restart::Always);
    assert_eq!(restart(RestartPolicy::OnFailure), Restart::OnFailure);
    assert_eq!(restart(RestartPolicy::Never), Restart::Never);

    let reload = |reload| of(Process { reload, ..process() }).reload;
    assert_eq!(reload(Some(graph::Reload::Signal(1))), Reload::Signal);
    assert_eq!(reload(Some(graph::Reload::Exec(vec!["/bin/x".into()]))), Reload::Command);

    let commands = of(Process { finish: vec!["/bin/x".into()], ..process() });
    assert!(commands.finish_command && !commands.stop_command);

    let health = |restart| {
        let probe = Probe::Path("/x".into());
        let health = Health { probe, every_ms: 1, timeout_ms: 1, failures: 1, restart };
        of(Process { health: Some(health), ..process() })
    };
    assert!(health(false).health && !health(false).health_restarts);
    assert!(health(true).health && health(true).health_restarts);

    assert_eq!(policy_of(&service("a", Kind::Oneshot(process()))).kind, unit::Kind::Oneshot);
    assert_eq!(policy_of(&bundle("a")).kind, unit::Kind::Bundle);
}
