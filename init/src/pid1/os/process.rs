//! Processes: making them, signalling them, reaping them.

use core::ffi::c_int;
use core::mem;

use init::ring::Exit;

use super::{Errno, check};

/// All children, whatever signal they were to announce their end with.
const ANY_KIND: c_int = libc::__WALL;

/// Our process id.
pub fn own_pid() -> u32 {
    // SAFETY: it has no obligations.
    u32::try_from(unsafe { libc::getpid() }).unwrap_or(0)
}

/// What `fork` returns.
pub enum Fork {
    /// In the child.
    Child,
    /// In the parent: the child's process id.
    Parent(u32),
}

/// A copy of this process.
pub fn fork() -> Result<Fork, Errno> {
    // SAFETY: there is one thread, so the child may go on as the parent could.
    match check(unsafe { libc::fork() })? {
        0 => {
            crate::fatal::is_child();
            Ok(Fork::Child)
        }
        pid => Ok(Fork::Parent(u32::try_from(pid).unwrap_or(0))),
    }
}

/// Ends this process, without anything that runs at the end of a C program.
pub fn exit(status: u8) -> ! {
    // SAFETY: it has no obligations.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// Signals a process, or with `None` every one that we may signal but ourselves and PID 1.
pub fn kill(pid: Option<u32>, signal: c_int) {
    let Ok(pid) = pid.map_or(Ok(-1), i32::try_from) else { return };
    // SAFETY: it has no obligations. 0 would be our own process group: no caller has that.
    unsafe { libc::kill(pid, signal) };
}

/// A child that has ended and is not buried yet.
pub enum Dead {
    /// This one; [`bury`] it.
    Found(Exit),
    /// There are children; they live.
    NoneYet,
    /// There are no children.
    NoChildren,
}

/// Looks at a dead child without reaping it, so that its exit can be noted first: whatever
/// happens to us in between, it is found again.
pub fn dead_child() -> Dead {
    // SAFETY: both are plain data, for which zero is a value.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | ANY_KIND;
    // The system call itself: the C library's function has no place for the usage.
    // SAFETY: the kernel writes a siginfo_t and a rusage, and both are there to be written.
    let result = unsafe {
        libc::syscall(libc::SYS_waitid, libc::P_ALL, 0, &raw mut info, options, &raw mut usage)
    };
    if result != 0 {
        return Dead::NoChildren;
    }
    // SAFETY: waitid fills in these fields; when no child has ended, they are zero as above.
    let (pid, code, value) = unsafe { (info.si_pid(), info.si_code, info.si_status()) };
    let Some(pid) = u32::try_from(pid).ok().filter(|pid| *pid != 0) else { return Dead::NoneYet };
    Dead::Found(Exit {
        pid,
        status: wait_status(code, value),
        cpu_us: micros(usage.ru_utime).saturating_add(micros(usage.ru_stime)),
        maxrss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}

/// Reaps a child that has ended.
pub fn bury(pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    // SAFETY: the status may be null: it is not wanted.
    unsafe { libc::waitpid(pid, core::ptr::null_mut(), libc::WNOHANG | ANY_KIND) };
}

/// The status word that wait(2) would have returned.
fn wait_status(code: c_int, value: c_int) -> i32 {
    match code {
        libc::CLD_EXITED => (value & 0xff) << 8,
        libc::CLD_DUMPED => (value & 0x7f) | 0x80,
        _ => value & 0x7f,
    }
}

fn micros(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_usec).unwrap_or(0))
}
