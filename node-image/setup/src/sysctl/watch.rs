//! `node-setup sysctl --watch`: keys that a module or an interface brings into being are set as
//! soon as they are there, and files that somebody writes to `sysctl.d` (Cilium does) count from
//! then on.
//!
//! It sleeps until the kernel tells of a new device or module, or of a written file. What it
//! compares is what is wanted now with what was wanted before; what is, it leaves alone: kubelet,
//! k3s and tailscaled change keys while they run, and are right. That is remembered in a file
//! below `/run`, which the first setting at boot has begun, so that nothing is missed between the
//! two, and a watcher that was killed goes on where it was.

mod events;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::time::Duration;

use facts::section::Sysctls;

use self::events::{Events, News};
use super::plan::{self, By, Lines, Target};
use super::set;
use crate::{Report, Root};

/// What has been set, and by whose word: `KEY TAB BY TAB VALUE` on each line.
const MEMORY: &str = "/run/cooper/setup/sysctl";

/// By key, whose word it was, and the value.
type Remembered = BTreeMap<String, (String, String)>;

/// The kernel tells of an interface before it makes its keys, and of those it tells nobody: the
/// looks after the first, until they are there. What has none then never gets any.
const LOOKS: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(1)];

/// Sets what comes into being, until it is killed.
///
/// # Errors
/// If the kernel's messages cannot be had.
pub fn watch(table: &Sysctls, root: &Root, report: &mut Report<'_>) -> io::Result<Infallible> {
    // Before the first look: what comes after it is told.
    let mut events = Events::open(root)?;
    let mut known = recall(root);
    let (mut incomplete, mut looks): (Vec<String>, _) = (Vec::new(), LOOKS.iter());
    loop {
        known = catch_up(table, root, report, known);
        incomplete.retain(|name| !has_keys(name, root));
        let next = looks.next().filter(|_| !incomplete.is_empty());
        match events.wait(root, next.copied())? {
            News::Nothing => {}
            News::Files => looks = LOOKS.iter(),
            News::Interfaces(names) => {
                known.retain(|key, _| !is_of(key, &names));
                incomplete.extend(names);
                looks = LOOKS.iter();
            }
            // Which ones are new, nobody knows any more.
            News::Lost => known.retain(|key, _| !key.starts_with("net/")),
        }
    }
}

/// Whether the kernel has made an interface's keys.
fn has_keys(interface: &str, root: &Root) -> bool {
    let versions = ["net/ipv4/conf", "net/ipv6/conf"].map(plan::file);
    let mut versions = versions.iter().filter(|version| root.exists(version));
    versions.all(|version| root.exists(&format!("{version}/{interface}")))
}

/// Sets what is new or wanted otherwise than before. What is then known.
fn catch_up(
    table: &Sysctls,
    root: &Root,
    report: &mut Report<'_>,
    known: Remembered,
) -> Remembered {
    let lines = Lines::read(root);
    let targets = plan::targets(&table.sysctls, &lines, root);
    let now = there(&targets, root);
    let is_new = |target: &Target<'_>| {
        let new = now.get(&target.key);
        new.is_some() && new != known.get(&target.key)
    };
    let new: Vec<Target<'_>> = targets.iter().filter(|it| is_new(it)).cloned().collect();
    if !new.is_empty() {
        set::all(&new, root, report);
    }
    if now != known {
        write(&now, root);
    }
    now
}

/// Remembers what has been set.
pub fn remember(targets: &[Target<'_>], root: &Root) {
    write(&there(targets, root), root);
}

fn there(targets: &[Target<'_>], root: &Root) -> Remembered {
    let there = targets.iter().filter(|target| root.exists(&plan::file(&target.key)));
    there
        .map(|target| {
            let by = match &target.by {
                By::Table(_) => "table".to_owned(),
                By::File { place, .. } => place.path.clone(),
            };
            (target.key.clone(), (by, target.value.clone()))
        })
        .collect()
}

/// A memory that cannot be written costs some values that are set once more.
fn write(known: &Remembered, root: &Root) {
    let line = |(key, (by, value)): (&String, &(String, String))| format!("{key}\t{by}\t{value}\n");
    let text: String = known.iter().map(line).collect();
    let path = root.path(MEMORY);
    let new = path.with_extension("new");
    let _ = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&new, text))
        .and_then(|()| fs::rename(&new, &path));
}

fn recall(root: &Root) -> Remembered {
    let text = root.read(MEMORY).unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let (key, by, value) = (fields.next()?, fields.next()?, fields.next()?);
        Some((key.to_owned(), (by.to_owned(), value.to_owned())))
    });
    lines.collect()
}

/// A key below a directory that has an interface's name.
fn is_of(key: &str, interfaces: &[String]) -> bool {
    key.split('/').any(|part| interfaces.iter().any(|name| name == part))
}

#[cfg(test)]
mod tests;
