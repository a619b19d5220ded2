//! What a change does to a service that runs.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that panics has failed"
)]

mod common;

use common::{process_mut, sample};
use graph::{
    CgroupSpec, ChangeKind, Graph, LogTo, OnChange, Process, Reaction, Readiness, Service,
    ServiceId, diff, fingerprint, settings_put_back,
};

/// The one change between `sample()` and the same graph with `change` made to kubelet.
fn kubelet(on_change: OnChange, change: impl FnOnce(&mut Service)) -> (String, Reaction, String) {
    let mut old = sample();
    old.services[3].on_change = on_change;
    let mut new = old.clone();
    change(&mut new.services[3]);
    let changes = diff(&old, &new);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].name, "kubelet");
    match changes[0].kind.clone() {
        ChangeKind::Changed { fields, reaction } => {
            (fields.join(","), reaction, changes[0].why.clone())
        }
        ChangeKind::Added | ChangeKind::Removed => panic!("{changes:?}"),
    }
}

#[test]
fn equal_graphs_do_not_differ() {
    assert_eq!(diff(&sample(), &sample()), []);
}

#[test]
fn only_what_a_process_was_given_restarts_it() {
    type Edit = fn(&mut Process);
    let edits: [(&str, Reaction, Edit); 16] = [
        ("exec", Reaction::Restart, |p| p.exec.push("-v".into())),
        ("environment", Reaction::Restart, |p| p.environment.files.push("/etc/x".into())),
        ("run", Reaction::Restart, |p| p.run.umask = Some(0o77)),
        ("watchdog", Reaction::Restart, |p| p.watchdog_ms = 1),
        ("cgroup", Reaction::Restart, |p| p.cgroup.path = "system/other".into()),
        ("ready", Reaction::Restart, |p| p.ready = Readiness::Notify),
        ("log.to", Reaction::Restart, |p| p.log.to = LogTo::Files),
        ("ready", Reaction::Keep, |p| p.ready = Readiness::Exit),
        ("ready.timeout", Reaction::Keep, |p| p.start_timeout_ms = 1),
        ("finish", Reaction::Keep, |p| p.finish.push("/bin/true".into())),
        ("stop", Reaction::Keep, |p| p.stop.timeout_ms = 1),
        ("restart", Reaction::Keep, |p| p.restart.max_ms = 1),
        ("log", Reaction::Keep, |p| p.log.files_max = 99),
        ("cgroup settings", Reaction::Keep, |p| p.cgroup.settings[0].1 = "1G".into()),
        ("cgroup settings", Reaction::Keep, |p| p.cgroup.settings.clear()),
        ("cgroup settings", Reaction::Keep, |p| {
            p.cgroup.settings.push(("pids.max".into(), "9".into()));
        }),
    ];
    for (field, reaction, edit) in edits {
        let (fields, is, why) = kubelet(OnChange::Restart, |s| edit(process_mut(s)));
        assert_eq!((fields.as_str(), is), (field, reaction), "{why}");
        // Equal fingerprint: nothing to restart. Different: something.
        let mut changed = sample().services[3].clone();
        edit(process_mut(&mut changed));
        let same = fingerprint(&changed, None) == sample().services[3].fingerprint;
        assert_eq!(same, reaction == Reaction::Keep, "{field}");
    }
}

#[test]
fn a_setting_whose_default_is_unknown_restarts_when_it_goes() {
    let mut old = sample();
    process_mut(&mut old.services[3]).cgroup.settings.push(("io.max".into(), "8:0 rbps=1".into()));
    let changes = diff(&old, &sample());
    let ChangeKind::Changed { reaction, .. } = changes[0].kind else { panic!("{changes:?}") };
    assert_eq!(reaction, Reaction::Restart);
}

#[test]
fn a_setting_that_is_gone_is_put_back() {
    let spec = |settings: &[(&str, &str)]| CgroupSpec {
        settings: settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
        ..CgroupSpec::default()
    };
    let old = spec(&[("memory.max", "1G"), ("pids.max", "10"), ("io.max", "8:0 rbps=1")]);
    let new = spec(&[("pids.max", "20"), ("cpu.weight", "50")]);
    assert_eq!(settings_put_back(&old, &new), [("memory.max".into(), "max".into())]);
    assert_eq!(settings_put_back(&new, &new), []);
}

#[test]
fn on_change_decides() {
    let environment = |s: &mut Service| {
        process_mut(s).environment.variables.push(("A".into(), "b".into()));
    };
    let exec = |s: &mut Service| process_mut(s).exec.push("-v".into());
    let cases: [(OnChange, Reaction, &str); 3] = [
        (OnChange::Restart, Reaction::Restart, "environment changed, and on-change = \"restart\""),
        (OnChange::Reload, Reaction::Reload, "environment changed, and on-change = \"reload\""),
        (
            OnChange::Keep,
            Reaction::Keep,
            "environment changed, in force from its next start: on-change = \"keep\"",
        ),
    ];
    for (on_change, reaction, why) in cases {
        let is = kubelet(on_change, environment);
        assert_eq!((is.1, is.2.as_str()), (reaction, why));
    }
    let is = kubelet(OnChange::Reload, exec);
    assert_eq!(
        (is.1, is.2.as_str()),
        (Reaction::Restart, "exec changed, which a reload does not reach")
    );
    assert_eq!(kubelet(OnChange::Keep, exec).1, Reaction::Keep);
}

#[test]
fn a_change_of_order_restarts_nothing() {
    type Edit = fn(&mut Service);
    let edits: [(&str, Edit); 7] = [
        ("requires", |s| s.requires.clear()),
        ("wants", |s| s.wants.push(ServiceId(2))),
        ("after", |s| s.after.clear()),
        ("description", |s| s.description = "other".into()),
        ("provides", |s| s.provides.push("node-agent".into())),
        ("critical", |s| s.critical = true),
        ("on-change", |s| s.on_change = OnChange::Reload),
    ];
    for (field, edit) in edits {
        let (fields, reaction, _) = kubelet(OnChange::Restart, edit);
        assert_eq!((fields.as_str(), reaction), (field, Reaction::Keep));
    }
}

#[test]
fn a_new_place_in_the_graph_is_not_a_change() {
    // One more service before all others: every index is one higher, and nothing else differs.
    let mut new = sample();
    let shift = |ids: &mut Vec<ServiceId>| ids.iter_mut().for_each(|id| id.0 += 1);
    for service in &mut new.services {
        shift(&mut service.requires);
        shift(&mut service.wants);
        shift(&mut service.after);
        shift(&mut service.conflicts);
    }
    new.services.insert(0, common::longrun("aaa"));
    let changes = diff(&sample(), &new);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].name.as_str(), &changes[0].kind), ("aaa", &ChangeKind::Added));
}

#[test]
fn another_order_of_the_services_is_not_a_change() {
    let mut old = sample();
    old.services[4].requires = vec![ServiceId(0), ServiceId(1)];
    let mut new = old.clone();
    new.services.swap(0, 1);
    new.services[0].conflicts = vec![ServiceId(2)];
    new.services[2].conflicts = vec![ServiceId(0)];
    assert_eq!(diff(&old, &new), []);
}

#[test]
fn what_goes_comes_first_and_in_stop_order() {
    let old = sample();
    let new = Graph { services: old.services[..2].to_vec(), ..old.clone() };
    let names: Vec<String> = diff(&old, &new).into_iter().map(|change| change.name).collect();
    assert_eq!(names, ["default", "kubelet", "k3s", "containerd"]);
}

#[test]
fn a_longrun_that_becomes_a_bundle_is_restarted() {
    let (fields, reaction, _) =
        kubelet(OnChange::Restart, |s| s.kind = graph::Kind::Bundle(graph::Bundle {}));
    assert_eq!((fields.as_str(), reaction), ("type", Reaction::Restart));
}
