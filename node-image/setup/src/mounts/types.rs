//! Which types of file systems this kernel can mount.

use std::collections::BTreeSet;

use facts::section::Mounts;

use super::{ANY, BIND};
use crate::{Root, modules};

/// Those of a table.
#[derive(Debug)]
pub struct Types {
    /// In the kernel now.
    known: BTreeSet<String>,
    /// Brought by modules that can be loaded, by their aliases.
    loadable: BTreeSet<String>,
}

impl Types {
    /// Looks at `/proc/filesystems`, which has `nodev` or nothing, a tab and the type on each
    /// line; and at the modules, once and only if some type is not among them.
    pub fn of(table: &Mounts, root: &Root) -> Self {
        let text = root.read("/proc/filesystems").unwrap_or_default();
        let known = text.lines().filter_map(|line| line.rsplit('\t').next()).map(str::to_owned);
        let known: BTreeSet<String> = known.collect();
        let types = table.mounts.iter().map(|entry| entry.fstype.as_str());
        let others: BTreeSet<String> = types
            .filter(|fstype| !matches!(*fstype, ANY | BIND) && !known.contains(*fstype))
            .map(alias)
            .collect();
        let loadable = match others.is_empty() {
            true => BTreeSet::new(),
            false => modules::can_load(others, root),
        };
        Self { known, loadable }
    }

    /// The kernel has it.
    pub fn is_known(&self, fstype: &str) -> bool {
        self.known.contains(fstype)
    }

    /// The alias of a module that brings it.
    pub fn module(&self, fstype: &str) -> Option<String> {
        Some(alias(fstype)).filter(|alias| self.loadable.contains(alias))
    }
}

fn alias(fstype: &str) -> String {
    format!("fs-{fstype}")
}
