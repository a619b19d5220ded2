//! Signals, as something to be read.

use core::ffi::c_int;
use core::mem::MaybeUninit;

use super::{Errno, Fd, check};

/// A set of signals.
#[derive(Clone, Copy)]
pub struct Signals(libc::sigset_t);

impl Signals {
    /// These.
    pub fn new(signals: impl Iterator<Item = c_int>) -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset writes the whole set; sigaddset changes it, or refuses a number
        // that is none.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            Self(set.assume_init())
        }
    }

    /// Blocks exactly these.
    pub fn block(&self) {
        // SAFETY: the set is whole; the old one is not wanted.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.0, core::ptr::null_mut()) };
    }

    /// A descriptor that these can be read from while they are blocked.
    pub fn open(&self) -> Result<Fd, Errno> {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: -1 asks for a new descriptor; the set is whole.
        let number = check(unsafe { libc::signalfd(-1, &raw const self.0, flags) })?;
        Ok(Fd::take(number))
    }
}

/// The next signal that came.
pub fn next_signal(from: &Fd) -> Option<c_int> {
    let mut record = [0; size_of::<libc::signalfd_siginfo>()];
    let length = from.read(&mut record).ok()?;
    let number = record.get(..length)?.first_chunk::<4>()?;
    i32::try_from(u32::from_ne_bytes(*number)).ok()
}

/// Has no controlling terminal any more, so that the main service, in a session of its own, may
/// take it. Whoever leads the terminal's session is sent two signals for that, which mean nothing
/// here: what is ignored for a moment is forgotten even if it waits.
pub fn leave_terminal() {
    // SAFETY: it touches no memory. Whoever has no terminal, or does not lead its session, is
    // refused or changes only itself.
    if unsafe { libc::ioctl(0, libc::TIOCNOTTY) } != 0 {
        return;
    }
    for signal in [libc::SIGHUP, libc::SIGCONT] {
        // SAFETY: both dispositions are values for any signal, and no handler is lost.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}
