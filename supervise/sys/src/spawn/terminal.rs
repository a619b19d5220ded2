//! Taking a terminal as the controlling one.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr,
};

use super::prepare::Terminal;
use crate::Errno;
use crate::raw;

/// From <asm-generic/ioctls.h>; the C libraries differ in the type.
const TIOCSCTTY: u32 = 0x540e;
const TIOCVHANGUP: u32 = 0x5437;
/// From <linux/kd.h>.
const KDSETMODE: u32 = 0x4b3a;
const KD_TEXT: u32 = 0;

/// Opens the terminal and makes it the controlling one of this session, which has none yet.
pub(super) fn take(spec: &Terminal) -> Result<ManuallyDrop<OwnedFd>, Errno> {
    if spec.reset {
        // Whoever still has it open from an earlier session loses it, this descriptor included.
        let old = open(spec)?;
        match raw::ioctl_number(old.as_fd(), TIOCVHANGUP, 0) {
            // Only root may; consoles that are no terminals (/dev/console on nothing) cannot.
            Ok(()) | Err(Errno::NOTTY | Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    let terminal = open(spec)?;
    // 1: take it away from a session that has it, which only root may.
    raw::ioctl_number(terminal.as_fd(), TIOCSCTTY, 1)?;
    if spec.reset {
        sane(&terminal)?;
    }
    // It was opened without waiting for a modem's carrier, but is to be read with waiting.
    let flags = rustix::fs::fcntl_getfl(&*terminal)?;
    rustix::fs::fcntl_setfl(&*terminal, flags.difference(OFlags::NONBLOCK))?;
    Ok(terminal)
}

/// Makes standard input, if it is a terminal that is nobody's, the controlling one of this session.
pub(super) fn adopt() {
    // Any other descriptor, and somebody else's terminal, is good enough to read from.
    let _ = raw::ioctl_number(rustix::stdio::stdin(), TIOCSCTTY, 0);
}

fn open(spec: &Terminal) -> Result<ManuallyDrop<OwnedFd>, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    raw::retry(|| rustix::fs::open(spec.path.as_c_str(), flags, Mode::empty()))
        .map(ManuallyDrop::new)
}

/// What `stty sane` makes of it, and text mode where it is a virtual console.
fn sane(terminal: &OwnedFd) -> Result<(), Errno> {
    // Only virtual consoles have this; a program that died may have left one in graphics mode.
    let _ = raw::ioctl_number(terminal.as_fd(), KDSETMODE, KD_TEXT);
    let mut modes = tcgetattr(terminal)?;
    modes.input_modes =
        InputModes::ICRNL | InputModes::IXON | InputModes::BRKINT | InputModes::IUTF8;
    modes.output_modes = OutputModes::OPOST | OutputModes::ONLCR;
    modes.local_modes = LocalModes::ISIG
        | LocalModes::ICANON
        | LocalModes::IEXTEN
        | LocalModes::ECHO
        | LocalModes::ECHOE
        | LocalModes::ECHOK
        | LocalModes::ECHOCTL
        | LocalModes::ECHOKE;
    modes.control_modes |= ControlModes::CREAD | ControlModes::HUPCL;
    tcsetattr(terminal, OptionalActions::Now, &modes)
}
