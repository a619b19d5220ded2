//! Threads of real-time scheduling classes: while one is outside the root cgroup, a kernel with
//! `CONFIG_RT_GROUP_SCHED` refuses to pass the controller `cpu` on.

use std::fs;

use crate::Root;

/// `SCHED_FIFO` and `SCHED_RR` of linux/sched.h.
const CLASSES: [&str; 2] = ["1", "2"];
/// The field of `/proc/PID/stat` behind the name, counted from 0 there: `policy`, the 41st of all.
const POLICY: usize = 38;

/// `NAME (pid PID)` of each such process that is not in the root cgroup. Kernel threads are.
pub fn outside_root(root: &Root) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.path("/proc")) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| has_realtime(root, pid) && !is_in_root(root, pid))
        .map(|pid| {
            let name = root.line(&format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("{name} (pid {pid})")
        })
        .collect()
}

fn is_in_root(root: &Root, pid: &str) -> bool {
    root.read(&format!("/proc/{pid}/cgroup"))
        .is_ok_and(|text| text.lines().any(|line| line == "0::/"))
}

fn has_realtime(root: &Root, pid: &str) -> bool {
    let Ok(threads) = fs::read_dir(root.path(&format!("/proc/{pid}/task"))) else { return false };
    threads.flatten().any(|thread| {
        fs::read_to_string(thread.path().join("stat")).is_ok_and(|stat| {
            let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            let policy = behind_name.split(' ').nth(POLICY);
            policy.is_some_and(|policy| CLASSES.contains(&policy))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_read_behind_a_name_with_blanks_and_brackets() {
        let directory = tempfile::tempdir().unwrap();
        let task = directory.path().join("proc/42/task/43");
        fs::create_dir_all(&task).unwrap();
        fs::write(directory.path().join("proc/42/comm"), "a ) b\n").unwrap();
        let stat = |policy: &str| {
            let before = ["0"; POLICY].join(" ").replacen('0', "S", 1);
            format!("43 (a ) b) {before} {policy} 0 0\n")
        };
        fs::write(directory.path().join("proc/42/cgroup"), "0::/system/chronyd\n").unwrap();
        fs::write(task.join("stat"), stat("2")).unwrap();
        let root = Root::at(directory.path());
        assert_eq!(outside_root(&root), ["a ) b (pid 42)"]);
        fs::write(task.join("stat"), stat("0")).unwrap();
        assert!(outside_root(&root).is_empty());
        fs::write(task.join("stat"), stat("1")).unwrap();
        fs::write(directory.path().join("proc/42/cgroup"), "0::/\n").unwrap();
        assert!(outside_root(&root).is_empty());
    }
}
