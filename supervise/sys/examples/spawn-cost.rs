//! What a spawn costs, next to the least that the kernel asks for: a bare fork-and-exec loop.
//!
//! `spawn-cost [COUNT [PROGRAM]]`. Each contender starts COUNT processes, learns that each has
//! executed its program, and reaps them all. Told are the best of some rounds, in wall time and in
//! processor time of all processes together: on a machine that does other things, the second is
//! the one to compare. With a cgroup v2 hierarchy that may be written,
//! both once more with a cgroup for each process.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "figures for people, on a machine for developers"
)]

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use graph::{
    CgroupSpec, Environment, KillMode, LogSpec, LogTo, Process, Readiness, RestartPolicy,
    RestartSpec, RunSpec, StopSpec,
};
use sys::cgroup::Root;
use sys::spawn::{Kin, Order, Outcome, Output, Prepared, Spawner, Stdin};

type Failure = Box<dyn std::error::Error>;

/// So many reports are waited for at a time, as `supervise` does.
const OPEN_MAX: usize = 32;
/// The contenders take turns, so that what else runs on the machine disturbs them alike.
const ROUNDS: usize = 7;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().as_deref().unwrap_or("1000").parse()?;
    let program = arguments.next().unwrap_or_else(|| "/bin/true".to_owned());
    let root = sys::cgroup::mount_point().and_then(|path| Root::open(&path).ok());
    let root = root.filter(Root::is_writable);

    let mut times = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        let path = CString::new(program.as_str())?;
        times[0].push(measure(|| bare(count, &path, None))?);
        times[1].push(measure(|| bare_with_pipe(count, &path))?);
        times[2].push(measure(|| ours(count, &program, None))?);
        let Some(root) = &root else { continue };
        times[3].push(measure(|| bare(count, &path, Some(root)))?);
        remove(root, count)?;
        times[4].push(measure(|| ours(count, &program, Some(root)))?);
        remove(root, count)?;
    }
    let names = [
        "bare fork and exec",
        "the same, and an error pipe",
        "sys::spawn",
        "bare, with a cgroup for each",
        "sys::spawn, with a cgroup for each",
    ];
    println!("{:36} {:>10} {:>10}", "microseconds for each process", "wall", "processor");
    for (name, times) in names.into_iter().zip(times) {
        let each = |time: Option<Duration>| match time {
            Some(time) => format!("{:.1}", time.as_secs_f64() * 1e6 / count as f64),
            None => "-".to_owned(),
        };
        let wall = each(times.iter().map(|(wall, _)| *wall).min());
        let processor = each(times.iter().map(|(_, processor)| *processor).min());
        println!("{name:36} {wall:>10} {processor:>10}");
    }
    Ok(())
}

fn measure(run: impl FnOnce() -> Result<(), Failure>) -> Result<(Duration, Duration), Failure> {
    let (start, used) = (Instant::now(), processor_time());
    run()?;
    Ok((start.elapsed(), processor_time() - used))
}

/// Of this process and all its children that were reaped.
fn processor_time() -> Duration {
    let of = |whose| {
        // SAFETY: a rusage is integers, of which zero is one each; the call writes all of it.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(whose, &raw mut usage);
            usage
        };
        let seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
        let micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
        Duration::from_micros((seconds * 1_000_000 + micros) as u64)
    };
    of(libc::RUSAGE_SELF) + of(libc::RUSAGE_CHILDREN)
}

fn reap_all() {
    // SAFETY: a null status is not written to.
    while unsafe { libc::wait(std::ptr::null_mut()) } > 0 {}
}

/// The least: nothing but the program is set up, and nobody learns what became of it.
fn bare(count: usize, program: &CStr, root: Option<&Root>) -> Result<(), Failure> {
    for number in 0..count {
        let group = root.map(|root| root.make(&name(number))).transpose()?;
        // SAFETY: the child only makes system calls, and ends.
        if unsafe { libc::fork() } == 0 {
            if let Some(group) = &group {
                let _ = group.add(std::process::id());
            }
            execute(program);
        }
    }
    reap_all();
    Ok(())
}

/// The least with which a failed exec is noticed.
fn bare_with_pipe(count: usize, program: &CStr) -> Result<(), Failure> {
    let mut open: Vec<OwnedFd> = Vec::with_capacity(OPEN_MAX);
    for _ in 0..count {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // SAFETY: the child only makes system calls, and ends.
        if unsafe { libc::fork() } == 0 {
            execute(program);
        }
        drop(write);
        open.push(read);
        if open.len() == OPEN_MAX {
            wait_ended(&mut open);
        }
    }
    wait_ended(&mut open);
    reap_all();
    Ok(())
}

fn wait_ended(open: &mut Vec<OwnedFd>) {
    for read in open.drain(..) {
        let _ = rustix::io::read(&read, &mut [0; 4]);
    }
}

fn execute(program: &CStr) -> ! {
    let argv = [program.as_ptr(), std::ptr::null()];
    let envp = [c"PATH=/usr/bin:/bin".as_ptr(), std::ptr::null()];
    // SAFETY: both arrays end with a null pointer and hold NUL-terminated strings.
    unsafe {
        libc::execve(program.as_ptr(), argv.as_ptr(), envp.as_ptr());
        libc::_exit(127)
    }
}

fn ours(count: usize, program: &str, root: Option<&Root>) -> Result<(), Failure> {
    let process = process(program);
    let mut spawner = Spawner::new(Kin::Child);
    let mut open = Vec::with_capacity(OPEN_MAX);
    for number in 0..count {
        let word = AtomicU32::new(0);
        let order = Order {
            process: &process,
            paths: &[],
            argv: &process.exec,
            identity: None,
            stdin: Stdin::Null,
            output: Output::Null,
            ready: None,
            inherits: None,
            variables: &[],
            watchdog_us: None,
        };
        let group = root.map(|root| root.make(&name(number))).transpose()?;
        let prepared = Prepared::new(&order).map_err(|error| format!("{error:?}"))?;
        let spawned = spawner
            .spawn(prepared, group.as_ref().map(AsFd::as_fd), &word)
            .map_err(|error| format!("{error:?}"))?;
        open.push(spawned.report);
        if open.len() == OPEN_MAX {
            wait_executed(&mut open)?;
        }
    }
    wait_executed(&mut open)?;
    reap_all();
    Ok(())
}

fn wait_executed(open: &mut Vec<sys::spawn::Report>) -> Result<(), Failure> {
    for report in open.drain(..) {
        loop {
            match report.outcome() {
                Outcome::Executed => break,
                Outcome::Failed(error) => return Err(format!("{error:?}").into()),
                Outcome::Unmet(_) => return Err("there is no condition".into()),
                Outcome::Pending => wait_readable(report.as_fd().as_raw_fd()),
            }
        }
    }
    Ok(())
}

fn wait_readable(fd: i32) {
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, exclusively ours.
    unsafe { libc::poll(&raw mut poll, 1, -1) };
}

fn name(number: usize) -> String {
    format!("spawn-cost-{}-{number}", std::process::id())
}

fn remove(root: &Root, count: usize) -> Result<(), Failure> {
    Ok((0..count).try_for_each(|number| root.remove(&name(number)))?)
}

/// A definition that asks for nothing.
fn process(program: &str) -> Process {
    Process {
        exec: vec![program.to_owned()],
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
