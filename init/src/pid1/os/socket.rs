//! The link's socket: messages of one size, with a descriptor.

#![cfg_attr(
    target_env = "gnu",
    expect(clippy::useless_conversion, reason = "musl has narrower lengths in socket messages")
)]

use core::ffi::{c_int, c_void};
use core::mem;

use wire::link::SIZE;

use super::{Errno, Fd, check, last_error};

/// Two ends.
pub fn pair() -> Result<(Fd, Fd), Errno> {
    let mut ends: [c_int; 2] = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two numbers.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    let [one, other] = ends;
    Ok((Fd::take(one), Fd::take(other)))
}

/// Room for the descriptors that come with a message. More than one is too many, but they must
/// all be seen to be closed.
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    fds: [c_int; FDS_MAX],
}

const FDS_MAX: usize = 4;
const FD_SIZE: usize = size_of::<c_int>();

/// One message from the link: its length, and the first descriptor that came along. One byte more
/// than a message fits, so that a longer one is told from one of the right length.
pub fn receive(link: &Fd, bytes: &mut [u8; SIZE + 1]) -> Result<(usize, Option<Fd>), Errno> {
    let mut part =
        libc::iovec { iov_base: bytes.as_mut_ptr().cast::<c_void>(), iov_len: bytes.len() };
    // SAFETY: plain data, for which zero is a value.
    let (mut control, mut message): (Control, libc::msghdr) = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast::<c_void>();
    message.msg_controllen = size_of::<Control>().try_into().unwrap_or(0);
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: `message` points to one part and one control buffer, both of the lengths it says,
    // both alive and ours to write.
    let length = unsafe { libc::recvmsg(link.number(), &raw mut message, flags) };
    let length = usize::try_from(length).map_err(|_| last_error())?;
    let is_rights = usize::try_from(message.msg_controllen).unwrap_or(0)
        >= size_of::<libc::cmsghdr>()
        && control.header.cmsg_level == libc::SOL_SOCKET
        && control.header.cmsg_type == libc::SCM_RIGHTS;
    let taken = usize::try_from(control.header.cmsg_len).unwrap_or(0);
    let count = if is_rights {
        taken.saturating_sub(size_of::<libc::cmsghdr>()).div_euclid(FD_SIZE)
    } else {
        0
    };
    // The kernel has just made these for us. Those that found no room it has closed (MSG_CTRUNC).
    let mut fds = control.fds.into_iter().take(count).map(Fd::take);
    let first = fds.next();
    fds.for_each(drop);
    Ok((length, first))
}

/// Sends one message, with a descriptor if there is one. Never blocks: EAGAIN.
pub fn send(link: &Fd, bytes: &[u8; SIZE], fd: Option<&Fd>) -> Result<(), Errno> {
    let mut part =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(), iov_len: bytes.len() };
    // SAFETY: plain data, for which zero is a value.
    let (mut control, mut message): (Control, libc::msghdr) = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if let Some(fd) = fd {
        let length = size_of::<libc::cmsghdr>().saturating_add(size_of::<c_int>());
        control.header.cmsg_level = libc::SOL_SOCKET;
        control.header.cmsg_type = libc::SCM_RIGHTS;
        control.header.cmsg_len = length.try_into().unwrap_or(0);
        control.fds = [fd.number(); FDS_MAX];
        message.msg_control = (&raw mut control).cast::<c_void>();
        message.msg_controllen = length.try_into().unwrap_or(0);
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: as in `receive`; the kernel only reads what `message` points to.
    let length = unsafe { libc::sendmsg(link.number(), &raw const message, flags) };
    if length < 0 { Err(last_error()) } else { Ok(()) }
}
