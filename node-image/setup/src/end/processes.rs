//! Processes that are to end: found by what they were started as, and waited for by descriptor.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process, whoever gets its number after it.
pub fn handle(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Every process whose arguments pass `wanted`: its number, and itself.
pub fn find(wanted: impl Fn(&[&[u8]]) -> bool) -> Vec<(u32, OwnedFd)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_wanted = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        wanted(&arguments)
    };
    let open = |pid: u32| {
        let handle = handle(pid)?;
        // Looked at again: the number may have changed hands before it was held.
        is_wanted(pid).then_some((pid, handle))
    };
    pids.filter(|pid| is_wanted(*pid)).filter_map(open).collect()
}

/// A signal to each that still runs.
pub fn signal(handles: &[OwnedFd], signal: Signal) {
    for handle in handles {
        // One that has ended is what is wanted; nobody else may refuse root.
        let _ = pidfd_send_signal(handle, signal);
    }
}

/// Waits until all have ended, or it is `until`; says how many have not.
pub fn wait_all(handles: &[OwnedFd], until: Instant) -> io::Result<usize> {
    let mut left: Vec<&OwnedFd> = handles.iter().collect();
    loop {
        let mut fds: Vec<PollFd<'_>> =
            left.iter().map(|fd| PollFd::new(*fd, PollFlags::IN)).collect();
        let time = until.saturating_duration_since(Instant::now());
        wait(&mut fds, until)?;
        let ended: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ended = ended.into_iter();
        left.retain(|_| !ended.next().unwrap_or(false));
        if left.is_empty() || time.is_zero() {
            return Ok(left.len());
        }
    }
}

/// poll(2) until something happens, or it is `until`.
pub fn wait(fds: &mut [PollFd<'_>], until: Instant) -> io::Result<()> {
    let time = until.saturating_duration_since(Instant::now());
    let time = Timespec::try_from(time).map_err(io::Error::other)?;
    match poll(fds, Some(&time)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
