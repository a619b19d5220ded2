//! Processes that somebody else started: who they are, and signals that reach no one else.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::Errno;
use crate::raw;

/// pidfd_send_signal(2) has none that we want.
const NO_FLAGS: u32 = 0;

/// What /proc/PID/stat says that we want to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// `R`, `S`, `D`, `Z` …: see proc(5).
    pub state: u8,
    /// Its parent.
    pub parent: u32,
    /// Its session: the process id of the one that called setsid.
    pub session: u32,
    /// Start time in clock ticks since boot: with the process id it names a process for ever.
    pub start_ticks: u64,
}

impl Stat {
    /// Of a process that is alive or a zombie.
    ///
    /// # Errors
    /// ESRCH or ENOENT, if there is none; what /proc says otherwise.
    pub fn of(pid: u32) -> Result<Self, Errno> {
        // Longer than the kernel makes it: 16 bytes of name and 50 numbers.
        let mut buffer = [0; 1536];
        Self::parse(read(&format!("/proc/{pid}/stat"), &mut buffer)?).ok_or(Errno::PROTO)
    }

    /// From the text of /proc/PID/stat. The name in it may hold anything, blanks, parentheses and
    /// line ends too: only its last parenthesis is the closing one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(text.get(end.checked_add(1)?..)?).ok()?;
        // The first of these is field 3.
        let mut fields = rest.split_ascii_whitespace();
        Some(Self {
            state: *fields.next()?.as_bytes().first()?,
            parent: fields.next()?.parse().ok()?,
            session: fields.nth(1)?.parse().ok()?,
            start_ticks: fields.nth(15)?.parse().ok()?,
        })
    }

    /// It has ended, and its parent has not yet looked.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// The path of a process's cgroup in the v2 hierarchy, as seen from our cgroup namespace.
///
/// # Errors
/// ESRCH or ENOENT, if there is no such process; ENODATA if there is no v2 hierarchy.
pub fn cgroup_of(pid: u32) -> Result<String, Errno> {
    let mut buffer = [0; 8192];
    let text = read(&format!("/proc/{pid}/cgroup"), &mut buffer)?;
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"));
    let path = String::from_utf8_lossy(line.ok_or(Errno::NODATA)?).into_owned();
    // So it is shown once the cgroup has been removed under a zombie.
    Ok(path.strip_suffix(" (deleted)").map(ToOwned::to_owned).unwrap_or(path))
}

/// The processes of a session: what a service is without cgroups. One that calls setsid escapes.
///
/// # Errors
/// What reading /proc gave.
pub fn session_members(session: u32) -> Result<Vec<u32>, Errno> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = rustix::fs::open(c"/proc", directory, Mode::empty())?;
    let mut members = Vec::new();
    for entry in rustix::fs::Dir::new(proc)? {
        let entry = entry?;
        let pid = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
        let Some(pid) = pid else { continue };
        // Those that ended meanwhile are no members.
        if Stat::of(pid).is_ok_and(|stat| stat.session == session && !stat.is_zombie()) {
            members.push(pid);
        }
    }
    Ok(members)
}

/// Sends a signal to every process of a group.
///
/// # Errors
/// ESRCH, if there is no such group; EINVAL, if there is no such signal.
pub fn signal_group(leader: u32, signal: u8) -> Result<(), Errno> {
    // 1 would be everyone.
    let leader = i32::try_from(leader).ok().filter(|leader| *leader > 1);
    let leader = leader.and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let arguments = [leader.as_raw_pid().saturating_neg().into(), u32::from(signal).into()];
    // SAFETY: kill takes two numbers. Less than -1: the group of this leader.
    unsafe { raw::syscall(libc::SYS_kill, arguments) }.map(drop)
}

/// A process that stays the same one, whoever gets its number after it.
#[derive(Debug)]
pub struct Handle {
    pid: Pid,
    /// None where the kernel has no pidfds (before 5.3; qemu-user).
    fd: Option<OwnedFd>,
}

impl Handle {
    /// The process of this number, whichever it is.
    ///
    /// # Errors
    /// ESRCH, if there is none.
    pub fn open(pid: u32) -> Result<Self, Errno> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Err(Errno::NOSYS | Errno::PERM) => None,
            opened => Some(opened?),
        };
        Ok(Self { pid, fd })
    }

    /// The process of this number that started at this time.
    ///
    /// # Errors
    /// ESRCH, if that one is gone, though another may have its number.
    pub fn started_at(pid: u32, start_ticks: u64) -> Result<Self, Errno> {
        // In this order: if the process that has the number now is the right one, it had it when
        // the handle was opened, too.
        let handle = Self::open(pid)?;
        match Stat::of(pid) {
            Ok(stat) if stat.start_ticks == start_ticks => Ok(handle),
            Ok(_) | Err(Errno::NOENT | Errno::SRCH) => Err(Errno::SRCH),
            Err(errno) => Err(errno),
        }
    }

    /// Sends a signal, by the kernel's number; 0 only asks whether it could be sent.
    ///
    /// # Errors
    /// ESRCH, if it is gone; EPERM; EINVAL for a number that is no signal.
    pub fn send(&self, signal: u8) -> Result<(), Errno> {
        let Some(fd) = &self.fd else { return kill(self.pid, signal) };
        let no_info = std::ptr::null::<libc::siginfo_t>();
        let arguments =
            [fd.as_raw_fd().into(), u32::from(signal).into(), no_info.into(), NO_FLAGS.into()];
        // SAFETY: a null siginfo asks the kernel to make what kill(2) makes; the other arguments
        // are numbers, the first of an open descriptor.
        match unsafe { raw::syscall(libc::SYS_pidfd_send_signal, arguments) } {
            // Kernels before 5.1, and containers' filters; who may not, may not this way either.
            Err(Errno::NOSYS | Errno::PERM) => kill(self.pid, signal),
            sent => sent.map(drop),
        }
    }
}

/// Without pidfds: between the look and the signal, the number may change hands.
fn kill(pid: Pid, signal: u8) -> Result<(), Errno> {
    let arguments = [pid.as_raw_pid().into(), u32::from(signal).into()];
    // SAFETY: kill takes two numbers. The first is above zero: one process, not a group.
    unsafe { raw::syscall(libc::SYS_kill, arguments) }.map(drop)
}

/// The beginning of a file of /proc, in one read: such a file is made anew by each.
fn read<'a>(path: &str, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = raw::retry(|| rustix::fs::open(path, flags, Mode::empty()))?;
    let length = raw::retry(|| rustix::io::read(&file, &mut *buffer))?;
    buffer.get(..length).ok_or(Errno::OVERFLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_parentheses_are_read() {
        for name in ["sh", "a b", "a) R 1 1", "((", "x\n) S"] {
            let rest =
                "S 11 22 33 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 9876543 1 2 18446744073709551615";
            let stat = Stat::parse(format!("77 ({name}) {rest}").as_bytes()).unwrap();
            let expected = Stat { state: b'S', parent: 11, session: 33, start_ticks: 9_876_543 };
            assert_eq!(stat, expected, "{name:?}");
        }
        assert_eq!(Stat::parse(b"77 (sh"), None);
        assert_eq!(Stat::parse(b"77 (sh) S 1 2"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let stat = Stat::of(std::process::id()).unwrap();
        assert_eq!(stat.parent, std::os::unix::process::parent_id());
        assert!(stat.start_ticks > 0 && !stat.is_zombie());
        assert!(Handle::started_at(std::process::id(), stat.start_ticks).unwrap().send(0).is_ok());
    }

    #[test]
    fn another_process_of_the_same_number_is_not_reached() {
        let start = Stat::of(std::process::id()).unwrap().start_ticks;
        assert_eq!(Handle::started_at(std::process::id(), start + 1).unwrap_err(), Errno::SRCH);
    }

    #[test]
    fn a_process_that_ended_is_not_reached() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let handle = Handle::open(child.id()).unwrap();
        child.wait().unwrap();
        assert_eq!(handle.send(15), Err(Errno::SRCH));
        assert_eq!(Handle::open(child.id()).unwrap_err(), Errno::SRCH);
    }
}
