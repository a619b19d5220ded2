//! Section `cgroups`: one pure v2 hierarchy, every controller passed on at its root, and the
//! groups that daemons expect to find.
//!
//! init has mounted the hierarchy and lives in `/init.scope`; in a container it has moved there
//! whatever else was in the root. `supervise` passes the controllers on as it starts. So at boot
//! there is mostly nothing to change here but groups to make; the rest is looked at, since who
//! boots differently, or looks later (`svc doctor`), may find it otherwise.

use std::fs;
use std::io;

use facts::section::Cgroups;
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_remount};

use crate::mountinfo::{self, MountPoint};
use crate::{Finding, Need, Report, Root, State};

const HIERARCHY: &str = "/sys/fs/cgroup";
/// The mount's options: a cgroup namespace is a boundary that its owner cannot cross; and memory
/// that a group is promised reaches the groups below it.
const OPTIONS: [(&str, &str); 2] = [
    ("nsdelegate", "a container cannot change its own limits"),
    ("memory_recursiveprot", "memory.min of a group protects what runs below it"),
];
const OPTIONS_SOURCE: &str = "kernel: Documentation/admin-guide/cgroup-v2.rst, Mounting";

/// One thing that set-up can change.
#[derive(Clone, Debug)]
enum Step {
    /// Mount it again with all options.
    Remount,
    /// Pass a controller on to the groups below the root.
    Enable(String),
    /// Make a group.
    Make(String),
    /// Write a file of a group.
    Set { group: String, key: String, value: String },
}

/// How each entry stands.
#[must_use]
pub fn inspect(table: &Cgroups, root: &Root) -> Vec<Finding> {
    look(table, root).into_iter().map(|(finding, _)| finding).collect()
}

/// Makes true what does not hold.
pub fn apply(table: &Cgroups, root: &Root, report: &mut Report<'_>) {
    for (Finding { subject, state, need }, step) in look(table, root) {
        match (state, step) {
            (State::Holds(_), _) => report.holds(),
            (State::Differs { is, wanted }, Some(step)) => match take(&step, root) {
                Ok(()) => report.changed(&subject, &is, &wanted, &need),
                Err(reason) => report.failed(&format_args!("cannot {reason}"), &need),
            },
            (
                State::Differs { is: reason, .. } | State::Cannot(reason) | State::Hidden(reason),
                _,
            ) => {
                report.failed(&format_args!("{subject}: {reason}"), &need);
            }
        }
    }
}

type Looked = (Finding, Option<Step>);

fn look(table: &Cgroups, root: &Root) -> Vec<Looked> {
    let mounts = mountinfo::read(root).unwrap_or_default();
    let mount = mountinfo::top(&mounts, HIERARCHY).filter(|mount| mount.fstype == "cgroup2");
    let Some(mount) = mount else { return vec![(no_hierarchy(&mounts), None)] };
    let mut looked = Vec::new();
    looked.extend(first_version(&mounts).map(|finding| (finding, None)));
    looked.extend(OPTIONS.iter().map(|option| mount_option(mount, option)));
    looked.extend(controllers(root));
    looked.extend(crowded_root(root).map(|finding| (finding, None)));
    for cgroup in &table.cgroups {
        looked.push(group(cgroup, root));
        looked.extend(cgroup.set.iter().map(|(key, value)| setting(cgroup, key, value, root)));
    }
    looked
}

fn no_hierarchy(mounts: &[MountPoint]) -> Finding {
    let is_first = mounts.iter().any(|mount| mount.fstype == "cgroup");
    let reason = match is_first {
        true => "cgroup version 1 is mounted, or a mix; boot without it (cgroup_no_v1=all)",
        false => "no cgroup2 file system is mounted there",
    };
    let why = "kubelet 1.35 and later do not start, k3s finds no controllers";
    Finding {
        subject: HIERARCHY.to_owned(),
        state: State::Cannot(reason.to_owned()),
        need: needed(why, "kubernetes: KEP-5573"),
    }
}

/// A hierarchy of version 1 takes its controllers away from version 2.
fn first_version(mounts: &[MountPoint]) -> Option<Finding> {
    let old: Vec<_> = mounts.iter().filter(|it| it.fstype == "cgroup").map(|it| &*it.at).collect();
    let state = State::Cannot(format!(
        "cgroup version 1 is mounted too, at {}; unmount it",
        old.join(", ")
    ));
    let why = "its controllers are missing in version 2";
    let need = needed(why, "kernel: cgroup-v2.rst, Mounting");
    (!old.is_empty()).then(|| Finding { subject: HIERARCHY.to_owned(), state, need })
}

fn mount_option(mount: &MountPoint, &(option, why): &(&str, &str)) -> Looked {
    let state = match mount.has(option) {
        true => State::Holds(option.to_owned()),
        false => State::Differs { is: "off".to_owned(), wanted: "on".to_owned() },
    };
    let subject = format!("{HIERARCHY}, option {option}");
    (Finding { subject, state, need: useful(why, OPTIONS_SOURCE) }, Some(Step::Remount))
}

/// Each controller that the kernel has, and `memory` above all, which a Raspberry Pi's firmware
/// switches off.
fn controllers(root: &Root) -> Vec<Looked> {
    let words = |file: &str| -> Vec<String> {
        let text = root.line(&format!("{HIERARCHY}/{file}")).unwrap_or_default();
        text.split_ascii_whitespace().map(str::to_owned).collect()
    };
    let (available, enabled) = (words("cgroup.controllers"), words("cgroup.subtree_control"));
    let need = useful("limits and accounts of services and pods", "kubelet: cm, k3s: CheckCgroups");
    let state = |name: &String| match enabled.contains(name) {
        true => State::Holds("enabled".to_owned()),
        false => State::Differs { is: "off".to_owned(), wanted: "enabled".to_owned() },
    };
    let found = available.iter().map(|name| {
        let subject = format!("controller {name}");
        let finding = Finding { subject, state: state(name), need: need.clone() };
        (finding, Some(Step::Enable(name.clone())))
    });
    let mut found: Vec<Looked> = found.collect();
    if !available.iter().any(|name| name == "memory") {
        let reason = match is_disabled(root, "memory") {
            true => "switched off on the kernel's command line: add cgroup_enable=memory to it",
            false => "the kernel has none (CONFIG_MEMCG)",
        };
        let (subject, state) = ("controller memory".to_owned(), State::Cannot(reason.to_owned()));
        found.push((Finding { subject, state, need }, None));
    }
    found
}

/// `/proc/cgroups` lists each controller that was compiled in, and in its last column whether it
/// may be used.
fn is_disabled(root: &Root, name: &str) -> bool {
    let text = root.read("/proc/cgroups").unwrap_or_default();
    let mut lines = text.lines().map(|line| line.split_ascii_whitespace());
    lines.any(|mut line| line.next() == Some(name) && line.last() == Some("0"))
}

/// In a container the root that we see is an ordinary group to the kernel: while a process is in
/// it, its controllers cannot be passed on.
fn crowded_root(root: &Root) -> Option<Finding> {
    if !root.exists(&format!("{HIERARCHY}/cgroup.type")) {
        return None;
    }
    let count = root.read(&format!("{HIERARCHY}/cgroup.procs")).ok()?.lines().count();
    let why = "no controller can be passed on, kubelet says `domain controllers`";
    let state = State::Cannot(format!("{count} processes are in this container's root cgroup"));
    let need = useful(why, "kernel: cgroup-v2.rst, No Internal Process Constraint");
    (count > 0).then(|| Finding { subject: HIERARCHY.to_owned(), state, need })
}

fn group(cgroup: &facts::Cgroup, root: &Root) -> Looked {
    let state = match root.exists(&below(&cgroup.path)) {
        true => State::Holds("there".to_owned()),
        false => State::Differs { is: "absent".to_owned(), wanted: "there".to_owned() },
    };
    let subject = format!("/{}", cgroup.path);
    (Finding { subject, state, need: cgroup.into() }, Some(Step::Make(cgroup.path.clone())))
}

fn setting(cgroup: &facts::Cgroup, key: &str, value: &str, root: &Root) -> Looked {
    let is = root.line(&format!("{}/{key}", below(&cgroup.path)));
    let state = match is {
        Some(is) if is_same(&is, value) => State::Holds(is),
        Some(is) => State::Differs { is, wanted: value.to_owned() },
        None => State::Differs { is: "absent".to_owned(), wanted: value.to_owned() },
    };
    let (group, key) = (cgroup.path.clone(), key.to_owned());
    let subject = format!("/{group} {key}");
    let step = Step::Set { group, key, value: value.to_owned() };
    (Finding { subject, state, need: cgroup.into() }, Some(step))
}

fn below(group: &str) -> String {
    format!("{HIERARCHY}/{group}")
}

/// The kernel says in bytes, whole pages, what may be written as `96M`.
fn is_same(is: &str, wanted: &str) -> bool {
    /// The largest page of the machines that we are for.
    const PAGE_MAX: u64 = 64 << 10;
    let same = |is: &str, wanted: &str| match (bytes(is), bytes(wanted)) {
        (Some(is), Some(wanted)) => is == wanted || is == wanted & !PAGE_MAX.wrapping_sub(1),
        (_, _) => is == wanted,
    };
    let (mut is, mut wanted) = (is.split_ascii_whitespace(), wanted.split_ascii_whitespace());
    loop {
        match (is.next(), wanted.next()) {
            (None, None) => return true,
            (Some(is), Some(wanted)) if same(is, wanted) => {}
            (_, _) => return false,
        }
    }
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits)? {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" | "m" => 1 << 20,
        "G" | "g" => 1 << 30,
        "T" | "t" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Does it; otherwise says "VERB OBJECT: reason".
fn take(step: &Step, root: &Root) -> Result<(), String> {
    match step {
        Step::Remount => {
            let options = OPTIONS.map(|(option, _)| option).join(",");
            let options = std::ffi::CString::new(options).unwrap_or_default();
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount_remount(root.path(HIERARCHY), flags, options.as_c_str())
                .map_err(|errno| format!("mount {HIERARCHY} again: {errno}"))
        }
        Step::Enable(name) => enable(root, HIERARCHY, name).map_err(|error| {
            let why = enable_failed(&error, name, root);
            format!("pass the controller {name} on at the root: {why}")
        }),
        Step::Make(path) => fs::create_dir_all(root.path(&below(path)))
            .map_err(|error| format!("make the cgroup /{path}: {error}")),
        Step::Set { group, key, value } => set(root, group, key, value)
            .map_err(|error| format!("set {key} of /{group} to {value}: {error}")),
    }
}

fn enable(root: &Root, directory: &str, controller: &str) -> io::Result<()> {
    fs::write(root.path(&format!("{directory}/cgroup.subtree_control")), format!("+{controller}"))
}

fn enable_failed(error: &io::Error, controller: &str, root: &Root) -> String {
    match (Errno::from_io_error(error), controller) {
        (Some(Errno::INVAL), "cpu") => match crate::realtime::outside_root(root).as_slice() {
            [] => error.to_string(),
            threads => format!(
                "real-time threads are outside the root cgroup ({}): start them later",
                threads.join(", ")
            ),
        },
        (Some(Errno::BUSY), _) => "processes are in this group; it must have none".to_owned(),
        (_, _) => error.to_string(),
    }
}

/// Writes a file of a group; its controller is passed on from the root to the group first.
fn set(root: &Root, group: &str, key: &str, value: &str) -> io::Result<()> {
    let controller = key.split('.').next().unwrap_or(key);
    let file = root.path(&format!("{}/{key}", below(group)));
    if controller != "cgroup" && !file.exists() {
        for (end, _) in group.match_indices('/') {
            enable(root, &below(group.get(..end).unwrap_or_default()), controller)?;
        }
    }
    fs::write(file, value)
}

fn needed(why: &str, source: &str) -> Need {
    Need { is_optional: false, ..useful(why, source) }
}

fn useful(why: &str, source: &str) -> Need {
    Need { why: why.to_owned(), source: source.to_owned(), by: Vec::new(), is_optional: true }
}

#[cfg(test)]
mod tests;
