//! What the kernel says of devices: the netlink socket of uevents.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// The group that the kernel itself speaks to.
const KERNEL: u32 = 1;
/// The longest message is two kilobytes of variables and a path.
pub(crate) const MESSAGE_MAX: usize = 8192;

/// A socket on which the kernel's messages come, from now on.
///
/// # Errors
/// As the system says.
pub(crate) fn open() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
    let socket = socket_with(family, kind, flags, Some(KOBJECT_UEVENT))?;
    bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
    Ok(socket)
}

/// Sleeps until something has come or gone, for so long at most; what it was is for the caller to
/// look up.
///
/// # Errors
/// As the system says.
pub(crate) fn wait(socket: &OwnedFd, patience: Duration) -> io::Result<()> {
    let timeout = timespec(patience);
    match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut buffer = [0; MESSAGE_MAX];
    loop {
        match recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Ok(_) => {}
            // More than we could be told: it is looked up all the same.
            Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}
