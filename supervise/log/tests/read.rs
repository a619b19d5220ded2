//! Reading back: order, limits of time and number, following. The files are written by hand here;
//! what `cooper-log` itself writes is read in `process.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use cooper_log::{
    Stamp, names,
    read::{Follow, Line, Query, Reader},
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A log directory, and a clock that ticks once for each line.
struct Logs {
    root: tempfile::TempDir,
    clock: u64,
}

impl Logs {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), clock: 1_795_192_384_000_000 }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn append(&mut self, service: &str, text: &str) -> Stamp {
        self.clock += 1000;
        let stamp = Stamp(self.clock);
        self.raw(service, format!("{stamp} {text}\n").as_bytes());
        stamp
    }

    fn raw(&self, service: &str, bytes: &[u8]) {
        let directory = self.path().join(service);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(names::CURRENT);
        OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    fn rotate(&mut self, service: &str) {
        self.clock += 1;
        let directory = self.path().join(service);
        let rotated = directory.join(names::rotated(Stamp(self.clock)));
        fs::rename(directory.join(names::CURRENT), rotated).unwrap();
    }

    fn read(&self, query: Query) -> Vec<String> {
        Reader::open(self.path(), query).unwrap().map(|line| show(&line.unwrap())).collect()
    }

    /// One log of `lines` lines, rotated every `every` lines.
    fn fill(&mut self, service: &str, lines: usize, every: usize) -> Vec<Stamp> {
        (1..=lines)
            .map(|n| {
                let stamp = self.append(service, &format!("line {n}"));
                if n % every == 0 {
                    self.rotate(service);
                }
                stamp
            })
            .collect()
    }
}

fn show(line: &Line) -> String {
    format!("{} {}", line.service, String::from_utf8_lossy(&line.text))
}

fn lines(service: &str, range: core::ops::RangeInclusive<usize>) -> Vec<String> {
    range.map(|n| format!("{service} line {n}")).collect()
}

/// The next `n` lines of a follower.
fn next(follow: &mut Follow, n: usize) -> Vec<String> {
    let end = Instant::now() + DEADLINE;
    let mut found = Vec::new();
    while found.len() < n {
        match follow.next_line().unwrap() {
            Some(line) => found.push(show(&line)),
            None => {
                let left = end.saturating_duration_since(Instant::now());
                assert!(follow.wait(Some(left)).unwrap(), "only {found:?}");
            }
        }
    }
    found
}

#[test]
fn rotated_files_come_before_current() {
    // All lines, oldest first, wherever the rotations fell.
    for every in [1, 3, 7, 100] {
        let mut logs = Logs::new();
        logs.fill("a", 21, every);
        assert_eq!(logs.read(Query::default()), lines("a", 1..=21), "every {every}");
    }
}

#[test]
fn services_are_merged_by_time_and_keep_their_order() {
    // Three services take turns; a line without a time stays behind the one before it.
    let mut logs = Logs::new();
    let mut expected = Vec::new();
    for n in 0..300 {
        let service = ["a", "b", "c"][n * n % 3];
        logs.append(service, &format!("{n}"));
        expected.push(format!("{service} {n}"));
        if n % 40 == 0 {
            logs.raw(service, b"no time\n");
            expected.push(format!("{service} no time"));
        }
        if n % 50 == 0 {
            logs.rotate(service);
        }
    }
    assert_eq!(logs.read(Query::default()), expected);
    let only_b: Vec<_> = expected.iter().filter(|l| l.starts_with("b ")).cloned().collect();
    let query = Query { services: vec!["b".into(), "b".into()], ..Query::default() };
    assert_eq!(logs.read(query), only_b);
    let last = Query { last: Some(25), ..Query::default() };
    assert_eq!(logs.read(last), expected[expected.len() - 25..]);
}

#[test]
fn since_and_until_are_exact() {
    // `since` is in, `until` is out; for each line, and across files.
    let mut logs = Logs::new();
    let stamps = logs.fill("a", 40, 9);
    for (n, stamp) in (1..).zip(&stamps) {
        let since = Query { since: Some(*stamp), ..Query::default() };
        assert_eq!(logs.read(since), lines("a", n..=40));
        let until = Query { until: Some(*stamp), ..Query::default() };
        assert_eq!(logs.read(until.clone()), lines("a", 1..=n - 1));
        let last = Query { last: Some(2), ..until };
        assert_eq!(logs.read(last), lines("a", n.saturating_sub(2).max(1)..=n - 1));
    }
}

#[test]
fn since_finds_its_place_in_a_large_file() {
    // 30 MB are not read to find the last lines.
    let mut logs = Logs::new();
    let filler = "x".repeat(80);
    let mut text = String::new();
    for n in 0..300_000_u64 {
        text.push_str(&format!("{} {n} {filler}\n", Stamp(n * 1_000_000)));
    }
    logs.raw("a", text.as_bytes());
    logs.clock = 300_000_000_000;
    let query = Query { since: Some(Stamp(299_998_500_000)), ..Query::default() };
    let began = Instant::now();
    assert_eq!(logs.read(query), [format!("a 299999 {filler}")]);
    let since = began.elapsed();
    let began = Instant::now();
    assert_eq!(logs.read(Query::default()).len(), 300_000);
    assert!(since * 20 < began.elapsed(), "{since:?} of {:?}", began.elapsed());
}

#[test]
fn the_last_lines_are_found_across_files() {
    // Every number of last lines, also more than there are.
    let mut logs = Logs::new();
    logs.fill("a", 20, 6);
    for n in 0..25 {
        let query = Query { last: Some(n), ..Query::default() };
        assert_eq!(logs.read(query), lines("a", 21 - n.min(20)..=20), "last {n}");
    }
}

#[test]
fn a_log_that_is_not_there_is_named() {
    // A service without a log, and a name that would leave the directory.
    let logs = Logs::new();
    for name in ["nope", "../etc", ""] {
        let query = Query { services: vec![name.into()], ..Query::default() };
        let error = Reader::open(logs.path(), query).err().unwrap().to_string();
        assert!(error.starts_with(&format!("cannot read the log of {name}: ")), "{error}");
    }
    let error = Reader::open(Path::new("/nonexistent/logs"), Query::default()).err().unwrap();
    assert_eq!(error.to_string(), "cannot read /nonexistent/logs: no such file or directory");
}

#[test]
fn following_goes_on_across_rotations() {
    // Rotations before, between and after looks; several between two looks.
    let mut logs = Logs::new();
    logs.fill("a", 5, 100);
    let query = Query { last: Some(2), follow: true, ..Query::default() };
    let mut follow = Reader::open(logs.path(), query).unwrap().follow().unwrap();
    assert_eq!(next(&mut follow, 2), lines("a", 4..=5));
    for round in 0..20 {
        let first = 6 + round * 7;
        for n in first..first + 7 {
            logs.append("a", &format!("line {n}"));
            if (n * 7 + round) % 3 == 0 {
                logs.rotate("a");
            }
        }
        if round % 2 == 1 {
            assert_eq!(next(&mut follow, 14), lines("a", first - 7..=first + 6), "{round}");
        }
    }
    assert!(follow.next_line().unwrap().is_none());
}

#[test]
fn following_survives_deleted_files() {
    // The quota may delete what a slow reader has not seen; the reader goes on behind it.
    let mut logs = Logs::new();
    logs.append("a", "line 1");
    let query = Query { follow: true, ..Query::default() };
    let mut follow = Reader::open(logs.path(), query).unwrap().follow().unwrap();
    assert_eq!(next(&mut follow, 1), lines("a", 1..=1));
    logs.rotate("a");
    let deleted = logs.path().join("a").join(names::rotated(Stamp(logs.clock)));
    logs.append("a", "line 2");
    logs.rotate("a");
    let lost = logs.path().join("a").join(names::rotated(Stamp(logs.clock)));
    logs.append("a", "line 3");
    fs::remove_file(deleted).unwrap();
    fs::remove_file(lost).unwrap();
    assert_eq!(next(&mut follow, 1), lines("a", 3..=3));
}

#[test]
fn following_waits_for_the_end_of_a_line_and_for_new_logs() {
    // Half a line is not a line yet; a service's first line is seen.
    let mut logs = Logs::new();
    logs.append("a", "line 1");
    logs.raw("a", b"ha");
    let query = Query { follow: true, ..Query::default() };
    let mut follow = Reader::open(logs.path(), query).unwrap().follow().unwrap();
    assert_eq!(next(&mut follow, 1), ["a line 1"]);
    assert!(follow.next_line().unwrap().is_none());
    logs.raw("a", b"lf\n");
    assert_eq!(next(&mut follow, 1), ["a half"]);
    logs.append("b", "line 1");
    assert_eq!(next(&mut follow, 1), ["b line 1"]);
    logs.append("b", "line 2");
    assert_eq!(next(&mut follow, 1), ["b line 2"]);
}

#[test]
fn following_waits_for_a_named_log() {
    // `svc logs -f NAME` of a service that has not written yet.
    let mut logs = Logs::new();
    let query = Query { services: vec!["late".into()], follow: true, ..Query::default() };
    let mut follow = Reader::open(logs.path(), query).unwrap().follow().unwrap();
    assert!(follow.next_line().unwrap().is_none());
    logs.append("other", "line 1");
    logs.append("late", "line 1");
    assert_eq!(next(&mut follow, 1), ["late line 1"]);
}

#[test]
fn garbage_is_text() {
    // Neither NULs, broken UTF-8, an empty file nor a missing last newline stop a reader.
    let logs = Logs::new();
    logs.raw("a", b"\0\xff\n\n2026-11-20T16:33:04.123456Zx\nend");
    File::create(logs.path().join("a").join("@2026-11-20T16:33:04.123456Z.log")).unwrap();
    let found: Vec<_> = Reader::open(logs.path(), Query::default()).unwrap().collect();
    let texts: Vec<_> = found.into_iter().map(|line| line.unwrap().text).collect();
    assert_eq!(texts, [&b"\0\xff"[..], b"", b"2026-11-20T16:33:04.123456Zx", b"end"]);
}
