//! `cooper-log` as a process: what it writes, when it rotates, how it ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod common;

use std::{fs, io::Write, os::unix::fs::PermissionsExt, thread, time::Duration};

use common::{Node, SPEC};
use cooper_log::{LINE_MAX, Stamp, WRITTEN_MAX};
use graph::LogSpec;
use rustix::process::Signal;

const LINE_COUNT: usize = 2000;

fn numbered(n: usize) -> Vec<String> {
    (1..=n).map(|n| format!("line {n}")).collect()
}

fn write_numbered(fifo: &mut impl Write, n: usize) {
    for line in numbered(n) {
        writeln!(fifo, "{line}").unwrap();
    }
}

#[test]
fn lines_get_the_time_and_private_files() {
    // What was written before it started, and after; root's alone.
    let mut node = Node::new();
    let mut fifo = node.fifo("a");
    let before = Stamp::now();
    fifo.write_all(b"early\n").unwrap();
    node.start();
    node.wait_lines("a", 1);
    fifo.write_all(b"late\n\npart").unwrap();
    node.wait_lines("a", 3);
    assert!(node.end().success());
    let lines = node.read("a");
    assert_eq!(common::texts(&lines), ["early", "late", "", "part\\"]);
    assert!(lines.iter().all(|line| line.stamp.unwrap() >= before));
    let mode = |path: &str| fs::metadata(node.logs.join(path)).unwrap().permissions().mode();
    assert_eq!(mode("a/current") & 0o7777, 0o640);
    assert_eq!(mode("a") & 0o7777, 0o750);
}

#[test]
fn fifos_come_and_go() {
    // Made after the start; removed with lines in it; made again under the same name.
    let mut node = Node::new();
    node.start();
    let mut first = node.fifo("a");
    first.write_all(b"one\n").unwrap();
    node.wait_lines("a", 1);
    node.signal(Signal::STOP);
    first.write_all(b"two\nthr").unwrap();
    fs::remove_file(node.fifo_path("a")).unwrap();
    let mut second = node.fifo("a");
    second.write_all(b"four\n").unwrap();
    node.signal(Signal::CONT);
    assert_eq!(node.wait_lines("a", 4), ["one", "two", "thr\\", "four"]);
    drop(first);
    second.write_all(b"five\n").unwrap();
    assert_eq!(node.wait_lines("a", 5)[4], "five");
}

#[test]
fn files_that_are_no_fifos_are_left_alone() {
    // A directory, a file, a hidden FIFO: none becomes a log, none hurts.
    let mut node = Node::new();
    fs::create_dir(node.fifo_path("directory")).unwrap();
    fs::write(node.fifo_path("file"), "text\n").unwrap();
    let mut hidden = node.fifo(".hidden");
    hidden.write_all(b"x\n").unwrap();
    let mut fifo = node.fifo("a");
    fifo.write_all(b"one\n").unwrap();
    node.start();
    node.wait_lines("a", 1);
    assert!(node.end().success());
    let logs: Vec<_> = fs::read_dir(&node.logs).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(logs, ["a"]);
}

#[test]
fn rotation_by_size_and_count() {
    // No file is longer than its limit; so many are kept; the last lines are all there.
    let mut node = Node::new();
    let size = 12_000;
    node.graph(&[("a", LogSpec { file_size_max: size, files_max: 3, ..SPEC })]);
    let mut fifo = node.fifo("a");
    node.start();
    write_numbered(&mut fifo, LINE_COUNT);
    node.wait_until("a", |line| line.text == b"line 2000");
    assert!(node.end().success());
    let (past, current) = node.sizes("a");
    assert_eq!(past.len(), 3);
    // Full to the last line that fitted.
    assert!(past.iter().all(|s| (size - 60..=size).contains(s)), "{past:?}");
    assert!(current <= size);
    let texts = node.texts("a");
    assert_eq!(texts, numbered(LINE_COUNT)[LINE_COUNT - texts.len()..]);
}

#[test]
fn the_quota_is_never_exceeded() {
    // Looked at again and again while a service writes as fast as it can.
    let mut node = Node::new();
    let quota = 100_000;
    node.graph(&[("a", LogSpec { file_size_max: 30_000, quota, ..SPEC })]);
    let mut fifo = node.fifo("a");
    node.start();
    let writer = thread::spawn(move || {
        write_numbered(&mut fifo, 60_000);
        fifo
    });
    node.wait_lines("a", 1);
    let mut looks = 0;
    while !writer.is_finished() || looks < 50 {
        let (past, current) = node.sizes("a");
        // A file that is renamed between two entries of the listing is seen twice.
        let sum: u64 = past.iter().sum::<u64>();
        assert!(sum <= quota && current <= 30_000, "{past:?} {current}");
        looks += 1;
    }
    let _fifo = writer.join().unwrap();
    node.wait_until("a", |line| line.text == b"line 60000");
    assert!(node.end().success());
    let (past, current) = node.sizes("a");
    let sum = past.iter().sum::<u64>() + current;
    assert!(sum <= quota && sum > quota - 60_000, "{past:?} {current}");
    let texts = node.texts("a");
    assert_eq!(texts, numbered(60_000)[60_000 - texts.len()..]);
}

#[test]
fn a_batch_that_crosses_a_rotation_keeps_its_order() {
    // Lines of very different lengths, in files that hold a few of them.
    let mut node = Node::new();
    node.graph(&[("a", LogSpec { file_size_max: 1, ..SPEC })]);
    let mut fifo = node.fifo("a");
    node.start();
    let lines: Vec<String> =
        (0..400).map(|n| format!("{n} {}", "x".repeat(n * 37 % 8000))).collect();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fifo.write_all(text.as_bytes()).unwrap();
    node.wait_lines("a", 400);
    assert!(node.end().success());
    assert_eq!(node.texts("a"), lines);
    let (past, _) = node.sizes("a");
    assert!(past.iter().all(|size| *size <= u64::try_from(WRITTEN_MAX).unwrap()));
}

#[test]
fn old_files_are_deleted_without_new_lines() {
    // Nobody writes any more; the file still goes when its time has come.
    let mut node = Node::new();
    node.graph(&[("a", LogSpec { age_max_s: 2, ..SPEC }), ("b", SPEC)]);
    let (mut fifo, mut other) = (node.fifo("a"), node.fifo("b"));
    node.start();
    fifo.write_all(b"old\n").unwrap();
    node.wait_lines("a", 1);
    node.signal(Signal::USR1);
    other.write_all(b"1\n").unwrap();
    node.wait_lines("b", 1);
    assert_eq!(node.texts("a"), ["old"]);
    let began = std::time::Instant::now();
    while !node.texts("a").is_empty() {
        assert!(began.elapsed() < common::DEADLINE);
        // Not a sleep for luck: the check is repeated, and the process must not have died.
        assert!(!node.ends_within(Duration::from_millis(50)));
    }
    assert_eq!(node.texts("b"), ["1"]);
}

#[test]
fn long_lines_are_cut_and_garbage_passes() {
    // Marked where the newline is ours; bytes are neither changed nor interpreted.
    let mut node = Node::new();
    let mut fifo = node.fifo("a");
    node.start();
    let long = "y".repeat(LINE_MAX * 2 + 100);
    fifo.write_all(format!("{long}\n").as_bytes()).unwrap();
    let mut garbage: Vec<u8> = (0..=255).cycle().take(4000).collect();
    fifo.write_all(&garbage).unwrap();
    fifo.write_all(b"\nend\n").unwrap();
    node.wait_until("a", |line| line.text == b"end");
    assert!(node.end().success());
    let lines = node.read("a");
    let cut = format!("{}\\", "y".repeat(LINE_MAX));
    assert_eq!(common::texts(&lines[..3]), [cut.clone(), cut, "y".repeat(100)]);
    garbage.extend_from_slice(b"\nend");
    let rest: Vec<&[u8]> = lines[3..].iter().map(|line| &line.text[..]).collect();
    assert_eq!(rest.join(&b'\n'), garbage);
}

#[test]
fn half_a_line_is_shown_after_a_while() {
    // A prompt, or the last words of a process that died without a newline.
    let mut node = Node::new();
    let mut fifo = node.fifo("a");
    node.start();
    fifo.write_all(b"one\npassword: ").unwrap();
    assert_eq!(node.wait_lines("a", 2), ["one", "password: \\"]);
    fifo.write_all(b"two\n").unwrap();
    assert_eq!(node.wait_lines("a", 3)[2], "two");
}

#[test]
fn bytes_that_come_one_by_one_are_one_line() {
    // Each byte wakes it; none is written before the line is whole.
    let mut node = Node::new();
    let mut fifo = node.fifo("a");
    node.start();
    let line = "slow but whole\n".repeat(3);
    for byte in line.as_bytes() {
        fifo.write_all(&[*byte]).unwrap();
    }
    assert_eq!(node.wait_lines("a", 3), ["slow but whole"; 3]);
}

#[test]
fn sigterm_drains() {
    // A hundred FIFOs full of lines, written before and while it ends.
    let mut node = Node::new();
    let mut fifos: Vec<_> = (0..100).map(|n| node.fifo(&format!("s{n}"))).collect();
    for fifo in &mut fifos {
        write_numbered(fifo, 3000);
    }
    node.start();
    node.wait_lines("s0", 1);
    assert!(node.end().success());
    for n in 0..100 {
        assert_eq!(node.texts(&format!("s{n}")), numbered(3000), "s{n}");
    }
}

#[test]
fn a_service_that_never_stops_does_not_keep_it_from_ending() {
    // What is not written by then stays in the FIFO.
    let mut node = Node::new();
    let mut fifo = node.fifo("a");
    node.start();
    let writer = thread::spawn(move || {
        let block = "z".repeat(99).into_bytes();
        let mut line = block;
        line.push(b'\n');
        let block = line.repeat(600);
        while fifo.write_all(&block).is_ok() {
            if STOP.load(std::sync::atomic::Ordering::SeqCst) {
                return;
            }
        }
    });
    static STOP: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    node.wait_lines("a", 1000);
    assert!(node.end().success());
    STOP.store(true, std::sync::atomic::Ordering::SeqCst);
    node.start();
    writer.join().unwrap();
    assert!(node.end().success());
}

#[test]
fn a_flood_does_not_starve_others() {
    // One writes without pause; another one's lines come through all the same.
    let mut node = Node::new();
    node.graph(&[("flood", LogSpec { quota: 20 << 20, files_max: 3, ..SPEC }), ("quiet", SPEC)]);
    let (mut flood, mut quiet) = (node.fifo("flood"), node.fifo("quiet"));
    node.start();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let writer = thread::spawn(move || {
        let block = format!("{}\n", "f".repeat(119)).repeat(500).into_bytes();
        let mut written = 0;
        while !stopped.load(std::sync::atomic::Ordering::SeqCst) {
            flood.write_all(&block).unwrap();
            written += block.len();
        }
        written
    });
    for n in 1..=50 {
        writeln!(quiet, "line {n}").unwrap();
        node.wait_lines("quiet", n);
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(writer.join().unwrap() > 0);
}

#[test]
fn lines_above_the_rate_are_counted_in_the_log() {
    // The line comes by itself once the second is over.
    let mut node = Node::new();
    node.graph(&[("a", LogSpec { rate_max: 100, ..SPEC })]);
    let mut fifo = node.fifo("a");
    node.start();
    write_numbered(&mut fifo, 1000);
    let (mut passed, mut lost) = (0, 0);
    node.wait_until("a", |line| {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        match text.strip_prefix("cooper-log: ") {
            Some(text) => {
                assert!(text.ends_with(" lost: more than 100 lines per second"), "{text}");
                lost += text.split(' ').next().unwrap().parse::<usize>().unwrap();
            }
            None => passed += 1,
        }
        passed + lost == 1000
    });
    assert!(passed >= 100 && lost > 0, "{passed} {lost}");
}

#[test]
fn a_new_graph_is_followed_at_once() {
    // Timestamps off, without a restart; a broken graph changes nothing.
    let mut node = Node::new();
    node.graph(&[("a", SPEC)]);
    let mut fifo = node.fifo("a");
    node.start();
    fifo.write_all(b"one\n").unwrap();
    node.wait_lines("a", 1);
    node.graph(&[("a", LogSpec { timestamps: false, ..SPEC })]);
    fifo.write_all(b"two\n").unwrap();
    node.wait_lines("a", 2);
    fs::write(node.run().join("broken"), "garbage").unwrap();
    fs::rename(node.run().join("broken"), node.run().join("graph")).unwrap();
    fifo.write_all(b"three\n").unwrap();
    node.wait_lines("a", 3);
    let stamped: Vec<_> = node.read("a").iter().map(|line| line.stamp.is_some()).collect();
    assert_eq!(stamped, [true, false, false]);
}

#[test]
fn hup_and_usr1_are_for_other_tools() {
    // logrotate may move the file away; USR1 rotates by itself.
    let mut node = Node::new();
    let mut fifo = node.fifo("a");
    node.start();
    fifo.write_all(b"one\n").unwrap();
    node.wait_lines("a", 1);
    fs::rename(node.logs.join("a/current"), node.logs.join("a/moved")).unwrap();
    node.signal(Signal::HUP);
    fifo.write_all(b"two\n").unwrap();
    node.wait_lines("a", 1);
    assert_eq!(node.texts("a"), ["two"]);
    assert!(fs::read_to_string(node.logs.join("a/moved")).unwrap().ends_with("Z one\n"));
    node.signal(Signal::USR1);
    fifo.write_all(b"three\n").unwrap();
    assert_eq!(node.wait_lines("a", 2), ["two", "three"]);
    assert_eq!(node.sizes("a").0.len(), 1);
}

#[test]
fn half_a_line_left_by_a_power_cut_is_ended() {
    // The next line begins a line.
    let mut node = Node::new();
    fs::create_dir_all(node.logs.join("a")).unwrap();
    fs::write(node.logs.join("a/current"), "2026-11-20T16:33:04.123456Z tor").unwrap();
    let mut fifo = node.fifo("a");
    node.start();
    fifo.write_all(b"new\n").unwrap();
    assert_eq!(node.wait_lines("a", 2), ["tor", "new"]);
}

#[test]
fn there_is_one_at_a_time() {
    // The second one ends, and says why.
    let mut node = Node::new();
    let mut fifo = node.fifo("a");
    node.start();
    fifo.write_all(b"one\n").unwrap();
    node.wait_lines("a", 1);
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_cooper-log"))
        .env("COOPER_RUN", node.run())
        .env("COOPER_LOGS", &node.logs)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(111));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.starts_with("cooper-log: fatal: cannot lock "), "{text}");
    let usage =
        std::process::Command::new(env!("CARGO_BIN_EXE_cooper-log")).arg("-x").output().unwrap();
    assert_eq!(usage.status.code(), Some(100));
}

#[test]
fn a_thousand_services() {
    // All write, none is lost, few files are open, and then nothing wakes it.
    let mut node = Node::new();
    node.start();
    let mut fifos: Vec<_> = (0..1000).map(|n| node.fifo(&format!("s{n}"))).collect();
    for round in 1..=3 {
        for fifo in &mut fifos {
            writeln!(fifo, "line {round}").unwrap();
        }
    }
    for n in 0..1000 {
        node.wait_lines(&format!("s{n}"), 3);
    }
    let pid = node.pid().as_raw_nonzero();
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|path| path.ends_with("current"))
        .collect();
    assert!(open.len() <= 256, "{}", open.len());
    let before = node.status("voluntary_ctxt_switches");
    assert!(!node.ends_within(Duration::from_secs(3)));
    assert_eq!(node.status("voluntary_ctxt_switches"), before, "idle is idle");
    eprintln!("VmRSS {} KiB with 1000 services", node.status("VmRSS"));
    assert!(node.end().success());
    for n in 0..1000 {
        assert_eq!(node.texts(&format!("s{n}")), numbered(3), "s{n}");
    }
}
