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
    /// The profiles that the table was made of.
    pub profiles: Vec<String>,
    /// The hardware target that the table was made for.
    pub hardware: Option<String>,
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
    /// All hardware targets that there are.
    pub targets: &'a BTreeMap<String, Hardware>,
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
    Report {
        profiles: node.profiles.clone(),
        hardware: node.hardware.as_ref().map(|(name, _)| name.clone()),
        summary: Summary::of(&findings),
        findings,
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
