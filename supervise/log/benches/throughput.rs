//! `cooper-log` beside `s6-log` (Debian's package s6), in the same run on the same file system:
//! nanoseconds of processor time per line of 120 bytes, and wall time. Ratios count; the machine
//! may be slow.
//!
//! `cargo bench -p cooper-log`. `LINES` and `RUNS` say how many; `S6_LOG` where s6-log is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::as_conversions, clippy::cast_precision_loss, missing_docs)]

use std::{
    env, fs,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use graph::{Graph, Kind, LogSpec, LogTo};
use rustix::{
    fs::{CWD, FileType, Mode, mknodat},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid},
};

const LINE: usize = 120;
const FILE_SIZE: u64 = 16 << 20;
const FILES: u32 = 20;

/// What one run cost.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

fn main() {
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (lines, runs) = (number("LINES", 1_000_000), number("RUNS", 5));
    let s6_log = env::var("S6_LOG").unwrap_or("s6-log".to_owned());
    for (what, per_write) in [("one line per write", 1), ("200 lines per write", 200)] {
        let mut costs = [Vec::new(), Vec::new()];
        for _ in 0..runs {
            costs[0].push(cooper(lines, per_write));
            costs[1].push(s6(&s6_log, lines, per_write));
        }
        println!("{what}, {lines} lines of {LINE} bytes, median of {runs}:");
        let [ours, theirs] = costs.map(|costs| median(costs, lines));
        for (name, (wall, cpu)) in [("cooper-log", ours), ("s6-log T", theirs)] {
            println!("  {name:<12} {cpu:>6.0} ns CPU per line  {wall:>6.0} ns per line");
        }
        println!("  ratio        {:>6.2}            {:>6.2}", ours.1 / theirs.1, ours.0 / theirs.0);
    }
}

fn cooper(lines: usize, per_write: usize) -> Cost {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    fs::create_dir_all(run.join("log")).unwrap();
    let mut service = graph::rescue().services[0].clone();
    service.name = "bench".to_owned();
    if let Kind::Longrun(process) = &mut service.kind {
        process.log = LogSpec {
            to: LogTo::Files,
            file_size_max: FILE_SIZE,
            files_max: FILES,
            age_max_s: 0,
            quota: 0,
            rate_max: 0,
            timestamps: true,
            block: true,
        };
    }
    let graph = Graph { services: vec![service], ..Graph::default() };
    fs::write(run.join("graph"), graph::encode(&graph)).unwrap();
    let path = run.join("log/bench");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let mut fifo = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_cooper-log"))
        .env("COOPER_RUN", &run)
        .env("COOPER_LOGS", root.path().join("logs"))
        .spawn()
        .unwrap();
    let cost = measure(child, &mut fifo, lines, per_write, |child, _| {
        kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    });
    check(&root.path().join("logs/bench"), lines);
    cost
}

fn s6(program: &str, lines: usize, per_write: usize) -> Cost {
    let root = tempfile::tempdir().unwrap();
    let logs = root.path().join("logs");
    let mut child = Command::new(program)
        .args(["-b", "T", &format!("s{FILE_SIZE}"), &format!("n{FILES}")])
        .arg(&logs)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot run {program} (Debian's package s6): {e}"));
    let input = child.stdin.take().unwrap();
    let mut input = Some(File::from(std::os::fd::OwnedFd::from(input)));
    let mut pipe = input.as_ref().unwrap().try_clone().unwrap();
    let cost = measure(child, &mut pipe, lines, per_write, |_, pipe| {
        // Its standard input ends when the last descriptor is closed.
        *pipe = OpenOptions::new().write(true).open("/dev/null").unwrap();
        input = None;
    });
    check(&logs, lines);
    cost
}

/// From the first write to the logger's end.
fn measure(
    mut child: Child,
    pipe: &mut File,
    lines: usize,
    per_write: usize,
    end: impl FnOnce(&Child, &mut File),
) -> Cost {
    let mut block = "x".repeat(LINE - 1).into_bytes();
    block.push(b'\n');
    let block = block.repeat(per_write);
    let began = Instant::now();
    for _ in 0..lines / per_write {
        pipe.write_all(&block).unwrap();
    }
    end(&child, pipe);
    let pid = Pid::from_child(&child);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).unwrap();
    let wall = began.elapsed();
    // A zombie still knows how long it ran, to the nanosecond.
    let ran = fs::read_to_string(format!("/proc/{}/schedstat", pid.as_raw_nonzero())).unwrap();
    let cpu = Duration::from_nanos(ran.split(' ').next().unwrap().parse().unwrap());
    assert!(child.wait().unwrap().success());
    Cost { wall, cpu }
}

/// Both must have done the same: every line is there, with its time.
fn check(logs: &Path, lines: usize) {
    let mut found = 0;
    for entry in fs::read_dir(logs).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == "current" || name.starts_with('@') {
            let text = fs::read(entry.path()).unwrap();
            found += text.split(|byte| *byte == b'\n').filter(|line| line.len() > LINE).count();
        }
    }
    assert_eq!(found, lines);
}

fn median(mut costs: Vec<Cost>, lines: usize) -> (f64, f64) {
    let per_line = |time: Duration| time.as_nanos() as f64 / lines as f64;
    costs.sort_by_key(|cost| cost.cpu);
    let cpu = per_line(costs[costs.len() / 2].cpu);
    costs.sort_by_key(|cost| cost.wall);
    (per_line(costs[costs.len() / 2].wall), cpu)
}
