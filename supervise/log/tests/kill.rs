//! `kill -9` at random moments: no line lost, none twice, order kept; for the files, and for one
//! who follows them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod common;

use std::{
    fs::{self, File},
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::{Node, Random, SPEC};
use cooper_log::read::{Query, Reader};
use graph::LogSpec;

/// So many kills by default; `KILLS` says otherwise.
const KILLS: u64 = 400;
const SERVICES: u64 = 4;

/// Writes numbered lines of random lengths, sometimes many at once, sometimes in halves.
fn write_lines(mut fifo: File, seed: u64, stop: &AtomicBool) -> (File, Vec<String>) {
    let mut random = Random(seed | 1);
    let mut written = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let mut text = String::new();
        for _ in 0..=random.below(40) {
            let length = usize::try_from(random.below(300)).unwrap();
            let line = format!("{} {}", written.len(), "x".repeat(length));
            text.push_str(&line);
            text.push('\n');
            written.push(line);
        }
        let half = usize::try_from(random.below(u64::try_from(text.len()).unwrap())).unwrap();
        fifo.write_all(&text.as_bytes()[..half]).unwrap();
        fifo.write_all(&text.as_bytes()[half..]).unwrap();
    }
    (fifo, written)
}

#[test]
fn killed_at_random_moments_it_loses_and_doubles_nothing() {
    let mut random = Random::from_environment();
    let kills = std::env::var("KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let mut node = Node::new();
    let name = |n| format!("s{n}");
    let names: Vec<String> = (0..SERVICES).map(name).collect();
    // Small files, so that many kills fall near a rotation.
    let spec = LogSpec { file_size_max: 200_000, ..SPEC };
    let specs: Vec<_> = names.iter().map(|name| (&**name, spec.clone())).collect();
    node.graph(&specs);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = names
        .iter()
        .map(|name| {
            let (fifo, seed, stop) = (node.fifo(name), random.below(u64::MAX), Arc::clone(&stop));
            thread::spawn(move || write_lines(fifo, seed, &stop))
        })
        .collect();
    let end = Arc::new(AtomicBool::new(false));
    let follower = follow(&node, &names[0], Arc::clone(&end));
    let began = Instant::now();
    for _ in 0..kills {
        node.start();
        // Most of them while it starts or has just begun to write, some in full swing.
        let limit_us = if random.below(4) == 0 { 30_000 } else { 4_000 };
        let moment = Duration::from_micros(random.below(limit_us));
        assert!(!node.ends_within(moment), "it ended by itself");
        node.kill();
    }
    stop.store(true, Ordering::SeqCst);
    node.start();
    let written: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    assert!(node.end().success());
    let mut lines = 0;
    for (name, (_fifo, written)) in names.iter().zip(&written) {
        compare(name, &node.texts(name), written);
        lines += written.len();
    }
    end.store(true, Ordering::SeqCst);
    // Wakes the follower.
    fs::write(node.logs.join(&names[0]).join("end"), "").unwrap();
    compare("the follower", &follower.join().unwrap(), &written[0].1);
    eprintln!("{kills} kills, {lines} lines, {:?}", began.elapsed());
    // It is a test only if something was written in between.
    assert!(u64::try_from(lines).unwrap() > kills);
}

fn follow(node: &Node, name: &str, end: Arc<AtomicBool>) -> thread::JoinHandle<Vec<String>> {
    let (logs, name) = (node.logs.clone(), name.to_owned());
    fs::create_dir_all(&logs).unwrap();
    thread::spawn(move || {
        let query = Query { services: vec![name], follow: true, ..Query::default() };
        let mut follow = Reader::open(&logs, query).unwrap().follow().unwrap();
        let mut seen = Vec::new();
        loop {
            let over = end.load(Ordering::SeqCst);
            while let Some(line) = follow.next_line().unwrap() {
                seen.push(String::from_utf8(line.text).unwrap());
            }
            if over {
                return seen;
            }
            follow.wait(Some(common::DEADLINE)).unwrap();
        }
    })
}

fn compare(who: &str, found: &[String], expected: &[String]) {
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "{who}: line {n}");
    }
    assert_eq!(found.len(), expected.len(), "{who}");
}
