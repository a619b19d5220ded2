//! Disks that are full, or not writable yet. On a tmpfs in a mount namespace of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod common;

use std::{fs, io::Write, path::PathBuf};

use common::{Node, SPEC, fill};
use graph::LogSpec;

/// A node whose logs are on a disk of this size; they are reached through /proc.
fn node(options: &str) -> Node {
    let mut node = Node::new();
    fs::create_dir_all(&node.logs).unwrap();
    let script = format!("mount -t tmpfs -o {options} none \"$COOPER_LOGS\" && exec \"$0\" \"$@\"");
    let words = ["unshare", "-m", "--propagation", "private", "sh", "-c", &script];
    node.wrapper = words.iter().map(ToString::to_string).collect();
    node
}

impl Disk {
    fn start(mut node: Node) -> Self {
        node.start();
        let pid = node.pid().as_raw_nonzero();
        let inside = PathBuf::from(format!("/proc/{pid}/root{}", node.logs.display()));
        Self { node, inside }
    }

    /// Writes a first line of a service, which shows that it runs; then looks at its own disk.
    fn ready(mut self, fifo: &mut impl Write) -> Self {
        fifo.write_all(b"first\n").unwrap();
        let began = std::time::Instant::now();
        // The wrapper mounts, then becomes `cooper-log`.
        while !self.inside.join("a/current").exists() {
            assert!(began.elapsed() < common::DEADLINE && !self.node.ends_within(TICK));
        }
        self.node.logs.clone_from(&self.inside);
        self.node.wait_lines("a", 1);
        self
    }

    fn fill_up(&self) {
        let mut file = fs::File::create(self.inside.join("filler")).unwrap();
        let block = vec![0; 4096];
        while file.write_all(&block).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.inside.join("filler")).unwrap();
    }
}

const TICK: std::time::Duration = std::time::Duration::from_millis(10);

struct Disk {
    node: Node,
    inside: PathBuf,
}

#[test]
fn a_full_disk_loses_nothing_that_the_fifo_can_hold() {
    // Lines wait in the FIFO, and come when there is room: all, once, in order.
    if !tests::may_unshare() {
        return;
    }
    let node = node("size=1m");
    node.graph(&[("a", SPEC)]);
    let mut fifo = node.fifo("a");
    let disk = Disk::start(node).ready(&mut fifo);
    disk.fill_up();
    let lines: Vec<String> = (0..600).map(|n| format!("{n} {}", "x".repeat(80))).collect();
    for line in &lines {
        writeln!(fifo, "{line}").unwrap();
    }
    // It has noticed when it has written what still fitted into the last page, or nothing.
    assert!(!disk.node.ends_within(TICK * 50));
    disk.free();
    let found = disk.node.wait_lines("a", 601);
    assert_eq!(found[1..], lines);
}

#[test]
fn what_does_not_fit_is_dropped_and_counted() {
    // The service does not wait; the log says how many lines are missing.
    if !tests::may_unshare() {
        return;
    }
    let node = node("size=1m");
    node.graph(&[("a", SPEC)]);
    let mut fifo = node.fifo("a");
    let disk = Disk::start(node).ready(&mut fifo);
    disk.fill_up();
    let total = 20_000;
    for n in 0..total {
        writeln!(fifo, "{n} {}", "x".repeat(80)).unwrap();
    }
    disk.free();
    let (mut lost, mut next) = (0, 0);
    disk.node.wait_until("a", |line| {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        if let Some(text) = text.strip_prefix("cooper-log: ") {
            assert!(text.ends_with(" lost: no space left on device"), "{text}");
            let count: usize = text.split(' ').next().unwrap().parse().unwrap();
            lost += count;
            next += count;
        } else if text != "first" {
            assert_eq!(text.split(' ').next().unwrap(), next.to_string());
            next += 1;
        }
        next == total
    });
    assert!(lost > 0 && lost < total);
}

#[test]
fn with_block_the_service_waits() {
    // Nothing is dropped, however long it takes.
    if !tests::may_unshare() {
        return;
    }
    let node = node("size=1m");
    node.graph(&[("a", LogSpec { block: true, ..SPEC })]);
    let mut fifo = node.fifo("a");
    let path = node.fifo_path("a");
    let disk = Disk::start(node).ready(&mut fifo);
    disk.fill_up();
    let line = format!("{}\n", "b".repeat(99));
    let written = fill(&path, &line);
    assert!(!disk.node.ends_within(TICK * 150));
    let again = fill(&path, &line);
    assert!(again <= 45, "what fitted into the last page may have made room: {again}");
    disk.free();
    let found = disk.node.wait_lines("a", 1 + written + again);
    assert!(found[1..].iter().all(|text| *text == line.trim_end()));
}

#[test]
fn a_full_disk_of_one_log_stops_no_other() {
    // b's directory is on another disk.
    if !tests::may_unshare() {
        return;
    }
    let mut node = node("size=1m");
    let script = node.wrapper.last_mut().unwrap();
    *script = script.replace(
        "&& exec",
        "&& mkdir \"$COOPER_LOGS/b\" && mount -t tmpfs -o size=1m none \"$COOPER_LOGS/b\" && exec",
    );
    node.graph(&[("a", SPEC), ("b", SPEC)]);
    let (mut fifo, mut other) = (node.fifo("a"), node.fifo("b"));
    let disk = Disk::start(node).ready(&mut fifo);
    disk.fill_up();
    for n in 0..2000 {
        writeln!(fifo, "{n} {}", "x".repeat(80)).unwrap();
        if n % 100 == 0 {
            writeln!(other, "{n}").unwrap();
        }
    }
    assert_eq!(disk.node.wait_lines("b", 20)[19], "1900");
}

#[test]
fn before_the_disk_is_writable_lines_wait() {
    // A boot with a read-only root.
    if !tests::may_unshare() {
        return;
    }
    let node = node("size=1m,ro");
    node.graph(&[("a", SPEC)]);
    let mut fifo = node.fifo("a");
    let mut disk = Disk::start(node);
    fifo.write_all(b"early\n").unwrap();
    // It tries each second; this is longer.
    assert!(!disk.node.ends_within(TICK * 150));
    let pid = disk.node.pid().as_raw_nonzero().to_string();
    let logs = disk.node.logs.display().to_string();
    let remounted = std::process::Command::new("nsenter")
        .args(["-m", "-t", &pid, "mount", "-o", "remount,rw", &logs])
        .status()
        .unwrap();
    assert!(remounted.success());
    disk.node.logs.clone_from(&disk.inside);
    assert_eq!(disk.node.wait_lines("a", 1), ["early"]);
}
