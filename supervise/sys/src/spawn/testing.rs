//! Spawning for tests: a definition to change, a live process to look at.

use std::fs;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use graph::{
    CgroupSpec, Environment, KillMode, LogSpec, LogTo, Process, Readiness, RestartPolicy,
    RestartSpec, RunSpec, StopSpec,
};
use unit::SpawnError;

use crate::spawn::{Kin, Order, Outcome, Output, Prepared, Report, Spawned, Spawner, Stdin};
use crate::testing::wait;
use crate::users::Identity;

/// A program that has been executed has its libraries by then, also on a busy machine.
const LOADED_WITHIN: Duration = Duration::from_secs(20);
const LOOK: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// A definition of which everything is the default: `exec` with a `PATH`.
pub(crate) fn process(exec: &[&str]) -> Process {
    Process {
        exec: exec.iter().map(ToString::to_string).collect(),
        ready: Readiness::Exec,
        start_timeout_ms: 0,
        probe_every_ms: 0,
        finish: Vec::new(),
        finish_timeout_ms: 0,
        stop: StopSpec { exec: Vec::new(), signal: 15, timeout_ms: 0, kill: KillMode::Cgroup },
        restart: RestartSpec { policy: RestartPolicy::Never, min_ms: 0, max_ms: 0 },
        reload: None,
        health: None,
        watchdog_ms: 0,
        run: RunSpec::default(),
        environment: Environment {
            variables: vec![("PATH".into(), "/usr/bin:/bin".into())],
            files: Vec::new(),
        },
        cgroup: CgroupSpec::default(),
        log: LogSpec {
            to: LogTo::None,
            file_size_max: 0,
            files_max: 0,
            age_max_s: 0,
            quota: 0,
            rate_max: 0,
            timestamps: true,
            block: false,
        },
    }
}

/// A program that stays until it is killed.
pub(crate) fn sleeper() -> Process {
    process(&["sleep", "1000"])
}

/// An order for `process` of which everything is the default.
pub(crate) fn order<'a>(process: &'a Process, identity: Option<&'a Identity>) -> Order<'a> {
    Order {
        process,
        paths: &[],
        argv: &process.exec,
        identity,
        inherits: None,
        stdin: Stdin::Null,
        output: Output::Null,
        ready: None,
        variables: &[],
        watchdog_us: None,
    }
}

/// A process that was spawned by a test; killed and reaped when the test is done with it.
pub(crate) struct Live {
    pub(crate) pid: u32,
}

impl Live {
    /// Spawns `order` and waits until its program is executed.
    pub(crate) fn new(order: &Order<'_>) -> Self {
        Self::try_new(order).expect("it executes its program")
    }

    pub(crate) fn try_new(order: &Order<'_>) -> Result<Self, SpawnError> {
        Self::with(&mut Spawner::new(Kin::Child), order, None)
    }

    pub(crate) fn with(
        spawner: &mut Spawner,
        order: &Order<'_>,
        cgroup: Option<BorrowedFd<'_>>,
    ) -> Result<Self, SpawnError> {
        let word = AtomicU32::new(0);
        let Spawned { pid, report } = spawner.spawn(Prepared::new(order)?, cgroup, &word)?;
        assert_eq!(word.load(Ordering::Relaxed), pid, "the kernel records the process id");
        let live = Self::of(pid);
        match outcome(&report) {
            Outcome::Failed(error) => Err(error),
            Outcome::Unmet(_) => unreachable!("there is no condition"),
            Outcome::Executed => Ok(live),
            Outcome::Pending => unreachable!("it was waited for"),
        }
    }

    /// A child of ours that already is.
    pub(crate) fn of(pid: u32) -> Self {
        assert_ne!(pid, 0, "0 would mean ourselves");
        Self { pid }
    }

    /// The contents of /proc/PID/`file`.
    pub(crate) fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid)).expect("it lives")
    }

    /// The value of a line of /proc/PID/status.
    pub(crate) fn status(&self, key: &str) -> String {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.expect("the kernel has this line").trim().to_owned()
    }

    /// A field of /proc/PID/stat, numbered from 1 as in proc(5).
    pub(crate) fn stat(&self, field: usize) -> i64 {
        let stat = self.proc("stat");
        let (_, rest) = stat.rsplit_once(") ").expect("the name is in parentheses");
        rest.split(' ')
            .nth(field.checked_sub(3).expect("the name is field 2"))
            .expect("a field")
            .parse()
            .expect("a number")
    }

    /// What /proc/PID/`link` points to.
    pub(crate) fn link(&self, link: &str) -> PathBuf {
        fs::read_link(format!("/proc/{}/{link}", self.pid)).expect("it lives")
    }

    /// Soft and hard value of a line of /proc/PID/limits.
    pub(crate) fn limit(&self, line: &str) -> (String, String) {
        let limits = self.proc("limits");
        let rest = limits.lines().find_map(|one| one.strip_prefix(line)).expect("a limit");
        let mut values = rest.split_whitespace().map(ToOwned::to_owned);
        (values.next().unwrap(), values.next().unwrap())
    }

    pub(crate) fn environment(&self) -> Vec<String> {
        let environ = self.proc("environ");
        environ.split_terminator('\0').map(ToOwned::to_owned).collect()
    }

    /// Its open descriptors and what they are, once its loader has closed the last library. One
    /// that it closes while it is looked at (a shell after a redirection) is not among them.
    pub(crate) fn descriptors(&self) -> Vec<(u32, PathBuf)> {
        let begin = Instant::now();
        let is_library = |(_, path): &(u32, PathBuf)| path.to_string_lossy().contains(".so");
        loop {
            let all = self.descriptors_now();
            if !all.iter().any(is_library) || begin.elapsed() > LOADED_WITHIN {
                return all;
            }
            // Nothing tells of it.
            let _ = rustix::event::poll(&mut [], Some(&LOOK));
        }
    }

    fn descriptors_now(&self) -> Vec<(u32, PathBuf)> {
        let directory = format!("/proc/{}/fd", self.pid);
        let entries = fs::read_dir(directory).expect("it lives");
        let entries = entries.map(|entry| entry.unwrap());
        let open = |entry: fs::DirEntry| {
            let number = entry.file_name().into_string().unwrap().parse().unwrap();
            Some((number, fs::read_link(entry.path()).ok()?))
        };
        let mut all: Vec<_> = entries.filter_map(open).collect();
        all.sort();
        all
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let pid = i32::try_from(self.pid).unwrap();
        // SAFETY: kill takes numbers. The process is our child and not yet reaped, so that its
        // number cannot belong to another one.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        reap(self.pid);
    }
}

/// Waits for the end of a child, and says how it ended.
pub(crate) fn reap(pid: u32) -> i32 {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let waited = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    waited.expect("it is our child").expect("it has ended").1.as_raw()
}

/// Waits for what becomes of a child.
pub(crate) fn outcome(report: &Report) -> Outcome {
    wait(report, || Some(report.outcome()).filter(|outcome| *outcome != Outcome::Pending))
}
