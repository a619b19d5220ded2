//! A thousand trivial services: how long until the last has run its first instruction, what the
//! tree then weighs, and whether it keeps still. Side by side, in one run, with the limit program
//! (`limit.c`: a bare loop of fork and exec) and with dinit where it is given.
//!
//! ```text
//! cargo bench -p tests --bench start -- [--services 1000] [--runs 5] [--dinit /path/to/dinit]
//! ```
//!
//! Needs root, `cc`, and the static binaries (`node-image/build-static x86_64 DIR`, named by
//! `--bin DIR`; built if it is not given). Each contender is PID 1 of a new pid namespace, pinned
//! to one CPU; they take turns, and medians are compared. Ratios count, times hold for one machine.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark may fail loudly, and its numbers are small"
)]

mod contender;
mod probe;

use std::path::{Path, PathBuf};
use std::process::Command;

use contender::{Contender, Kind, Place};

/// What the command line asks for.
struct Wanted {
    services: usize,
    runs: usize,
    dinit: Option<PathBuf>,
    bin: Option<PathBuf>,
}

fn main() {
    let wanted = wanted();
    let place = Place::new(&build_limit(), &wanted.bin.clone().unwrap_or_else(build_ours));
    let mut contenders = vec![
        Contender::new("limit: fork and exec", Kind::Limit),
        Contender::new("cooper", Kind::Cooper),
        Contender::new("limit: one cgroup each", Kind::LimitCgroups),
        Contender::new("cooper, one cgroup each", Kind::CooperCgroups),
        Contender::new("cooper, cgroups and logs", Kind::CooperLogs),
    ];
    if let Some(path) = &wanted.dinit {
        contenders.push(Contender::new("dinit", Kind::Dinit(path.clone())));
    }
    for run in 0..wanted.runs {
        for contender in &mut contenders {
            contender.run(&place, wanted.services);
            let ms = *contender.walls_ms.last().expect("it ran");
            eprintln!("run {}: {:<26} {ms:8.1} ms", run + 1, contender.name);
        }
    }
    report(&contenders, wanted.services);
}

/// Medians, and what each is as a ratio to its limit.
fn report(contenders: &[Contender], services: usize) {
    let limit = |kind: &Kind| match kind {
        Kind::Limit | Kind::Cooper | Kind::Dinit(_) => 0,
        Kind::LimitCgroups | Kind::CooperCgroups | Kind::CooperLogs => 2,
    };
    println!("{services} services: medians; PSS, and context switches in ten idle seconds, of");
    println!("init, supervise and cooper-log; SIGKILL to restarted, p50; svc stop of all");
    println!(
        "{:<26} {:>8} {:>8} {:>8} {:>8} {:>10} {:>8}",
        "", "wall ms", "of limit", "PSS KiB", "switches", "restart us", "stop ms"
    );
    for contender in contenders {
        let ratio = contender.median_ms() / contenders[limit(&contender.kind)].median_ms();
        let after = contender.after.map_or_else(
            || format!("{:>8} {:>8} {:>10} {:>8}", "-", "-", "-", "-"),
            |after| {
                let probe::After { pss_kib, switches, restart_us, stop_ms } = after;
                format!("{pss_kib:>8} {switches:>8} {restart_us:>10} {stop_ms:>8.0}")
            },
        );
        println!("{:<26} {:>8.1} {ratio:>8.2} {after}", contender.name, contender.median_ms());
    }
}

fn wanted() -> Wanted {
    let mut wanted = Wanted { services: 1000, runs: 5, dinit: None, bin: None };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        match word.as_str() {
            "--services" => wanted.services = value().parse().expect("a number"),
            "--runs" => wanted.runs = value().parse().expect("a number"),
            "--dinit" => wanted.dinit = Some(value().into()),
            "--bin" => wanted.bin = Some(value().into()),
            _ => panic!("unknown option {word}"),
        }
    }
    wanted
}

/// The limit program, compiled into cargo's own directory for such things.
fn build_limit() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("limit");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/limit.c");
    let flags = ["-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector"];
    let status = Command::new("cc")
        .args(flags)
        .args(["-fno-pie", "-no-pie", source, "-o"])
        .arg(&program)
        .status()
        .expect("cc is installed");
    assert!(status.success(), "cc failed");
    program
}

/// Our static binaries.
fn build_ours() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../node-image/build-static");
    let status =
        Command::new(script).arg("x86_64").arg(&directory).status().expect("the script runs");
    assert!(status.success(), "node-image/build-static failed");
    directory
}
