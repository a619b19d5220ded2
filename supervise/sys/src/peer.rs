//! Who is at the other end of a connection.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd};

use crate::Errno;
use crate::message::Sender;
use crate::raw;

/// A client, as it was when it connected; the kernel vouches for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Process, user and primary group.
    pub id: Sender,
    /// Supplementary groups; empty before Linux 4.13, which does not tell.
    pub groups: Vec<u32>,
}

impl Peer {
    /// Of a connected unix socket.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn of(socket: &impl AsFd) -> Result<Self, Errno> {
        let mut id = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
        option(socket, libc::SO_PEERCRED, std::slice::from_mut(&mut id))?;
        Ok(Self { id: Sender::from(id), groups: groups(socket)? })
    }

    /// It is in this group.
    #[must_use]
    pub fn is_member(&self, gid: u32) -> bool {
        self.id.gid == gid || self.groups.contains(&gid)
    }
}

fn groups(socket: &impl AsFd) -> Result<Vec<u32>, Errno> {
    // More than almost anyone has; the kernel says how many there are if this is too few.
    let mut groups = vec![u32::MAX; 64];
    loop {
        match option(socket, libc::SO_PEERGROUPS, &mut groups) {
            Ok(count) => {
                groups.truncate(count);
                return Ok(groups);
            }
            Err(Errno::NOPROTOOPT) => return Ok(Vec::new()),
            // The most that a process can have is 65536.
            Err(Errno::RANGE) if groups.len() <= 1 << 16 => {
                groups.resize(groups.len().saturating_mul(2), u32::MAX);
            }
            Err(errno) => return Err(errno),
        }
    }
}

/// A type of which any bytes are a value.
///
/// # Safety
/// That must be so.
unsafe trait AnyBytes {}
// SAFETY: three integers.
unsafe impl AnyBytes for libc::ucred {}
// SAFETY: an integer.
unsafe impl AnyBytes for u32 {}

/// Reads an option into `values`, and says how many it has.
fn option<T: AnyBytes>(socket: &impl AsFd, name: c_int, values: &mut [T]) -> Result<usize, Errno> {
    let size = size_of::<T>();
    let mut length = libc::socklen_t::try_from(size_of_val(values)).unwrap_or(0);
    let arguments = [
        socket.as_fd().as_raw_fd().into(),
        libc::SOL_SOCKET.into(),
        name.into(),
        values.as_mut_ptr().into(),
        (&raw mut length).into(),
    ];
    // SAFETY: the kernel writes at most `length` bytes to `values`, which has that many and is
    // exclusively ours, of a type that may hold any bytes; `length` outlives the call.
    unsafe { raw::syscall(libc::SYS_getsockopt, arguments) }?;
    Ok(usize::try_from(length).unwrap_or(0).checked_div(size).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_peer_is_who_connected() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.id.pid, std::process::id());
        assert_eq!(peer.id.uid, rustix::process::geteuid().as_raw());
        let mut expected: Vec<_> =
            rustix::process::getgroups().unwrap().iter().map(|gid| gid.as_raw()).collect();
        expected.sort_unstable();
        let mut groups = peer.groups.clone();
        groups.sort_unstable();
        assert_eq!(groups, expected);
        assert!(peer.is_member(rustix::process::getegid().as_raw()) && !peer.is_member(4242));
    }
}
