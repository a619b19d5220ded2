//! Section `sysctl`: the kernel's parameters, from the table and from `sysctl.d`.
//!
//! What is there is read first and only what differs is written, so that nothing that somebody
//! else has set as well as we would is touched. Keys that are not there yet belong to modules and
//! interfaces to come; [`watch`] sets them then.

pub mod conf;
pub mod plan;
mod set;
pub mod value;
pub mod watch;

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use facts::section::Sysctls;

use crate::{Finding, Report, Root, State};
use plan::{By, Lines, Target};

/// How each entry stands; an entry with a pattern once for each key that matches.
#[must_use]
pub fn inspect(table: &Sysctls, root: &Root) -> Vec<Finding> {
    let lines = Lines::read(root);
    let targets = plan::targets(&table.sysctls, &lines, root);
    let targets: BTreeMap<&str, &Target<'_>> =
        targets.iter().map(|target| (target.key.as_str(), target)).collect();
    let mut found = Vec::new();
    for entry in &table.sysctls {
        for key in plan::keys(entry, root) {
            let target = targets.get(key.as_str()).copied();
            // Another entry of the table is about this key, too, and counts more.
            if target.is_some_and(|it| matches!(it.by, By::Table(other) if other != entry)) {
                continue;
            }
            let state = state(entry, &key, target, root);
            found.push(Finding { subject: conf::dotted(&key), state, need: entry.into() });
        }
    }
    found
}

fn state(entry: &facts::Sysctl, key: &str, target: Option<&Target<'_>>, root: &Root) -> State {
    let is = root.line(&plan::file(key));
    let by = target.map(|target| &target.by);
    match (is, by) {
        (Some(is), _) if value::satisfies(&is, entry) => State::Holds(is),
        (Some(is), Some(By::File { place, .. })) => State::Cannot(format!(
            "it is {is}, since {place} wins over the profiles' {}",
            entry.value
        )),
        (Some(is), Some(By::Table(_))) => State::Differs { is, wanted: entry.value.clone() },
        (Some(is), None) => State::Cannot(format!(
            "it is {is}: a line `-key` in sysctl.d keeps the profiles' {} from it",
            entry.value
        )),
        (None, _) => State::Cannot(set::absent(entry)),
    }
}

/// Writes what differs, by the table and by the files.
pub fn apply(table: &Sysctls, root: &Root, report: &mut Report<'_>) {
    let lines = Lines::read(root);
    for place in &lines.odd {
        report.note(&format_args!("{place} is no assignment"));
    }
    let targets = plan::targets(&table.sysctls, &lines, root);
    set::all(&targets, root, report);
    watch::remember(&targets, root);
}
