//! What differs between two graphs, and what that does to the services that run.
//!
//! It compares definitions, by name; it does not know what runs. Relations are compared by the
//! names that they lead to, because an index means nothing in another graph.
//!
//! **Invariant:** only a difference in what a process was given at its start can restart or reload
//! it; a change of order, of a policy, a time limit or of what is kept of a log never does.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    CgroupSpec, Graph, Kind, LogSpec, LogTo, OnChange, Process, Service, ServiceId,
    fingerprint::{cgroup_place, notify_fd, output},
};

/// One service that the two graphs do not agree about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Whose.
    pub name: String,
    /// What.
    pub kind: ChangeKind,
    /// For people: `exec changed, and on-change = "restart"`.
    pub why: String,
}

/// See [`Change`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// Only the new graph has it.
    Added,
    /// Only the old graph has it.
    Removed,
    /// Both have it, differently.
    Changed {
        /// The keys that differ, as they are written in its file.
        fields: Vec<&'static str>,
        /// What must be done for all of the new definition to be in force.
        reaction: Reaction,
    },
}

/// What a change does to a service that runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reaction {
    /// Stop it with the old definition, start it with the new one.
    Restart,
    /// Reload it.
    Reload,
    /// Nothing: the new definition is in force at once, or (`on-change = "keep"`) from the next
    /// start on. Cgroup settings, and [`settings_put_back`], are written to the cgroup that is
    /// there.
    Keep,
}

/// How far a difference reaches; the furthest of all fields counts.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Reach {
    /// The next decision, message or write uses the new value.
    Live,
    /// A reload command finds it.
    Reload,
    /// Only a new process has it.
    Process,
}

/// Every difference: first what was removed, in stop order, then the rest, in start order.
#[must_use]
pub fn diff(old: &Graph, new: &Graph) -> Vec<Change> {
    let before = by_name(old);
    let after = by_name(new);
    let removed = old.services.iter().rev().filter(|old| !after.contains_key(old.name.as_str()));
    let removed = removed.map(|old| Change {
        name: old.name.clone(),
        kind: ChangeKind::Removed,
        why: "it is no longer defined".to_string(),
    });
    let others = new.services.iter().filter_map(|service| {
        let Some(previous) = before.get(service.name.as_str()) else {
            return Some(Change {
                name: service.name.clone(),
                kind: ChangeKind::Added,
                why: "it is new".to_string(),
            });
        };
        changed(&Side { graph: old, service: previous }, &Side { graph: new, service })
    });
    removed.chain(others).collect()
}

fn by_name(graph: &Graph) -> BTreeMap<&str, &Service> {
    graph.services.iter().map(|service| (service.name.as_str(), service)).collect()
}

/// A service and the graph that its indices belong to.
struct Side<'a> {
    graph: &'a Graph,
    service: &'a Service,
}

impl<'a> Side<'a> {
    fn name(&self, id: ServiceId) -> &'a str {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        self.graph.services.get(index).map_or("", |service| &service.name)
    }

    fn names(&self, ids: &[ServiceId]) -> Vec<&'a str> {
        let mut names: Vec<&str> = ids.iter().map(|&id| self.name(id)).collect();
        names.sort_unstable();
        names
    }

    fn output(&self, process: &Process) -> (u8, &'a str) {
        let consumer = match process.log.to {
            LogTo::Service(id) => Some(self.name(id)),
            LogTo::Files | LogTo::None | LogTo::Console => None,
        };
        output(process, consumer)
    }
}

fn changed(old: &Side<'_>, new: &Side<'_>) -> Option<Change> {
    let mut found = service_fields(old, new);
    match (&old.service.kind, &new.service.kind) {
        (Kind::Longrun(before), Kind::Longrun(after))
        | (Kind::Oneshot(before), Kind::Oneshot(after)) => {
            found.extend(process_fields(before, after));
            if old.output(before) != new.output(after) {
                found.push(("log.to", Reach::Process));
            }
        }
        (Kind::Bundle(_), Kind::Bundle(_)) => {}
        (Kind::Longrun(_) | Kind::Oneshot(_) | Kind::Bundle(_), _) => {
            found.push(("type", Reach::Process));
        }
    }
    let furthest = found.iter().map(|&(_, reach)| reach).max()?;
    let on_change = new.service.on_change;
    let reaction = match (furthest, on_change) {
        (Reach::Live, _) | (_, OnChange::Keep) => Reaction::Keep,
        (Reach::Reload, OnChange::Reload) => Reaction::Reload,
        (Reach::Reload | Reach::Process, _) => Reaction::Restart,
    };
    Some(Change {
        name: new.service.name.clone(),
        why: why(&found, furthest, on_change),
        kind: ChangeKind::Changed {
            fields: found.into_iter().map(|(field, _)| field).collect(),
            reaction,
        },
    })
}

fn why(found: &[(&'static str, Reach)], furthest: Reach, on_change: OnChange) -> String {
    let fields: Vec<&str> =
        found.iter().filter(|(_, reach)| *reach == furthest).map(|(field, _)| *field).collect();
    let fields = fields.join(", ");
    match (furthest, on_change) {
        (Reach::Live, _) => format!("{fields} changed, in force at once"),
        (_, OnChange::Keep) => {
            format!("{fields} changed, in force from its next start: on-change = \"keep\"")
        }
        (Reach::Reload, OnChange::Reload) => {
            format!("{fields} changed, and on-change = \"reload\"")
        }
        (Reach::Process, OnChange::Reload) => {
            format!("{fields} changed, which a reload does not reach")
        }
        (Reach::Reload | Reach::Process, OnChange::Restart) => {
            format!("{fields} changed, and on-change = \"restart\"")
        }
    }
}

fn service_fields(old: &Side<'_>, new: &Side<'_>) -> Vec<(&'static str, Reach)> {
    let (a, b) = (old.service, new.service);
    let related = |a: &[ServiceId], b: &[ServiceId]| old.names(a) != new.names(b);
    let differences = [
        ("description", a.description != b.description),
        ("requires", related(&a.requires, &b.requires)),
        ("wants", related(&a.wants, &b.wants)),
        ("after", related(&a.after, &b.after)),
        ("conflicts", related(&a.conflicts, &b.conflicts)),
        ("provides", a.provides != b.provides),
        ("condition", a.conditions != b.conditions),
        ("on-change", a.on_change != b.on_change),
        ("critical", a.critical != b.critical),
    ];
    differences.into_iter().filter(|(_, is)| *is).map(|(field, _)| (field, Reach::Live)).collect()
}

fn process_fields(a: &Process, b: &Process) -> impl Iterator<Item = (&'static str, Reach)> {
    let place = cgroup_place(&a.cgroup) != cgroup_place(&b.cgroup);
    let settings = a.cgroup.settings != b.cgroup.settings;
    let ready = a.ready != b.ready;
    let told = notify_fd(&a.ready) != notify_fd(&b.ready);
    let differences = [
        ("exec", a.exec != b.exec, Reach::Process),
        ("ready", ready, if told { Reach::Process } else { Reach::Live }),
        ("ready.timeout", a.start_timeout_ms != b.start_timeout_ms, Reach::Live),
        ("ready.every", a.probe_every_ms != b.probe_every_ms, Reach::Live),
        ("finish", a.finish != b.finish, Reach::Live),
        ("finish.timeout", a.finish_timeout_ms != b.finish_timeout_ms, Reach::Live),
        ("stop", a.stop != b.stop, Reach::Live),
        ("restart", a.restart != b.restart, Reach::Live),
        ("reload", a.reload != b.reload, Reach::Live),
        ("health", a.health != b.health, Reach::Live),
        ("watchdog", a.watchdog_ms != b.watchdog_ms, Reach::Process),
        ("run", a.run != b.run, Reach::Process),
        ("environment", a.environment != b.environment, Reach::Reload),
        ("cgroup", place, Reach::Process),
        (CGROUP_SETTINGS, settings, settings_reach(a, b)),
        ("log", !same_keeping(&a.log, &b.log), Reach::Live),
    ];
    differences.into_iter().filter(|d| d.1).map(|(field, _, reach)| (field, reach))
}

/// The field that says: write the new settings to the service's cgroup.
pub const CGROUP_SETTINGS: &str = "cgroup settings";

/// A setting that is gone must be put back; where it is not known to what, only a new cgroup has
/// it.
fn settings_reach(a: &Process, b: &Process) -> Reach {
    let mut gone = gone(&a.cgroup, &b.cgroup);
    if gone.all(|key| cgroup_default(key).is_some()) { Reach::Live } else { Reach::Process }
}

fn gone<'a>(old: &'a CgroupSpec, new: &'a CgroupSpec) -> impl Iterator<Item = &'a str> {
    let old = old.settings.iter().map(|(key, _)| key.as_str());
    old.filter(|key| new.settings.iter().all(|(other, _)| other != key))
}

/// Settings that only the old definition has, with what the kernel begins with: to be written to
/// a cgroup that lives on.
#[must_use]
pub fn settings_put_back(old: &CgroupSpec, new: &CgroupSpec) -> Vec<(String, String)> {
    let defaults = gone(old, new).filter_map(|key| Some((key, cgroup_default(key)?)));
    defaults.map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// What a new cgroup has in this file.
fn cgroup_default(key: &str) -> Option<&'static str> {
    match key {
        "cpu.idle" | "memory.low" | "memory.min" | "memory.oom.group" => Some("0"),
        "cpu.max" => Some("max 100000"),
        "cpu.weight" => Some("100"),
        "io.weight" => Some("default 100"),
        "memory.high" | "memory.max" | "memory.swap.high" | "memory.swap.max" | "pids.max" => {
            Some("max")
        }
        _ => None,
    }
}

fn same_keeping(a: &LogSpec, b: &LogSpec) -> bool {
    LogSpec { to: LogTo::None, ..a.clone() } == LogSpec { to: LogTo::None, ..b.clone() }
}
