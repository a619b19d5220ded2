//! One datagram or packet, with what travels beside it: descriptors and the sender's credentials.
//!
//! Not rustix, whose process ids cannot be zero: the kernel says zero of a sender in a pid
//! namespace that we do not see into. Not nix, which loses the descriptors that did arrive when
//! others did not.

use std::ffi::c_void;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::Errno;
use crate::raw;

/// The most descriptors that the kernel lets travel with one message (SCM_MAX_FD).
const DESCRIPTORS_MAX: usize = 253;
/// Room for all of them and the credentials, with a header each, in words of eight bytes.
const CONTROL_WORDS: usize = (DESCRIPTORS_MAX * 4 + 12 + 2 * 16 + 16) / 8 + 1;

/// What arrived.
#[derive(Debug, Default)]
pub struct Received {
    /// Bytes of the message that are in the buffer.
    pub length: usize,
    /// The message was longer than the buffer, and its rest is lost.
    pub truncated: bool,
    /// The sender, if the socket asks for credentials.
    pub sender: Option<Sender>,
    /// The descriptors that came along, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// A sender, as the kernel vouches for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sender {
    /// Process id, in our namespace; 0 if it has none there.
    pub pid: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Receives one message into `buffer`. A length of 0 without descriptors is an end-of-file on a
/// connected socket.
///
/// # Errors
/// EAGAIN, if the socket does not wait and there is none; what else recvmsg(2) says.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> Result<Received, Errno> {
    // Words, because control messages must be aligned.
    let mut control = [0_u64; CONTROL_WORDS];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a msghdr of zero bytes is one that names nothing: null pointers, lengths of zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast::<c_void>();
    header.msg_controllen = control_length(size_of_val(&control));
    let socket = socket.as_fd().as_raw_fd();
    let flags = libc::MSG_CMSG_CLOEXEC;
    let length = raw::retry(|| {
        // SAFETY: `header` names `part`, which names `buffer`, and `control`, each with its true
        // length; all three are exclusively ours and outlive the call.
        let length = unsafe { libc::recvmsg(socket, &raw mut header, flags) };
        usize::try_from(length).map_err(|_| last_errno())
    })?;
    let mut received = Received {
        length,
        truncated: header.msg_flags & libc::MSG_TRUNC != 0,
        ..Received::default()
    };
    // SAFETY: `header` is as the kernel left it, and `control`, which it names, is still there.
    unsafe { take_control(&header, &mut received) };
    Ok(received)
}

/// Takes over everything in the control messages, known or not expected.
///
/// # Safety
/// `header` must be one that recvmsg(2) has filled in, and its control buffer must be alive.
unsafe fn take_control(header: &libc::msghdr, received: &mut Received) {
    // SAFETY: by this function's contract; CMSG_FIRSTHDR looks at lengths and pointers only.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: a header that CMSG_FIRSTHDR or CMSG_NXTHDR returned is null or lies wholly within
    // the control buffer, which is aligned for it.
    while let Some(control) = unsafe { next.as_ref() } {
        // SAFETY: the data follows its header within the buffer.
        let data = unsafe { libc::CMSG_DATA(next) };
        // SAFETY: CMSG_LEN computes a number.
        let header_length = unsafe { libc::CMSG_LEN(0) };
        let length = cmsg_length(control)
            .saturating_sub(usize::try_from(header_length).unwrap_or(usize::MAX));
        if control.cmsg_level == libc::SOL_SOCKET && control.cmsg_type == libc::SCM_RIGHTS {
            let count = length.checked_div(size_of::<RawFd>()).unwrap_or(0);
            for index in 0..count {
                // SAFETY: `index` is below the number of descriptors that the kernel put there.
                let fd = unsafe { data.cast::<RawFd>().add(index).read_unaligned() };
                // SAFETY: the kernel made this descriptor for us with this message, nobody else
                // in the process knows it yet, and it is taken over here once.
                received.descriptors.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        if control.cmsg_level == libc::SOL_SOCKET
            && control.cmsg_type == libc::SCM_CREDENTIALS
            && length >= size_of::<libc::ucred>()
        {
            // SAFETY: there are enough bytes, and every bit pattern is a ucred.
            let ucred = unsafe { data.cast::<libc::ucred>().read_unaligned() };
            received.sender = Some(Sender::from(ucred));
        }
        // SAFETY: as for CMSG_FIRSTHDR; `next` is a header within the buffer.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
}

/// The calling thread's `errno`.
fn last_errno() -> Errno {
    let code = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(code.unwrap_or(libc::EIO))
}

/// In musl these two lengths are 32 bits wide, in the GNU library 64.
fn control_length<N: TryFrom<usize> + Default>(length: usize) -> N {
    length.try_into().unwrap_or_default()
}

/// See [`control_length`].
#[allow(clippy::useless_conversion, reason = "useless in one of the two")]
fn cmsg_length(control: &libc::cmsghdr) -> usize {
    usize::try_from(control.cmsg_len).unwrap_or(0)
}

impl From<libc::ucred> for Sender {
    fn from(ucred: libc::ucred) -> Self {
        Self { pid: u32::try_from(ucred.pid).unwrap_or(0), uid: ucred.uid, gid: ucred.gid }
    }
}

/// Sends one message, whole, and at most one descriptor with it. A reader that is gone is an
/// error and no signal.
///
/// # Errors
/// EPIPE, EAGAIN, and what else sendmsg(2) says.
pub fn send(
    socket: &impl AsFd,
    message: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.unwrap_or(socket.as_fd())];
    if descriptor.is_some() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(Errno::NOBUFS);
    }
    let parts = [IoSlice::new(message)];
    let sent = raw::retry(|| sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL))?;
    if sent == message.len() { Ok(()) } else { Err(Errno::MSGSIZE) }
}
