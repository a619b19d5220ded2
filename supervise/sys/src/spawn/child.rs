//! The child, from clone to exec: every step that a definition may ask for, in order.
//!
//! It is a copy of `supervise` with one thread and no future, so it must not allocate, lock,
//! panic, or run any destructor that does; it makes system calls, tells the first one that fails,
//! and ends.

use std::convert::Infallible;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::process::Rlimit;
use unit::{SpawnError, Step};

use super::prepare::{Directory, Limit, Open, Prepared, Setting};
use super::{credentials, environment, mounts, report, signals, terminal};
use crate::Errno;
use crate::raw;

/// The exit status of a child that could not execute its program, as shells have it.
pub(super) const FAILED: u8 = 127;

/// The first descriptor that is not a standard one.
const FIRST_FREE: RawFd = 3;

/// What a child has of its parent.
pub(super) struct Inherited<'a> {
    /// Where it tells what it could not do.
    pub(super) line: OwnedFd,
    /// The cgroup that it must enter by itself.
    pub(super) join: Option<BorrowedFd<'a>>,
    /// The signals whose disposition is not the default.
    pub(super) signals: signals::Set,
}

/// What went wrong in a step.
pub(super) trait At<T> {
    /// Says in which.
    fn at(self, step: Step) -> Result<T, SpawnError>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, SpawnError> {
        self.map_err(|errno| SpawnError { step, errno: raw::number(errno) })
    }
}

/// Executes the program, or tells why not and ends.
pub(super) fn run(mut prepared: Prepared, inherited: Inherited<'_>) -> ! {
    let Inherited { line, join, signals } = inherited;
    let line = match out_of_the_way(line, &prepared) {
        Ok(line) => line,
        // Without a line there is nobody to tell; the parent sees end-of-file and then an exit.
        Err(_) => raw::exit_now(FAILED),
    };
    let Err(error) = execute(&mut prepared, join, signals);
    report::tell(line.as_fd(), error);
    raw::exit_now(FAILED)
}

/// Moves the line to where no descriptor that the program is to have will be put.
fn out_of_the_way(line: OwnedFd, prepared: &Prepared) -> Result<OwnedFd, Errno> {
    let ready = prepared.ready.as_ref().and_then(|(fd, _)| RawFd::try_from(*fd).ok());
    if line.as_raw_fd() >= FIRST_FREE && Some(line.as_raw_fd()) != ready {
        return Ok(line);
    }
    let first = ready.map_or(FIRST_FREE, |fd| fd.saturating_add(1).max(FIRST_FREE));
    let moved = rustix::io::fcntl_dupfd_cloexec(&line, first);
    // Where the ready descriptor is the highest that there can be, below it is as good.
    moved.or_else(|_| rustix::io::fcntl_dupfd_cloexec(&line, FIRST_FREE))
}

fn execute(
    prepared: &mut Prepared,
    join: Option<BorrowedFd<'_>>,
    signals: signals::Set,
) -> Result<Infallible, SpawnError> {
    // First of all, so that it can be stopped by a signal while it waits for a disk.
    signals::reset(signals);
    signals::restore(signals::Set::NONE);
    rustix::process::setsid().at(Step::Clone)?;
    if let Some(cgroup) = join {
        enter(cgroup).at(Step::Cgroup)?;
    }
    raw::close_on_exec_from(FIRST_FREE.unsigned_abs()).at(Step::Log)?;
    standard(prepared)?;
    ready(prepared).at(Step::Notify)?;
    // Files of variables may be secret, so they are read before privileges are given up, and are
    // the host's, so they are read before the service's own mounts are made.
    environment::define(prepared).at(Step::Environment)?;
    for directory in &prepared.directories {
        make(directory, prepared).at(Step::Directories)?;
    }
    if !prepared.mounts.is_empty() {
        mounts::private(&prepared.mounts).at(Step::Mounts)?;
    }
    for Limit { resource, limit } in &prepared.limits {
        let set = rustix::process::setrlimit(*resource, limit.value);
        set.or_else(|errno| limit.or_as_allowed(errno, *resource)).at(Step::Limits)?;
    }
    priority(prepared).at(Step::Priority)?;
    rustix::process::umask(Mode::from_raw_mode(prepared.umask.into()));
    credentials::limit(prepared.capabilities).at(Step::Capabilities)?;
    credentials::become_user(prepared).at(Step::User)?;
    credentials::keep(prepared).at(Step::Capabilities)?;
    rustix::process::chdir(prepared.cwd.as_c_str()).at(Step::Cwd)?;
    Err(exec(prepared)).at(Step::Exec)
}

/// Enters `cgroup`, where clone3 could not make it begin there.
fn enter(cgroup: BorrowedFd<'_>) -> Result<(), Errno> {
    let procs = rustix::fs::openat(
        cgroup,
        c"cgroup.procs",
        OFlags::WRONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    // "0" is the writer itself, in whichever pid namespace.
    raw::retry(|| rustix::io::write(&procs, b"0")).map(drop)
}

/// Descriptors 0, 1 and 2.
fn standard(prepared: &Prepared) -> Result<(), SpawnError> {
    if let Some(spec) = &prepared.terminal {
        let terminal = terminal::take(spec).at(Step::Tty)?;
        return (0..FIRST_FREE)
            .try_for_each(|fd| raw::place(terminal.as_fd(), fd))
            .and_then(|()| keep_standard(terminal))
            .at(Step::Tty);
    }
    let stdin = prepared.stdin.open().at(Step::Log)?;
    raw::place(stdin.as_fd(), 0).and_then(|()| keep_standard(stdin)).at(Step::Log)?;
    let output = prepared.output.open().at(Step::Log)?;
    raw::place(output.as_fd(), 1)
        .and_then(|()| raw::place(output.as_fd(), 2))
        .and_then(|()| keep_standard(output))
        .at(Step::Log)
}

/// Closes `fd`, unless its number is one of those that the program is to have: a parent whose own
/// standard descriptors are closed opens files at these numbers.
fn keep_standard(fd: OwnedFd) -> Result<(), Errno> {
    if fd.as_raw_fd() < FIRST_FREE {
        std::mem::forget(fd);
    }
    Ok(())
}

/// The descriptor for readiness by newline.
fn ready(prepared: &Prepared) -> Result<(), Errno> {
    let Some((number, path)) = &prepared.ready else { return Ok(()) };
    let number = RawFd::try_from(*number).map_err(|_| Errno::BADF)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fifo = raw::retry(|| rustix::fs::open(path.as_c_str(), flags, Mode::empty()))?;
    raw::place(fifo.as_fd(), number)?;
    if fifo.as_raw_fd() == number {
        std::mem::forget(fifo);
    }
    Ok(())
}

impl Open {
    fn open(&self) -> Result<OwnedFd, Errno> {
        raw::retry(|| rustix::fs::open(self.path.as_c_str(), self.flags, Mode::empty()))
    }
}

/// Makes a directory of the service's own, and gives it to the service's user.
fn make(directory: &Directory, prepared: &Prepared) -> Result<(), Errno> {
    for ancestor in &directory.ancestors {
        make_one(ancestor, Mode::from_raw_mode(0o755))?;
    }
    make_one(&directory.path, Mode::from_raw_mode(directory.mode.into()))?;
    // By descriptor and without following a link in the last place: the user who owned the
    // directory's parent yesterday must not have us give away something else today.
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let made = raw::retry(|| rustix::fs::open(directory.path.as_c_str(), flags, Mode::empty()))?;
    if let Some(identity) = &prepared.identity {
        let owner =
            (rustix::fs::Uid::from_raw(identity.uid), rustix::fs::Gid::from_raw(identity.gid));
        rustix::fs::fchown(&made, Some(owner.0), Some(owner.1))?;
    }
    // After the chown, which takes set-id bits away; and mkdir's mode was cut by our umask.
    rustix::fs::fchmod(&made, Mode::from_raw_mode(directory.mode.into()))
}

fn make_one(path: &std::ffi::CStr, mode: Mode) -> Result<(), Errno> {
    match rustix::fs::mkdir(path, mode) {
        // Read-only file systems and unwritable parents say so even if it exists.
        Err(Errno::EXIST) => Ok(()),
        Err(errno @ (Errno::ROFS | Errno::ACCESS)) => {
            let stat = rustix::fs::statat(rustix::fs::CWD, path, AtFlags::empty());
            stat.map(drop).map_err(|_| errno)
        }
        made => made,
    }
}

impl Setting<Rlimit> {
    /// A default that is above what this tree may have is cut to that.
    fn or_as_allowed(&self, errno: Errno, of: rustix::process::Resource) -> Result<(), Errno> {
        if self.asked || errno != Errno::PERM {
            return Err(errno);
        }
        let allowed = rustix::process::getrlimit(of).maximum;
        let current = match (self.value.current, allowed) {
            (Some(wanted), Some(allowed)) => Some(wanted.min(allowed)),
            (wanted, None) => wanted,
            (None, allowed) => allowed,
        };
        rustix::process::setrlimit(of, Rlimit { current, maximum: allowed })
    }
}

impl<T> Setting<T> {
    /// A default that may not be set is left as it is.
    fn unless_default(&self, result: Result<(), Errno>) -> Result<(), Errno> {
        if self.asked { result } else { Ok(()) }
    }
}

fn priority(prepared: &Prepared) -> Result<(), Errno> {
    let nice = rustix::process::setpriority_process(None, prepared.nice.value);
    prepared.nice.unless_default(nice)?;
    let adjusted = adjust_oom_score(&prepared.oom_score_adj);
    prepared.oom_score_adj.unless_default(adjusted)
}

fn adjust_oom_score(score: &Setting<std::ffi::CString>) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(c"/proc/self/oom_score_adj", flags, Mode::empty())?;
    raw::retry(|| rustix::io::write(&file, score.value.to_bytes())).map(drop)
}

/// Tries each candidate; tells what execvp(3) would.
fn exec(prepared: &Prepared) -> Errno {
    let mut worst = Errno::NOENT;
    for program in &prepared.programs {
        // SAFETY: by the invariant of `Strings` both arrays end with a null pointer and hold
        // pointers to NUL-terminated strings, and `prepared` outlives the call.
        let errno =
            unsafe { raw::execve(program, prepared.argv.as_ptr(), prepared.environment.as_ptr()) };
        match errno {
            Errno::NOENT | Errno::NOTDIR => {}
            // It exists and may not be executed; another of the same name may.
            Errno::ACCESS => worst = errno,
            other => return other,
        }
    }
    worst
}
