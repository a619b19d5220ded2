//! A `cooper-log` on directories of its own, with the test in init's place: it holds the FIFOs.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use cooper_log::{
    names,
    read::{Line, Query, Reader},
};
use graph::{Graph, Kind, LogSpec, LogTo};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, FileType, Mode, mknodat},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

/// Nothing takes longer, however loaded the machine is.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub const SPEC: LogSpec = LogSpec {
    to: LogTo::Files,
    file_size_max: 1 << 20,
    files_max: 1_000_000,
    age_max_s: 0,
    quota: 0,
    rate_max: 0,
    timestamps: true,
    block: false,
};

pub struct Node {
    pub root: tempfile::TempDir,
    /// Where the logs are, as seen from here.
    pub logs: PathBuf,
    pub child: Option<Child>,
    /// Run `cooper-log` behind this command.
    pub wrapper: Vec<String>,
}

impl Node {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("run/log")).unwrap();
        let logs = root.path().join("logs");
        Self { root, logs, child: None, wrapper: Vec::new() }
    }

    pub fn run(&self) -> PathBuf {
        self.root.path().join("run")
    }

    pub fn fifo_path(&self, name: &str) -> PathBuf {
        self.run().join("log").join(name)
    }

    /// A FIFO as `supervise` makes it, opened as a service opens it.
    pub fn fifo(&self, name: &str) -> File {
        let path = self.fifo_path(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        OpenOptions::new().read(true).write(true).open(path).unwrap()
    }

    /// A graph in which these services log like this.
    pub fn graph(&self, services: &[(&str, LogSpec)]) {
        let mut graph = Graph { shutdown_budget_ms: 1000, ..Graph::default() };
        for (name, spec) in services {
            let mut service = graph::rescue().services[0].clone();
            service.name = (*name).to_owned();
            if let Kind::Longrun(process) = &mut service.kind {
                process.log = spec.clone();
            }
            graph.services.push(service);
        }
        fs::write(self.run().join("new"), graph::encode(&graph)).unwrap();
        fs::rename(self.run().join("new"), self.run().join("graph")).unwrap();
    }

    pub fn start(&mut self) {
        let program = env!("CARGO_BIN_EXE_cooper-log").to_owned();
        let words: Vec<String> = self.wrapper.iter().cloned().chain([program]).collect();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env("COOPER_RUN", self.run())
            .env("COOPER_LOGS", self.root.path().join("logs"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Whether it ends within this time.
    pub fn ends_within(&self, time: Duration) -> bool {
        let pidfd = pidfd_open(self.pid(), PidfdFlags::empty()).unwrap();
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::try_from(time).unwrap())).unwrap() > 0
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and what it exits with.
    pub fn end(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        assert!(self.ends_within(DEADLINE), "does not end on SIGTERM");
        self.child.take().unwrap().wait().unwrap()
    }

    /// Everything in the files now.
    pub fn read(&self, service: &str) -> Vec<Line> {
        let query = Query { services: vec![service.to_owned()], ..Query::default() };
        Reader::open(&self.logs, query).unwrap().map(Result::unwrap).collect()
    }

    pub fn texts(&self, service: &str) -> Vec<String> {
        texts(&self.read(service))
    }

    /// The first `n` lines of a log, waiting for them.
    pub fn wait_lines(&self, service: &str, n: usize) -> Vec<String> {
        let mut lines = Vec::new();
        self.wait_until(service, |line| {
            lines.push(String::from_utf8_lossy(&line.text).into_owned());
            lines.len() == n
        });
        lines
    }

    /// Waits for a line for which `done` is true.
    pub fn wait_until(&self, service: &str, mut done: impl FnMut(&Line) -> bool) {
        let query = Query { services: vec![service.to_owned()], follow: true, ..Query::default() };
        let end = Instant::now() + DEADLINE;
        // The directory of all logs is made with the first line.
        fs::create_dir_all(&self.logs).unwrap();
        let mut follow = Reader::open(&self.logs, query).unwrap().follow().unwrap();
        loop {
            match follow.next_line().unwrap() {
                Some(line) if done(&line) => return,
                Some(_) => {}
                None => {
                    let left = end.saturating_duration_since(Instant::now());
                    assert!(follow.wait(Some(left)).unwrap(), "the line does not come");
                }
            }
        }
    }

    /// Lengths of a log's files: the rotated ones, oldest first, and `current`.
    pub fn sizes(&self, service: &str) -> (Vec<u64>, u64) {
        let mut past = Vec::new();
        let mut current = 0;
        for entry in fs::read_dir(self.logs.join(service)).unwrap() {
            let entry = entry.unwrap();
            // One may be deleted, or renamed, at this moment.
            let Ok(data) = entry.metadata() else { continue };
            let name = entry.file_name().into_string().unwrap();
            match names::rotated_at(&name) {
                Some(at) => past.push((at, data.len())),
                None => current = data.len(),
            }
        }
        past.sort_unstable();
        (past.into_iter().map(|(_, size)| size).collect(), current)
    }

    /// A number of /proc/PID/status.
    pub fn status(&self, key: &str) -> u64 {
        let pid = self.pid().as_raw_nonzero();
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
}

/// Writes as much as the FIFO takes without waiting; says how much that was.
pub fn fill(fifo: &Path, line: &str) -> usize {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
    let mut fifo =
        OpenOptions::new().read(true).write(true).custom_flags(flags).open(fifo).unwrap();
    let mut lines = 0;
    loop {
        match fifo.write(line.as_bytes()) {
            Ok(n) => {
                assert_eq!(n, line.len(), "lines shorter than a page go in whole");
                lines += 1;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return lines,
            Err(e) => panic!("cannot write: {e}"),
        }
    }
}

/// Random numbers from a printed seed (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn from_environment() -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or(u64::try_from(now.as_nanos()).unwrap()) | 1;
        eprintln!("SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}
