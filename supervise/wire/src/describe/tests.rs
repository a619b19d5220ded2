//! Records in, sentences out.
#![expect(clippy::arithmetic_side_effects, reason = "small constants, in tests")]

use alloc::{format, string::String, vec, vec::Vec};

use engine::Wait;
use graph::{
    CgroupSpec, Condition, ConditionTest, Environment, KillMode, LogSpec, LogTo, OnChange, Process,
    Readiness, RestartPolicy, RestartSpec, RunSpec, StopSpec,
};
use unit::{Cause, Exit, Incarnation, Instant, Left, Main, Reloading, SpawnError, Stage, Step};

use super::*;

const NOW_S: u64 = 1000;
const S: u64 = 1_000_000;

struct Small {
    services: Vec<graph::Service>,
    records: Vec<Record>,
}

impl World for Small {
    fn now_us(&self) -> u64 {
        NOW_S * S
    }

    fn count(&self) -> u32 {
        u32::try_from(self.services.len()).unwrap()
    }

    fn service(&self, id: ServiceId) -> Option<graph::Service> {
        self.services.get(usize::try_from(id.0).unwrap()).cloned()
    }

    fn record(&self, id: ServiceId) -> Option<Record> {
        self.records.get(usize::try_from(id.0).unwrap()).copied()
    }
}

fn service(name: &str, requires: &[u32]) -> graph::Service {
    let process = Process {
        exec: vec!["/bin/x".into()],
        ready: Readiness::Notify,
        start_timeout_ms: 120_000,
        probe_every_ms: 100,
        finish: vec![],
        finish_timeout_ms: 5_000,
        stop: StopSpec { exec: vec![], signal: 15, timeout_ms: 30_000, kill: KillMode::Mixed },
        restart: RestartSpec { policy: RestartPolicy::Always, min_ms: 100, max_ms: 30_000 },
        reload: None,
        health: None,
        watchdog_ms: 0,
        run: RunSpec::default(),
        environment: Environment::default(),
        cgroup: CgroupSpec::default(),
        log: LogSpec {
            to: LogTo::Files,
            file_size_max: 0,
            files_max: 0,
            age_max_s: 0,
            quota: 0,
            rate_max: 0,
            timestamps: true,
            block: false,
        },
    };
    graph::Service {
        name: name.into(),
        description: String::new(),
        kind: graph::Kind::Longrun(process),
        requires: requires.iter().copied().map(ServiceId).collect(),
        wants: vec![],
        after: vec![],
        conflicts: vec![],
        provides: vec![],
        conditions: vec![Condition {
            negated: false,
            test: ConditionTest::PathExists("/dev/kvm".into()),
        }],
        on_change: OnChange::Restart,
        critical: false,
        file: String::new(),
        fingerprint: 0,
    }
}

/// containerd ← kubelet ← cilium, all of them wanted.
fn chain_of_three(root: Record) -> Small {
    let waiting = |on| Record {
        goal: engine::Goal::Up,
        wait: Wait::Requires(ServiceId(on)),
        since_us: (NOW_S - 12) * S,
        ..Record::default()
    };
    Small {
        services: vec![
            service("containerd", &[]),
            service("kubelet", &[0]),
            service("cilium", &[1]),
        ],
        records: vec![root, waiting(0), waiting(1)],
    }
}

fn record(state: unit::State, last: Option<Cause>, seconds_ago: u64) -> Record {
    Record {
        unit: Unit { state, incarnation: Incarnation(4), failures: 1, last, exit: None },
        goal: engine::Goal::Up,
        since_us: (NOW_S - seconds_ago) * S,
        ..Record::default()
    }
}

const fn at(seconds: u64) -> Instant {
    Instant(seconds * S)
}

fn exited(code: u8) -> Option<Cause> {
    Some(Cause::Exited(Exit::Code(code)))
}

/// A waiting service names whom it waits for, and why the last one in that chain does not come.
#[test]
fn a_waiting_service_tells_the_root_cause() {
    let backoff = record(unit::State::Backoff { until: at(NOW_S + 8) }, exited(1), 12);
    let world = chain_of_three(backoff);
    let kubelet = describe(&world, ServiceId(1)).unwrap();
    assert_eq!(kubelet.state, State::Waiting);
    assert_eq!(kubelet.why, "for containerd: failed 12 s ago (exit 1), restart in 8 s");
    assert_eq!(kubelet.waiting_on.as_deref(), Some("containerd"));
    let cilium = describe(&world, ServiceId(2)).unwrap();
    assert_eq!(
        cilium.why,
        "for kubelet, and that for containerd: failed 12 s ago (exit 1), restart in 8 s"
    );
    let links: Vec<_> =
        chain(&world, ServiceId(2)).into_iter().map(|link| (link.name, link.why)).collect();
    assert_eq!(
        links,
        [
            ("cilium".into(), "for kubelet".into()),
            ("kubelet".into(), "for containerd".into()),
            ("containerd".into(), String::from("exit 1, 12 s ago; restart in 8 s")),
        ]
    );
}

/// What a oneshot said before it failed is the reason, for itself and for who waits for it; what a
/// longrun said may have been true only then.
#[test]
fn a_oneshot_that_failed_gives_its_own_reason() {
    let status = crate::state::Status::new("cannot load x: it is not there");
    let failed = Record { status, ..record(unit::State::Failed, exited(111), 12) };
    let mut world = chain_of_three(failed);
    let why = describe(&world, ServiceId(0)).unwrap().why;
    assert_eq!(why, "exit 111; it is not started again by itself");
    let service = &mut world.services[0];
    let graph::Kind::Longrun(process) = service.kind.clone() else { panic!("it was one") };
    service.kind = graph::Kind::Oneshot(process);
    let why = describe(&world, ServiceId(0)).unwrap().why;
    let reason = "exit 111: cannot load x: it is not there";
    assert_eq!(why, format!("{reason}; it is not started again by itself"));
    let why = describe(&world, ServiceId(1)).unwrap().why;
    assert_eq!(why, format!("for containerd: failed 12 s ago ({reason})"));
}

/// Each state is told in the words of its service.
#[test]
fn each_state_has_its_sentence() {
    let spawn = SpawnError { step: Step::Exec, errno: 2 };
    let up = |degraded| unit::State::Up {
        since: at(1),
        degraded,
        reloading: Reloading::No,
        watchdog: None,
    };
    let cases = [
        (
            unit::State::Starting { deadline: at(NOW_S + 117), watchdog_us: 0 },
            None,
            State::Starting,
            "until it says READY=1; 3 s of 2 min",
        ),
        (
            unit::State::Failed,
            Some(Cause::Spawn(spawn)),
            State::Failed,
            "cannot execute its program: no such file or directory; it is not started \
             again by itself",
        ),
        (
            unit::State::Ended,
            exited(0),
            State::Ended,
            "exit 0; that was its end, as its restart policy says",
        ),
        (unit::State::Skipped { condition: 0 }, None, State::Skipped, "/dev/kvm does not exist"),
        (unit::State::Skipped { condition: 9 }, None, State::Skipped, "a condition does not hold"),
        (
            unit::State::Stopping {
                stage: Stage::Signal,
                left: Left { main: Main::Alive, command: None },
                deadline: at(NOW_S + 27),
                next: Next::Down,
            },
            None,
            State::Stopping,
            "was sent SIGTERM; 3 s of 30 s, then it starts again",
        ),
        (up(false), None, State::Ready, ""),
        (up(true), None, State::Degraded, "its health probes fail"),
        (unit::State::Down, None, State::Starting, "its turn to start has come"),
    ];
    for (state, last, word, why) in cases {
        let world = chain_of_three(record(state, last, 3));
        let found = describe(&world, ServiceId(0)).unwrap();
        assert_eq!((found.state, found.why.as_str()), (word, why));
    }
}

/// A reload that has failed is said, with what else is wrong, as long as nothing better happens.
#[test]
fn a_reload_that_failed_is_said() {
    let described = |degraded| {
        let reloading = Reloading::Failed { exit: Exit::Signal(9) };
        let up = unit::State::Up { since: at(1), degraded, reloading, watchdog: None };
        describe(&chain_of_three(record(up, None, 3)), ServiceId(0)).unwrap()
    };
    let found = described(false);
    assert_eq!(found.state, State::Ready);
    assert_eq!(found.why, "its reload command failed: signal 9 (SIGKILL)");
    assert_eq!(found.reload_failed.and_then(|end| end.signal), Some(9));
    assert_eq!(found.until_us, None);
    let why = "its health probes fail; its reload command failed: signal 9 (SIGKILL)";
    assert_eq!(described(true).why, why);
}

/// From the third failure in a row on, a service is said to be crash-looping.
#[test]
fn crash_looping_is_said() {
    let mut backoff = record(unit::State::Backoff { until: at(NOW_S + 8) }, exited(1), 2);
    backoff.unit.failures = 3;
    let found = describe(&chain_of_three(backoff), ServiceId(0)).unwrap();
    assert!(found.crash_looping);
    assert_eq!(found.why, "crash-looping (3 times in a row): exit 1, 2 s ago; restart in 8 s");
}

/// A record that no engine writes, a cycle of waits, is described and ends.
#[test]
fn a_cycle_of_waits_ends() {
    let mut world = chain_of_three(Record::default());
    world.records[0].wait = Wait::Requires(ServiceId(2));
    assert_eq!(chain(&world, ServiceId(0)).len(), CHAIN_MAX);
    assert!(describe(&world, ServiceId(0)).is_some());
    assert!(describe(&world, ServiceId(3)).is_none());
}

/// The critical chain goes through the dependency that became ready last, but before the start.
#[test]
fn the_boot_trace_names_the_last_dependency() {
    let mut world = chain_of_three(Record::default());
    world.services[2].after = vec![ServiceId(0)];
    for (record, times) in world.records.iter_mut().zip([(1, 5), (5, 7), (7, 0)]) {
        (record.first_start_us, record.first_ready_us) = times;
    }
    let found: Vec<_> =
        traces(&world).into_iter().map(|t| (t.name, t.start_us, t.ready_us, t.after)).collect();
    assert_eq!(
        found,
        [
            ("containerd".into(), 1, Some(5), None),
            ("kubelet".into(), 5, Some(7), Some("containerd".into())),
            ("cilium".into(), 7, None, Some(String::from("kubelet"))),
        ]
    );
    // One that was to be started and had no reason to be is no part of the boot.
    world.records[2].unit.state = unit::State::Skipped { condition: 0 };
    assert_eq!(traces(&world).len(), 2);
}
