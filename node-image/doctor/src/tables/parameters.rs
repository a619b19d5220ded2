//! Words of the kernel's command line that a hardware target needs.

use facts::{Hardware, Severity};

use crate::{
    finding::{Entry, Finding, Verdict},
    system::System,
};

/// One finding for each.
pub fn judge(name: &str, target: &Hardware, system: &System) -> Vec<Finding> {
    let line = system.word("/proc/cmdline");
    let by = [format!("hardware {name}")];
    let finding = |parameter: &facts::Parameter| {
        let entry = Entry {
            id: format!("parameter:{}", parameter.word),
            severity: Severity::Warning,
            why: &parameter.why,
            fix: format!("add {} to the kernel's command line, and boot again", parameter.word),
            source: &parameter.source,
            by: &by,
        };
        let verdict = match &line {
            None => Verdict::Unknown("/proc/cmdline cannot be read".into()),
            Some(line) if line.split_whitespace().any(|word| word == parameter.word) => {
                Verdict::Holds("it is there".into())
            }
            Some(_) => Verdict::fails("it is not on the kernel's command line"),
        };
        Finding::new(entry, verdict)
    };
    target.boot.parameters.iter().map(finding).collect()
}
