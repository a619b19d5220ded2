//! The child, from clone to exec: every step that a definition may ask for, in order.
//!
//! It has one thread and no future, and perhaps its parent's memory: so it must not allocate,
//! lock, panic, touch anything but its task, or run a destructor that does. It makes system calls,
//! tells the first one that fails, and ends. What it opens it leaves open: exec closes it.

use std::convert::Infallible;
use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::with_exposed_provenance_mut;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::process::Rlimit;
use unit::{SpawnError, Step};

use super::clone::Sharing;
use super::prepare::{Condition, Directory, Limit, Open, Prepared, Setting};
use super::{credentials, environment, mounts, report, signals, terminal};
use crate::Errno;
use crate::raw;

/// The exit status of a child that could not execute its program, as shells have it.
const FAILED: u8 = 127;

/// The first descriptor that is not a standard one.
const FIRST_FREE: RawFd = 3;

/// What a child has to do, and what it has of its parent.
#[derive(Debug)]
pub(super) struct Task {
    prepared: Prepared,
    /// Where it tells what it could not do.
    line: RawFd,
    /// The cgroup that it must enter by itself.
    join: Option<RawFd>,
    /// The signals whose disposition is not the default.
    signals: signals::Set,
    /// Whether its parent has this same memory.
    pub(super) sharing: Sharing,
}

impl Task {
    /// For a child by clone3, which begins in its cgroup and without handlers.
    pub(super) fn new(
        prepared: Prepared,
        line: RawFd,
        ignored: signals::Set,
        sharing: Sharing,
    ) -> Self {
        Self { prepared, line, join: None, signals: ignored, sharing }
    }

    /// Without clone3 the child does both by itself.
    pub(super) fn without_clone3(&mut self, cgroup: Option<BorrowedFd<'_>>) {
        self.join = cgroup.map(|directory| directory.as_raw_fd());
        self.signals = signals::Set::ALL;
    }
}

/// Where a child begins.
///
/// # Safety
/// `task` must be the exposed address of a [`Task`] that nobody else touches until this process
/// has executed its program or ended.
pub(super) unsafe extern "C" fn entry(task: usize) -> ! {
    // SAFETY: this function's contract.
    let task = unsafe { &mut *with_exposed_provenance_mut::<Task>(task) };
    // SAFETY: the parent made this descriptor for us and keeps it open until the clone is done,
    // after which this process has it in a table of its own, and does not close it.
    let line = unsafe { BorrowedFd::borrow_raw(task.line) };
    let line = match out_of_the_way(line, &task.prepared) {
        Ok(line) => line,
        // Without a line there is nobody to tell; the parent sees end-of-file and then an exit.
        Err(_) => raw::exit_now(FAILED),
    };
    // SAFETY: whoever called clone borrowed this descriptor for longer than the clone; from then
    // on it is in a table of our own, where nothing closes it.
    let join = task.join.map(|directory| unsafe { BorrowedFd::borrow_raw(directory) });
    let Err(end) = execute(task, join);
    report::tell(line.as_fd(), end);
    raw::exit_now(FAILED)
}

/// Why no program is executed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// The condition of this index does not hold.
    Unmet(u8),
    /// A step could not be done.
    Failed(SpawnError),
}

impl From<SpawnError> for End {
    fn from(error: SpawnError) -> Self {
        Self::Failed(error)
    }
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

/// Moves the line to where no descriptor that the program is to have will be put.
fn out_of_the_way(
    line: BorrowedFd<'_>,
    prepared: &Prepared,
) -> Result<ManuallyDrop<OwnedFd>, Errno> {
    let ready = prepared.ready.as_ref().and_then(|(fd, _)| RawFd::try_from(*fd).ok());
    if line.as_raw_fd() >= FIRST_FREE && Some(line.as_raw_fd()) != ready {
        // SAFETY: it is never closed here, only borrowed from.
        return Ok(ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(line.as_raw_fd()) }));
    }
    let first = ready.map_or(FIRST_FREE, |fd| fd.saturating_add(1).max(FIRST_FREE));
    let moved = rustix::io::fcntl_dupfd_cloexec(line, first)
        // Where the ready descriptor is the highest that there can be, below it is as good.
        .or_else(|_| rustix::io::fcntl_dupfd_cloexec(line, FIRST_FREE))?;
    Ok(ManuallyDrop::new(moved))
}

fn execute(task: &mut Task, join: Option<BorrowedFd<'_>>) -> Result<Infallible, End> {
    // First of all, so that it can be stopped by a signal while it waits for a disk.
    signals::reset(task.signals);
    signals::restore(signals::Set::NONE);
    rustix::process::setsid().at(Step::Clone)?;
    if let Some(cgroup) = join {
        enter(cgroup).at(Step::Cgroup)?;
    }
    raw::close_on_exec_from(FIRST_FREE.unsigned_abs()).at(Step::Log)?;
    if let Some(unmet) = task.prepared.paths.iter().find(|condition| !holds(condition)) {
        return Err(End::Unmet(unmet.index));
    }
    let prepared = &mut task.prepared;
    standard(prepared)?;
    ready(prepared).at(Step::Notify)?;
    // Files of variables may be secret, so they are read before privileges are given up, and are
    // the host's, so they are read before the service's own mounts are made.
    environment::define(prepared).at(Step::Environment)?;
    let Task { prepared, .. } = &*task;
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
    priority(task).at(Step::Priority)?;
    if let Some(umask) = prepared.umask {
        rustix::process::umask(Mode::from_raw_mode(umask.into()));
    }
    credentials::limit(prepared.capabilities).at(Step::Capabilities)?;
    credentials::become_user(prepared).at(Step::User)?;
    credentials::keep(prepared).at(Step::Capabilities)?;
    rustix::process::chdir(prepared.cwd.as_c_str()).at(Step::Cwd)?;
    Ok(Err(exec(prepared)).at(Step::Exec)?)
}

/// Whatever keeps a path from being looked at, it does not exist for this service.
fn holds(condition: &Condition) -> bool {
    let looked = rustix::fs::statat(rustix::fs::CWD, &*condition.path, AtFlags::empty());
    looked.is_ok() != condition.negated
}

/// Opens a file, and leaves it open.
fn open(path: &CStr, flags: OFlags) -> Result<ManuallyDrop<OwnedFd>, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    raw::retry(|| rustix::fs::open(path, flags, Mode::empty())).map(ManuallyDrop::new)
}

/// Enters `cgroup`, where clone3 could not make it begin there.
fn enter(cgroup: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let procs = rustix::fs::openat(cgroup, c"cgroup.procs", flags, Mode::empty())?;
    let procs = ManuallyDrop::new(procs);
    // "0" is the writer itself, in whichever pid namespace.
    raw::retry(|| rustix::io::write(&*procs, b"0")).map(drop)
}

/// Descriptors 0, 1 and 2. A parent that has closed its own may have opened others of these
/// numbers; nothing is lost, for whatever is needed here was moved out of the way.
fn standard(prepared: &Prepared) -> Result<(), SpawnError> {
    if let Some(spec) = &prepared.terminal {
        let terminal = terminal::take(spec).at(Step::Tty)?;
        return (0..FIRST_FREE).try_for_each(|fd| raw::place(terminal.as_fd(), fd)).at(Step::Tty);
    }
    let Prepared { stdin, output, .. } = prepared;
    let place = |open: &Option<Open>, numbers: &[RawFd]| {
        let Some(open) = open else { return Ok(()) };
        let opened = self::open(&open.path, open.flags)?;
        numbers.iter().try_for_each(|number| raw::place(opened.as_fd(), *number))
    };
    if stdin.is_none() {
        terminal::adopt();
    }
    place(stdin, &[0]).and_then(|()| place(output, &[1, 2])).at(Step::Log)
}

/// The descriptor for readiness by newline.
fn ready(prepared: &Prepared) -> Result<(), Errno> {
    let Some((number, path)) = &prepared.ready else { return Ok(()) };
    let number = RawFd::try_from(*number).map_err(|_| Errno::BADF)?;
    let fifo = open(path, OFlags::RDWR | OFlags::NOCTTY)?;
    raw::place(fifo.as_fd(), number)
}

/// Makes a directory of the service's own, and gives it to the service's user.
fn make(directory: &Directory, prepared: &Prepared) -> Result<(), Errno> {
    for ancestor in &directory.ancestors {
        make_one(ancestor, Mode::from_raw_mode(0o755))?;
    }
    make_one(&directory.path, Mode::from_raw_mode(directory.mode.into()))?;
    // By descriptor and without following a link in the last place: the user who owned the
    // directory's parent yesterday must not have us give away something else today.
    let made = open(&directory.path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY)?;
    if let Some(identity) = &prepared.identity {
        let (uid, gid) = (Uid::from_raw(identity.uid), Gid::from_raw(identity.gid));
        rustix::fs::fchown(&*made, Some(uid), Some(gid))?;
    }
    // After the chown, which takes set-id bits away; and mkdir's mode was cut by our umask.
    rustix::fs::fchmod(&*made, Mode::from_raw_mode(directory.mode.into()))
}

fn make_one(path: &CStr, mode: Mode) -> Result<(), Errno> {
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

fn priority(task: &Task) -> Result<(), Errno> {
    let Prepared { nice, oom_score_adj, oom_score_text, .. } = &task.prepared;
    if let Some(nice) = nice {
        nice.unless_default(rustix::process::setpriority_process(None, nice.value))?;
    }
    match (task.sharing, oom_score_adj) {
        // It is what it should be, and writing it would change our parent's.
        (Sharing::Shared, _) | (_, None) => Ok(()),
        (Sharing::Copied, Some(score)) => score.unless_default(adjust_oom_score(oom_score_text)),
    }
}

fn adjust_oom_score(text: &CStr) -> Result<(), Errno> {
    let file = open(c"/proc/self/oom_score_adj", OFlags::WRONLY)?;
    raw::retry(|| rustix::io::write(&*file, text.to_bytes())).map(drop)
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
