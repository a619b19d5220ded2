//! `cooper-log`: the one process that is not a service and is kept alive all the same. It needs
//! nothing from us but to run; what it reads and writes it finds by itself.

use std::env;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use graph::{LogTo, Process};
use rustix::stdio;
use sys::fifo;
use sys::process::Stat;
use sys::spawn::{Order, Output, Prepared, Stdin};
use tracing::{info, warn};
use unit::{Exit, Instant, SpawnError};
use wire::link::FromSupervise;
use wire::paths;

use crate::clock;
use crate::command::process;
use crate::output::FIFO_MODE;
use crate::places::text;
use crate::publish::spawn_error_text;
use crate::shell::{Shell, World};

/// The program.
const PROGRAM: &str = "cooper-log";
/// One that ends at once is started again after this long, each time twice as long.
const PAUSE_MIN_MS: u32 = 100;
/// But never longer than this.
const PAUSE_MAX_MS: u32 = 30_000;
/// A new tree starts its services first; what they say meanwhile waits in their FIFOs.
const FIRST_PAUSE_MS: u32 = 100;
/// One that has run for this long has started well.
const WELL_US: u64 = 10_000_000;
/// What it is told of where things are.
const VARIABLES: [&str; 3] = ["COOPER_LOGS", "COOPER_LIBEXEC", "COOPER_GRAPHS"];

/// For a process id that no table has room for.
static NOWHERE: AtomicU32 = AtomicU32::new(0);

/// Whether it runs.
#[derive(Debug, Default)]
pub struct Logger {
    /// 0: it does not run.
    pid: u32,
    started: Instant,
    /// Starts in a row that did not go well.
    failures: u32,
    /// When it is started again.
    next: Option<Instant>,
}

impl Logger {
    /// When [`Shell::logger_tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }
}

impl World {
    /// What this process and init say goes to the catch-all log from now on. It must not block
    /// us: our own descriptor of the FIFO does not wait, and what does not fit is lost.
    pub fn say_to_log(&self) {
        let path = self.places.log(paths::CATCH_ALL);
        let fifo = match fifo::make(&path, FIFO_MODE, None) {
            Ok(fifo) => fifo,
            Err(error) => return warn!("cannot log to {}: {error}", path.display()),
        };
        self.link.hold(&format!("{}/{}", paths::LOG, paths::CATCH_ALL), fifo.as_fd());
        self.link.send(&FromSupervise::Stdio, Some(fifo.as_fd()));
        let ours = stdio::dup2_stdout(&fifo).and_then(|()| stdio::dup2_stderr(&fifo));
        if let Err(error) = ours {
            warn!("cannot log to {}: {error}", path.display());
        }
    }
}

impl Shell<'_> {
    /// It runs already, or is started. In a container, only if anything is to be in files.
    pub fn begin_logger(&mut self) {
        if self.world.places.container && !self.logs_to_files() {
            return;
        }
        let pid = self.table.logger_word().map_or(0, |word| word.load(Ordering::Acquire));
        let init = self.world.hello.init_pid;
        let ours = Stat::of(pid).is_ok_and(|stat| stat.parent == init && !stat.is_zombie());
        self.world.logger = if pid != 0 && ours {
            Logger { pid, started: clock::now(), ..Logger::default() }
        } else {
            Logger { next: Some(clock::now().after_ms(FIRST_PAUSE_MS)), ..Logger::default() }
        };
    }

    fn logs_to_files(&self) -> bool {
        let to_files = |id| self.process(id).is_some_and(|process| process.log.to == LogTo::Files);
        self.view.ids().any(to_files)
    }

    /// Starts it, if it is time.
    pub fn logger_tick(&mut self, now: Instant) {
        if self.world.logger.next.is_none_or(|next| next > now) || self.world.ended {
            return;
        }
        self.world.logger.next = None;
        match self.start_logger() {
            Ok(pid) => {
                self.world.logger.pid = pid;
                self.world.logger.started = now;
            }
            Err(error) => {
                warn!("cannot start {PROGRAM}: {}", spawn_error_text(error));
                self.logger_later();
            }
        }
    }

    /// A process has ended; says whether it was the logger.
    pub fn logger_ended(&mut self, pid: u32, exit: Exit) -> bool {
        if pid != self.world.logger.pid {
            return false;
        }
        self.world.logger.pid = 0;
        if let Some(word) = self.table.logger_word() {
            word.store(0, Ordering::Release);
        }
        if self.world.ended {
            return true;
        }
        info!("{PROGRAM} ended ({exit:?}); starting it again");
        let ran = clock::now().0.saturating_sub(self.world.logger.started.0);
        if ran >= WELL_US {
            self.world.logger.failures = 0;
        }
        self.logger_later();
        true
    }

    /// The first time at once, then later and later.
    fn logger_later(&mut self) {
        let failures = self.world.logger.failures;
        let pause = match failures.checked_sub(1) {
            None => 0,
            Some(doublings) => PAUSE_MIN_MS
                .checked_shl(doublings.min(16))
                .unwrap_or(PAUSE_MAX_MS)
                .min(PAUSE_MAX_MS),
        };
        self.world.logger.failures = failures.saturating_add(1);
        self.world.logger.next = Some(clock::now().after_ms(pause));
    }

    fn start_logger(&mut self) -> Result<u32, SpawnError> {
        let run = text(&self.world.places.run);
        let mut process = program(self.world.places.libexec.join(PROGRAM), run);
        // The OOM killer shall look elsewhere for it, too.
        process.run.oom_score_adj = self.world.spawner.own_oom_score_adj();
        let prepared = Prepared::new(&Order {
            process: &process,
            paths: &[],
            argv: &process.exec,
            identity: None,
            inherits: None,
            stdin: Stdin::Null,
            // It takes its own messages to the catch-all log, not through a FIFO that it reads.
            output: Output::Null,
            ready: None,
            variables: &[],
            watchdog_us: None,
        })?;
        let word = self.table.logger_word().unwrap_or(&NOWHERE);
        // Without a cgroup of its own it stays in ours, which is init's.
        let spawned = self.world.spawner.spawn(prepared, None, word)?;
        Ok(spawned.pid)
    }
}

/// A program of ours, as a definition.
fn program(path: PathBuf, run: String) -> Process {
    let variable = |name: &str| Some((name.to_owned(), env::var(name).ok()?));
    let mut variables: Vec<(String, String)> =
        VARIABLES.iter().filter_map(|name| variable(name)).collect();
    variables.push(("COOPER_RUN".into(), run));
    variables.push(("PATH".into(), graph::PATH.into()));
    process(vec![text(&path)], variables)
}
