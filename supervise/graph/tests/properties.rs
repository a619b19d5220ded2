//! Any graph is read back as it was written, and no bytes make the reader panic.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod common;

use graph::{
    CapabilitySet, CgroupSpec, Condition, ConditionTest, Environment, Graph, Health, KillMode,
    Kind, LimitSpec, LogSpec, LogTo, MountSpec, OnChange, Probe, Process, Readiness, Reload,
    RestartPolicy, RestartSpec, RunSpec, Service, ServiceId, StopSpec, TtySpec, UserSpec, View,
    Watchdog, diff, encode, fingerprint,
};
use proptest::{collection::vec, option, prelude::*};

fn text() -> impl Strategy<Value = String> {
    "[ -~äé→]{0,12}"
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..4)
}

fn probe() -> impl Strategy<Value = Probe> {
    prop_oneof![
        text().prop_map(Probe::Unix),
        text().prop_map(Probe::Tcp),
        (text(), text(), text()).prop_map(|(address, host, path)| Probe::Http {
            address,
            host,
            path
        }),
        texts().prop_map(Probe::Exec),
        text().prop_map(Probe::Path),
    ]
}

fn readiness() -> impl Strategy<Value = Readiness> {
    prop_oneof![
        Just(Readiness::Exec),
        Just(Readiness::Notify),
        any::<u32>().prop_map(Readiness::Fd),
        Just(Readiness::Exit),
        probe().prop_map(Readiness::Probe),
    ]
}

fn stop() -> impl Strategy<Value = StopSpec> {
    let kill = prop_oneof![Just(KillMode::Process), Just(KillMode::Cgroup), Just(KillMode::Mixed)];
    (texts(), any::<u8>(), any::<u32>(), kill)
        .prop_map(|(exec, signal, timeout_ms, kill)| StopSpec { exec, signal, timeout_ms, kill })
}

fn restart() -> impl Strategy<Value = RestartSpec> {
    let policy = prop_oneof![
        Just(RestartPolicy::Always),
        Just(RestartPolicy::OnFailure),
        Just(RestartPolicy::Never),
    ];
    (policy, any::<u32>(), any::<u32>()).prop_map(|(policy, min_ms, max_ms)| RestartSpec {
        policy,
        min_ms,
        max_ms,
    })
}

fn mount() -> impl Strategy<Value = MountSpec> {
    prop_oneof![
        text().prop_map(MountSpec::Tmpfs),
        text().prop_map(MountSpec::ReadOnly),
        (text(), text()).prop_map(|(source, target)| MountSpec::Bind { source, target }),
        text().prop_map(MountSpec::Inaccessible),
    ]
}

fn run() -> impl Strategy<Value = RunSpec> {
    let user = (text(), text(), option::of(texts())).prop_map(|(user, group, groups)| UserSpec {
        user,
        group,
        groups,
    });
    let limit = (text(), any::<u64>(), any::<u64>()).prop_map(|(name, soft, hard)| LimitSpec {
        name,
        soft,
        hard,
    });
    let capabilities = (any::<Option<u64>>(), any::<u64>())
        .prop_map(|(bounding, ambient)| CapabilitySet { bounding, ambient });
    let tty = (text(), any::<bool>()).prop_map(|(path, reset)| TtySpec { path, reset });
    (
        (option::of(user), text(), any::<Option<u16>>(), any::<Option<i8>>()),
        (any::<Option<i16>>(), vec(limit, 0..3), option::of(capabilities), any::<bool>()),
        (option::of(tty), vec(mount(), 0..3), texts()),
    )
        .prop_map(|(a, b, c)| RunSpec {
            user: a.0,
            cwd: a.1,
            umask: a.2,
            nice: a.3,
            oom_score_adj: b.0,
            limits: b.1,
            capabilities: b.2,
            no_new_privs: b.3,
            tty: c.0,
            mounts: c.1,
            directories: c.2,
        })
}

fn log() -> impl Strategy<Value = LogSpec> {
    let to = prop_oneof![Just(LogTo::Files), Just(LogTo::None), Just(LogTo::Console)];
    (to, any::<(u64, u32, u64, u64, u32, bool, bool)>()).prop_map(|(to, rest)| LogSpec {
        to,
        file_size_max: rest.0,
        files_max: rest.1,
        age_max_s: rest.2,
        quota: rest.3,
        rate_max: rest.4,
        timestamps: rest.5,
        block: rest.6,
    })
}

fn process() -> impl Strategy<Value = Process> {
    let pairs = || vec((text(), text()), 0..4);
    let health = (probe(), any::<(u32, u32, u32, bool)>()).prop_map(|(probe, rest)| Health {
        probe,
        every_ms: rest.0,
        timeout_ms: rest.1,
        failures: rest.2,
        restart: rest.3,
    });
    let reload = prop_oneof![any::<u8>().prop_map(Reload::Signal), texts().prop_map(Reload::Exec)];
    let environment =
        (pairs(), texts()).prop_map(|(variables, files)| Environment { variables, files });
    let cgroup = (text(), any::<bool>(), pairs())
        .prop_map(|(path, delegate, settings)| CgroupSpec { path, delegate, settings });
    (
        (texts(), readiness(), any::<(u32, u32, u32, u32)>(), texts()),
        (stop(), restart(), option::of(reload), option::of(health)),
        (run(), environment, cgroup, log()),
    )
        .prop_map(|(a, b, c)| Process {
            exec: a.0,
            ready: a.1,
            start_timeout_ms: a.2.0,
            probe_every_ms: a.2.1,
            finish_timeout_ms: a.2.2,
            watchdog_ms: a.2.3,
            finish: a.3,
            stop: b.0,
            restart: b.1,
            reload: b.2,
            health: b.3,
            run: c.0,
            environment: c.1,
            cgroup: c.2,
            log: c.3,
        })
}

fn condition() -> impl Strategy<Value = Condition> {
    let test = prop_oneof![
        text().prop_map(ConditionTest::KernelCommandLine),
        text().prop_map(ConditionTest::PathExists),
        text().prop_map(ConditionTest::Virtualization),
        text().prop_map(ConditionTest::Architecture),
        text().prop_map(ConditionTest::Hardware),
    ];
    (any::<bool>(), test).prop_map(|(negated, test)| Condition { negated, test })
}

/// A service and its wishes: whom it relates to, as numbers that are folded into the graph's size.
fn service() -> impl Strategy<Value = (Service, [Vec<u32>; 4])> {
    let kind = prop_oneof![
        4 => process().prop_map(Kind::Longrun),
        2 => process().prop_map(Kind::Oneshot),
        1 => Just(Kind::Bundle(graph::Bundle {})),
    ];
    let on_change =
        prop_oneof![Just(OnChange::Restart), Just(OnChange::Reload), Just(OnChange::Keep)];
    let some = || vec(any::<u32>(), 0..4);
    (
        (kind, text(), on_change, any::<bool>(), text(), any::<u64>()),
        vec(condition(), 0..3),
        0..3_usize,
        [some(), some(), some(), some()],
    )
        .prop_map(|(a, conditions, aliases, wishes)| {
            let mut service = common::bundle("");
            service.kind = a.0;
            service.description = a.1;
            service.on_change = a.2;
            service.critical = a.3;
            service.file = a.4;
            service.fingerprint = a.5;
            service.conditions = conditions;
            service.provides = vec![String::new(); aliases];
            (service, wishes)
        })
}

/// A valid graph: names are unique, relations lead back and ascend, conflicts are mutual.
fn graph() -> impl Strategy<Value = Graph> {
    let head = (texts(), any::<u32>(), option::of((".{0,20}", any::<u32>())));
    (vec(service(), 0..12), head).prop_map(|(parts, (operators, budget, watchdog))| {
        let count = u32::try_from(parts.len()).unwrap();
        let fold = |wishes: &[u32], below: u32| -> Vec<ServiceId> {
            let mut ids: Vec<_> =
                wishes.iter().filter(|_| below > 0).map(|wish| ServiceId(wish % below)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let mut conflicts = std::collections::BTreeSet::new();
        let mut services = Vec::new();
        for (id, (mut service, wishes)) in (0..count).zip(parts) {
            service.name = format!("s{id}");
            for (number, alias) in service.provides.iter_mut().enumerate() {
                *alias = format!("alias-{id}-{number}");
            }
            service.requires = fold(&wishes[0], id);
            service.wants = fold(&wishes[1], id);
            service.after = fold(&wishes[2], id);
            for other in fold(&wishes[3], count).into_iter().filter(|other| other.0 != id) {
                conflicts.extend([(id, other.0), (other.0, id)]);
            }
            services.push(service);
        }
        for (a, b) in conflicts {
            services[usize::try_from(a).unwrap()].conflicts.push(ServiceId(b));
        }
        let watchdog = watchdog.map(|(device, timeout_ms)| Watchdog { device, timeout_ms });
        Graph { operators, shutdown_budget_ms: budget, watchdog, services }
    })
}

proptest! {
    #[test]
    fn any_graph_is_read_back_as_it_was_written(graph in graph()) {
        let bytes = encode(&graph);
        let view = View::open(&bytes).unwrap();
        prop_assert_eq!(&view.graph(), &graph);
        prop_assert_eq!(encode(&view.graph()), bytes);
        prop_assert_eq!(diff(&graph, &graph), []);
    }

    #[test]
    fn a_change_that_restarts_changes_the_fingerprint_and_no_other_does(
        old in process(), new in process(),
    ) {
        let service = |process: Process| {
            let mut service = common::longrun("a");
            service.kind = Kind::Longrun(process);
            service
        };
        let (mut old, new) = (service(old), service(new));
        // A setting without a known default needs a new cgroup, though no process sees it.
        common::process_mut(&mut old).cgroup.settings.clear();
        let same = fingerprint(&old, None) == fingerprint(&new, None);
        let graph = |service| Graph { services: vec![service], ..Graph::default() };
        let restarts = diff(&graph(old), &graph(new)).iter().any(|change| matches!(
            change.kind,
            graph::ChangeKind::Changed { reaction: graph::Reaction::Restart, .. }
        ));
        prop_assert_eq!(restarts, !same);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(View::open(&bytes).is_err());
    }

    #[test]
    fn no_damage_makes_the_reader_panic(
        graph in graph(), damage in vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = encode(&graph);
        let intact = bytes.clone();
        for (at, value) in damage {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        prop_assert_eq!(View::open(&bytes).is_ok(), bytes == intact);
    }
}
