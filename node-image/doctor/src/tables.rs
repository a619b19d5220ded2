//! The tables of things that are all alike: one judge for each kind of entry.
//!
//! Those that node set-up makes true are judged by its own code.

mod binaries;
mod files;
mod kernel;
mod parameters;
mod ports;
pub mod set_up;

use facts::Node;

use crate::{
    finding::{Entry, Finding},
    system::System,
};

/// Every entry, kind by kind.
pub fn judge(node: &Node, system: &System) -> Vec<Finding> {
    let mut findings = set_up::judge(node, system);
    if let Some((name, target)) = &node.hardware {
        findings.extend(parameters::judge(name, target, system));
    }
    for entry in &node.kernel {
        findings.extend(kernel::judge(entry, system));
    }
    findings.extend(node.files.iter().map(|file| {
        let entry = Entry {
            id: format!("file:{}", file.path),
            severity: file.severity,
            why: &file.why,
            fix: file.fix.clone(),
            source: &file.source,
            by: &file.by,
        };
        Finding::new(entry, files::judge(file, system))
    }));
    findings.extend(node.binaries.iter().map(|binary| {
        let entry = Entry {
            id: format!("binary:{}", binary.name),
            severity: binary.severity,
            why: &binary.why,
            fix: binaries::fix(binary, system),
            source: &binary.source,
            by: &binary.by,
        };
        Finding::new(entry, binaries::judge(binary, system))
    }));
    findings.extend(node.ports.iter().map(|port| {
        let entry = Entry {
            id: format!("port:{}/{}", port.port, ports::name(port.protocol)),
            severity: port.severity,
            why: &port.why,
            fix: "stop what has it, or have that listen elsewhere".into(),
            source: &port.source,
            by: &port.by,
        };
        Finding::new(entry, ports::judge(port, system))
    }));
    findings
}
