//! The whole examination.

use std::collections::BTreeMap;

use facts::{Hardware, Node};
use serde::Serialize;

use crate::{
    check,
    finding::{Finding, Status},
    system::System,
    tables,
};

/// What was found, in the order of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The profiles that were chosen.
    pub chosen: Vec<String>,
    /// All that the table was made of: those chosen, and those that they include.
    pub profiles: Vec<String>,
    /// The hardware target that the table was made for.
    pub hardware: Option<String>,
    /// The one that the machine looks like.
    pub recognised: Option<String>,
    /// How many findings stand how.
    pub summary: Summary,
    /// One for each entry of the table.
    pub findings: Vec<Finding>,
}

/// How many findings stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Hold.
    pub ok: usize,
    /// Do not apply, or cannot be told.
    pub skipped: usize,
    /// Are worth knowing.
    pub info: usize,
    /// May become trouble.
    pub warning: usize,
    /// Are trouble.
    pub error: usize,
}

/// What a machine is examined by.
pub struct Wanted<'a> {
    /// The table of its profiles.
    pub node: &'a Node,
    /// Those of the profiles that were chosen; the others are included by one of them.
    pub chosen: Vec<String>,
    /// All hardware targets that there are.
    pub targets: &'a BTreeMap<String, Hardware>,
    /// The one that node.toml names.
    pub chosen_target: Option<String>,
    /// How long a shutdown may take, as the graph in force has it.
    pub budget_ms: Option<u32>,
}

/// The hardware target that a machine looks like.
pub fn recognise(targets: &BTreeMap<String, Hardware>, system: &System) -> Option<String> {
    facts::recognise(targets, &check::describe(system)).map(str::to_owned)
}

/// Examines a machine by a table.
pub fn examine(wanted: &Wanted<'_>, system: &System) -> Report {
    let node = wanted.node;
    let mut findings = check::judge(wanted, system);
    findings.extend(tables::judge(node, system));
    if let Some((name, target)) = &node.hardware {
        findings.iter_mut().for_each(|finding| recall(name, target, finding));
    }
    Report {
        chosen: wanted.chosen.clone(),
        profiles: node.profiles.clone(),
        hardware: node.hardware.as_ref().map(|(name, _)| name.clone()),
        recognised: recognise(wanted.targets, system),
        summary: Summary::of(&findings),
        findings,
    }
}

/// What is known to go wrong on this hardware is said where it has.
fn recall(name: &str, target: &Hardware, finding: &mut Finding) {
    if finding.status <= Status::Skipped {
        return;
    }
    let check = finding.id.split(':').next();
    for trap in target.traps.iter().filter(|trap| trap.check.as_deref() == check) {
        finding.why = format!("{} On {name}: {}", finding.why, trap.what);
        finding.fix = format!("{} On {name}: {}", finding.fix, trap.fix);
    }
}

impl Report {
    /// The worst that there is.
    pub fn worst(&self) -> Status {
        self.findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok)
    }
}

impl Summary {
    /// Counts.
    pub fn of(findings: &[Finding]) -> Self {
        let count = |status| findings.iter().filter(|finding| finding.status == status).count();
        Self {
            ok: count(Status::Ok),
            skipped: count(Status::Skipped),
            info: count(Status::Info),
            warning: count(Status::Warning),
            error: count(Status::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::testing::Machine;

    const PROFILE: &str = "description = 'a node'\n[[check]]\nid = 'memory-cgroup-cmdline'\n\
                           why = 'No limits.'\nfix = 'Mend it.'\nsource = 'here'\n\
                           [[check]]\nid = 'of-tomorrow'\nwhy = 'w'\nfix = 'f'\nsource = 's'\n";
    const TARGET: &str = "description = 'a board'\narchitecture = 'aarch64'\n\
                          [boot]\nmethod = 'uefi'\nnotes = ''\nconsoles = []\ninitramfs = []\n\
                          source = ''\n[[boot.parameter]]\nword = 'cgroup_enable=memory'\n\
                          why = 'w'\nsource = 's'\n[[trap]]\nwhat = 'Its firmware does that.'\n\
                          fix = 'Say so in cmdline.txt.'\ncheck = 'memory-cgroup-cmdline'\n\
                          source = 's'\n";

    fn report(command_line: &str) -> Report {
        let mut library = facts::Library::default();
        library.profiles.insert("p".into(), facts::read::profile(PROFILE).unwrap());
        library.hardware.insert("board".into(), facts::read::hardware(TARGET).unwrap());
        let choice = facts::Choice {
            profiles: vec!["p".into()],
            hardware: Some("board".into()),
            ..facts::Choice::default()
        };
        let node = library.node(&choice).node;
        let wanted = Wanted {
            node: &node,
            chosen: choice.profiles,
            targets: &library.hardware,
            chosen_target: choice.hardware,
            budget_ms: None,
        };
        examine(&wanted, &Machine::new().file("/proc/cmdline", command_line).system())
    }

    /// What a board is known for is told where it is to blame, and only there.
    #[test]
    fn a_trap_is_told_when_somebody_is_in_it() {
        let caught = report("cgroup_disable=memory");
        let finding = &caught.findings[0];
        assert_eq!(finding.why, "No limits. On board: Its firmware does that.");
        assert_eq!(finding.fix, "Mend it. On board: Say so in cmdline.txt.");
        let free = report("cgroup_enable=memory");
        assert_eq!(free.findings[0].why, "No limits.");
        assert_eq!(free.worst(), Status::Skipped);
    }

    /// Each entry has its finding, one that nobody knows as well.
    #[test]
    fn every_entry_has_a_finding() {
        let report = report("quiet");
        let found: Vec<(&str, Status)> =
            report.findings.iter().map(|it| (it.id.as_str(), it.status)).collect();
        let expected = [
            ("memory-cgroup-cmdline", Status::Ok),
            ("of-tomorrow", Status::Skipped),
            ("parameter:cgroup_enable=memory", Status::Warning),
        ];
        assert_eq!(found, expected);
        let counted = Summary { ok: 1, skipped: 1, warning: 1, ..Summary::default() };
        assert_eq!(report.summary, counted);
    }
}
