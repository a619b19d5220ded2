//! What init says to people. It never blocks for it: a log that nobody reads loses lines, not the
//! machine.

use core::ffi::{CStr, c_int};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use init::line::Line;
use wire::link::Role;

use crate::os::{self, Errno, Fd};

static LOG: AtomicI32 = AtomicI32::new(2);
/// The kernel's log takes a level in front of each line.
static IS_KERNEL_LOG: AtomicBool = AtomicBool::new(false);

/// A container's output is its command's: only what is wrong is said.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// From now on, says only what is not as it should be.
pub fn warnings_only() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// A line of ours, begun.
pub fn line(text: &str) -> Line {
    Line::new().text("init: ").text(text)
}

/// Says that something is as it should be.
pub fn info(line: Line) {
    if IS_QUIET.load(Ordering::Relaxed) {
        return;
    }
    write(b"<6>", line);
}

/// Says that something is not.
pub fn warning(line: Line) {
    write(b"<4>", line);
}

/// Says what could not be done, and why.
pub fn failure(what: &str, object: &[u8], reason: impl Into<Errno>) {
    let line = line("warning: cannot ").text(what).text(" ").text(object).text(": ");
    warning(with_reason(line, reason.into()));
}

/// Adds an error, by name if it is a common one.
pub fn with_reason(line: Line, reason: Errno) -> Line {
    let text = match reason {
        Errno(libc::ENOENT) => "no such file or directory",
        Errno(libc::ENODEV) => "no such device",
        Errno(libc::EPERM) => "operation not permitted",
        Errno(libc::EACCES) => "permission denied",
        Errno(libc::EBUSY) => "in use",
        Errno(libc::ENOMEM) => "out of memory",
        Errno(libc::EINVAL) => "invalid argument",
        Errno(libc::ENOEXEC) => "not a program",
        Errno(libc::EMFILE) => "too many open files",
        Errno(libc::EAGAIN) => "no resources for it now",
        Errno(libc::EIO) => "input/output error",
        Errno(libc::EROFS) => "read-only file system",
        other => {
            let number = u64::from(other.0.unsigned_abs());
            return line.text("error ").number(number);
        }
    };
    line.text(text)
}

/// From now on, speaks to this descriptor.
pub fn speak_to(number: i32, is_kernel_log: bool) {
    LOG.store(number, Ordering::Relaxed);
    IS_KERNEL_LOG.store(is_kernel_log, Ordering::Relaxed);
}

/// Opens the kernel's log for writing. By default the kernel takes five lines in five seconds
/// from each of us; what comes before the log runs is worth more.
pub fn open_kernel_log() -> Option<Fd> {
    let limit = c"/proc/sys/kernel/printk_devkmsg";
    if let Ok(file) = os::open(limit, libc::O_WRONLY) {
        let _ = file.write(b"on\n");
    }
    open(c"/dev/kmsg", libc::O_WRONLY)
}

/// Opens the console.
pub fn open_console() -> Option<Fd> {
    open(c"/dev/console", libc::O_WRONLY | libc::O_NOCTTY)
}

/// A descriptor of our own for what this one leads to. A pipe or a terminal is opened once more:
/// whether a write may block is a property of the opening, and the other users of theirs shall
/// have it as they like. For a file they must share theirs, or they overwrite each other.
pub fn open_own(number: i32) -> Option<Fd> {
    let shared = os::lend(number)?;
    let kind = shared.stat().ok()?.st_mode & libc::S_IFMT;
    let may_block = matches!(kind, libc::S_IFIFO | libc::S_IFCHR);
    let own = if may_block { open_again(number) } else { None };
    own.or_else(|| shared.duplicate())
}

fn open_again(number: i32) -> Option<Fd> {
    let number = u64::from(number.unsigned_abs());
    let mut path = Line::new().text("/proc/self/fd/").number(number);
    let path = CStr::from_bytes_with_nul(path.finish_with(0)).ok()?;
    open(path, libc::O_WRONLY | libc::O_NOCTTY)
}

/// Says everything from now on to the console, or wherever our standard error led at first: the
/// log is about to end. Returns the descriptor.
pub fn speak_to_the_last(role: Role, console: i32) -> i32 {
    let opened = if role == Role::Machine { open_console() } else { None };
    let number = opened.map_or(console, Fd::into_number);
    speak_to(if number > 0 { number } else { 2 }, false);
    number
}

/// Whether this descriptor is the kernel's log: the only one of ours that is a device like
/// `/dev/kmsg`.
pub fn is_kernel_log(number: i32) -> bool {
    let device = rustix::fs::stat(c"/dev/kmsg").map(|stat| stat.st_rdev);
    let ours = os::lend(number).and_then(|fd| fd.stat().ok());
    device.is_ok_and(|device| ours.is_some_and(|ours| ours.st_rdev == device))
}

fn open(path: &CStr, flags: c_int) -> Option<Fd> {
    let fd = os::open(path, flags | libc::O_NONBLOCK).ok()?;
    // 0 means none, and 1 and 2 would be overwritten: the standard ones are open by now.
    (fd.number() > 2).then_some(fd)
}

fn write(level: &[u8], mut line: Line) {
    let level = if IS_KERNEL_LOG.load(Ordering::Relaxed) { level } else { b"" };
    if let Some(log) = os::lend(LOG.load(Ordering::Relaxed)) {
        let _ = log.write_two(level, line.finish());
    }
}
