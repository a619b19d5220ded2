//! Where a process lives.

use super::System;

/// The cgroup of a process in the unified hierarchy; None if it is gone, or there is none.
pub fn cgroup_of(system: &System, pid: &str) -> Option<String> {
    let text = system.text(&format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}
