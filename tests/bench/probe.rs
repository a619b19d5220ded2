//! What /proc says of a tree: its weight, its stillness; and a clock.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

/// How many services are killed.
const KILLED: usize = 50;
/// How long the tree must keep still.
const IDLE: Duration = Duration::from_secs(10);

/// A tree with everything up.
#[derive(Clone, Copy)]
pub struct After {
    /// Proportional set size of all its processes together.
    pub pss_kib: u64,
    /// Context switches of all its processes in ten seconds.
    pub switches: u64,
    /// From a SIGKILL to the first instruction of the process that takes its place: the median.
    pub restart_us: u64,
    /// Stopping all services, in order, with `svc`.
    pub stop_ms: f64,
}

/// Microseconds, CLOCK_MONOTONIC: the services' own clock.
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

/// Weighs the processes of these names below `root`, then watches them keep still.
pub fn after(root: u32, names: &[&str]) -> After {
    // Whatever was still settling is not idleness: one period passes before the one that counts.
    rest(Duration::from_secs(2));
    let pids = below(root, names);
    assert_eq!(pids.len(), names.len(), "the tree is not there: {pids:?}");
    let pss_kib = pids.iter().map(|pid| field(*pid, "smaps_rollup", "Pss:")).sum();
    let before = switches(&pids);
    rest(IDLE);
    After { pss_kib, switches: switches(&pids) - before, restart_us: 0, stop_ms: 0.0 }
}

/// Kills some services below `root`, one after the other, each of which then appends a new stamp.
pub fn restart_us(root: u32, stamps: &Path) -> u64 {
    let services = below(root, &["limit"]);
    let mut latencies: Vec<u64> = services
        .iter()
        .take(KILLED)
        .map(|&pid| {
            let old = fs::metadata(stamps).expect("it is there").len();
            let pid = Pid::from_raw(pid.try_into().expect("a pid")).expect("not 0");
            let killed_us = monotonic_us();
            kill_process(pid, Signal::KILL).expect("it runs");
            stamp_at(stamps, old) - killed_us
        })
        .collect();
    latencies.sort_unstable();
    latencies[latencies.len() / 2]
}

/// The stamp at this place of the file, once it is there.
fn stamp_at(stamps: &Path, place: u64) -> u64 {
    let begin = monotonic_us();
    loop {
        let bytes = fs::read(stamps).expect("it is there");
        let stamp = bytes.get(usize::try_from(place).expect("a short file")..);
        if let Some(stamp) = stamp.and_then(|rest| rest.first_chunk()) {
            return u64::from_le_bytes(*stamp);
        }
        assert!(monotonic_us() - begin < 10_000_000, "a service that was killed stays down");
        rest(Duration::from_millis(2));
    }
}

/// Stops all services through the control socket, and waits until they are down.
pub fn stop_ms(bin: &Path, run: &Path, services: usize) -> f64 {
    let names = (0..services).map(|index| format!("s{index}"));
    let begin = monotonic_us();
    let stopped = Command::new(bin.join("svc"))
        .args(["stop", "--yes"])
        .args(names)
        .env("COOPER_RUN", run)
        .stdout(Stdio::null())
        .status()
        .expect("svc runs");
    assert!(stopped.success(), "svc stop failed");
    (monotonic_us() - begin) as f64 / 1000.0
}

fn switches(pids: &[u32]) -> u64 {
    let kinds = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"];
    pids.iter().flat_map(|pid| kinds.map(|kind| field(*pid, "status", kind))).sum()
}

/// The number after `key` in a file of /proc/PID.
fn field(pid: u32, file: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("the process lives");
    let line = text.lines().find(|line| line.starts_with(key)).expect("the kernel has it");
    line.split_whitespace().nth(1).expect("a value").parse().expect("a number")
}

/// Descendants of `root` with one of these names.
fn below(root: u32, names: &[&str]) -> Vec<u32> {
    let mut found = Vec::new();
    let mut queue = vec![root];
    while let Some(pid) = queue.pop() {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if names.contains(&comm.trim()) {
            found.push(pid);
        }
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        queue.extend(
            children
                .unwrap_or_default()
                .split_whitespace()
                .filter_map(|word| word.parse::<u32>().ok()),
        );
    }
    found
}

/// Lets time pass: that it passes undisturbed is what is measured.
pub fn rest(time: Duration) {
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    poll(&mut [], Some(&time)).expect("nothing to go wrong");
}

/// Removes the cgroups of dead services, deepest first.
pub fn remove_cgroups(directory: &Path) {
    let _ = fs::write(directory.join("cgroup.kill"), "1");
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_cgroups(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
}
