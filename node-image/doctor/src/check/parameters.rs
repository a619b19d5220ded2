//! Kernel parameters that files set otherwise.

use std::collections::BTreeMap;

use facts::Sysctl;
use node_setup::sysctl::{
    conf,
    plan::{self, By, Lines, Target},
    value,
};

use super::Case;
use crate::finding::Verdict;

/// What `sysctl --system` would set against the table. At boot the table wins over what a
/// distribution ships; later, whoever runs that takes it back.
pub fn overridden(case: &Case<'_>) -> Verdict {
    let root = case.system.set_up_root();
    let lines = Lines::read(&root);
    let table = &case.node.sysctls;
    let mut wanted: BTreeMap<String, &Sysctl> = BTreeMap::new();
    for entry in table {
        wanted.extend(plan::keys(entry, &root).into_iter().map(|key| (key, entry)));
    }
    let at_boot = plan::targets(table, &lines, &root);
    let wins = |key: &str| {
        at_boot.iter().any(|target| target.key == key && matches!(target.by, By::File { .. }))
    };
    let otherwise = |target: Target<'_>| {
        let entry = wanted.get(&target.key)?;
        let By::File { place, .. } = &target.by else { return None };
        if value::satisfies(&target.value, entry) {
            return None;
        }
        let note = if wins(&target.key) { ", and wins at boot" } else { "" };
        let (key, value) = (conf::dotted(&target.key), &target.value);
        Some(format!("{place} sets {key} to {value} instead of {}{note}", entry.value))
    };
    let found: Vec<String> =
        plan::targets(&[], &lines, &root).into_iter().filter_map(otherwise).collect();
    if found.is_empty() {
        return Verdict::Holds("no file says otherwise".into());
    }
    Verdict::fails(found.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Fault, system::testing::Machine};

    fn asked(path: &str, text: &str) -> Verdict {
        let machine = Machine::new().file("/proc/sys/kernel/panic", "10").file(path, text);
        let node = facts::Node {
            sysctls: vec![Sysctl {
                key: "kernel.panic".into(),
                value: "10".into(),
                accept: vec![],
                at_least: false,
                optional: false,
                module: None,
                why: String::new(),
                source: String::new(),
                by: vec!["kube-node".into()],
            }],
            ..facts::Node::default()
        };
        let (targets, with) = (BTreeMap::new(), BTreeMap::new());
        overridden(&Case {
            system: &machine.system(),
            node: &node,
            targets: &targets,
            chosen_target: None,
            budget_ms: None,
            with: super::super::With(&with),
        })
    }

    fn found(verdict: Verdict) -> String {
        let Verdict::Fails(Fault { found, .. }) = verdict else { panic!("{verdict:?}") };
        found
    }

    #[test]
    fn files_that_say_otherwise_are_named() {
        let same = "kernel.panic = 10\nnet.core.somaxconn = 1\n";
        assert!(matches!(asked("/etc/sysctl.d/a.conf", same), Verdict::Holds(_)));
        let alpine = found(asked("/usr/lib/sysctl.d/00-alpine.conf", "kernel.panic = 120\n"));
        assert!(alpine.contains("00-alpine.conf"), "{alpine}");
        assert!(alpine.ends_with("sets kernel.panic to 120 instead of 10"), "{alpine}");
        let admin = found(asked("/etc/sysctl.d/99-me.conf", "kernel.panic = 0\n"));
        assert!(admin.ends_with("to 0 instead of 10, and wins at boot"), "{admin}");
    }
}
