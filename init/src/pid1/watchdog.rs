//! The hardware watchdog's device. Only here is it opened, given time, and stopped; when is
//! decided by `init::watchdog`, and in the final phase by the steps that it takes.
//!
//! Its descriptor outlives the program's image: between two images, too, the machine is guarded.

use init::{Instant, State};
use wire::link::{Name, Request};

use crate::os::{self, Errno, Fd};
use crate::say;

/// Does what `supervise` asks for. What cannot be done is said, once; nothing else depends on it.
pub fn obey(state: &mut State, device: &Name, timeout_ms: u32) {
    if timeout_ms == 0 {
        return disarm(state);
    }
    if state.watchdog.is_as_asked(device, timeout_ms) {
        return;
    }
    if !state.watchdog.is_device(device) {
        disarm(state);
        if state.watchdog.is_armed() {
            return;
        }
    }
    state.watchdog.ask(device, timeout_ms);
    match arm(state, u64::from(timeout_ms)) {
        Ok(timeout_ms) => {
            state.watchdog.armed(os::now(), timeout_ms);
            let line = say::line("watchdog ").text(state.watchdog.device());
            let line = line.text(" is armed: ").number(timeout_ms / 1000);
            say::info(line.text(" s without an answer of supervise reset the machine"));
        }
        Err(error) => {
            if state.watchdog.refused(error.0) {
                say::failure("arm the watchdog", device.as_bytes(), error);
            }
        }
    }
}

/// Opens the device, if it is not open, and sets its timeout. Returns what it has made of it.
fn arm(state: &mut State, timeout_ms: u64) -> Result<u64, Errno> {
    if os::lend(state.descriptors.watchdog).is_none() {
        let fd = open(state.watchdog.device())?;
        if fd.has_watchdog_reset() {
            say::warning(say::line("warning: the last boot ended by the watchdog's reset"));
        }
        state.descriptors.watchdog = fd.into_number();
    }
    let Some(fd) = os::lend(state.descriptors.watchdog) else { return Err(Errno(libc::EBADF)) };
    // A device that cannot wait so long, or whose timeout cannot be set, has one all the same.
    if let Err(error) = fd.set_watchdog_timeout(timeout_ms.div_ceil(1000)) {
        let line = say::line("warning: cannot set the watchdog's timeout to ");
        let line = line.number(timeout_ms.div_ceil(1000)).text(" s: ");
        say::warning(say::with_reason(line, error));
    }
    let actual = fd.watchdog_timeout().map_or(timeout_ms, |seconds| seconds.saturating_mul(1000));
    fd.feed_watchdog()?;
    Ok(actual)
}

fn open(device: &[u8]) -> Result<Fd, Errno> {
    let mut path = init::line::Line::new().text(device);
    let path = core::ffi::CStr::from_bytes_with_nul(path.finish_with(0));
    let fd = os::open(path.map_err(|_| Errno(libc::EINVAL))?, libc::O_WRONLY | libc::O_NONBLOCK)?;
    // Anything may be named; what is no watchdog is not held open, and a file is not written to.
    fd.watchdog_timeout().or_else(|_| fd.feed_watchdog().map(|()| 0))?;
    Ok(fd)
}

/// Gives it time.
pub fn feed(state: &State) {
    if let Some(Err(error)) = os::lend(state.descriptors.watchdog).map(|fd| fd.feed_watchdog()) {
        say::failure("feed the watchdog", state.watchdog.device(), error);
    }
}

/// The administrator does not want it any more.
fn disarm(state: &mut State) {
    let Some(fd) = os::lend(state.descriptors.watchdog) else { return };
    match fd.stop_watchdog() {
        Ok(()) => {
            let line = say::line("watchdog ").text(state.watchdog.device());
            say::info(line.text(" is disarmed"));
        }
        // It goes on being fed, or it would reset the machine.
        Err(error) => return say::failure("disarm", state.watchdog.device(), error),
    }
    state.watchdog.disarmed();
    drop(Fd::take(core::mem::take(&mut state.descriptors.watchdog)));
}

/// A machine that stands still, or runs another kernel that may not know of it, is not to be reset.
/// At any other end it stays armed: should reboot(2) hang, it does what reboot(2) should have.
pub fn leave(state: &mut State, request: Request) {
    match request {
        Request::Halt | Request::Kexec => disarm(state),
        Request::Poweroff | Request::Reboot | Request::Exit | Request::Reload => {}
    }
}

/// The watchdog during the final phase: it is given time at each step, but not for ever.
pub struct Last {
    device: i32,
    every_ms: u64,
    until: Instant,
}

impl Last {
    /// The final phase begins; whatever takes longer than this is stuck.
    pub fn begin(state: &mut State, limit_ms: u64) -> Self {
        let until = state.watchdog.begin_last(os::now(), limit_ms);
        Self { device: state.descriptors.watchdog, every_ms: state.watchdog.every_ms(), until }
    }

    /// Gives it time. Returns when to do so again, if that is before `deadline`.
    pub fn feed(&self, deadline: Instant) -> Instant {
        let now = os::now();
        match os::lend(self.device) {
            Some(fd) if now < self.until => {
                let _ = fd.feed_watchdog();
                deadline.min(now.plus_ms(self.every_ms))
            }
            Some(_) | None => deadline,
        }
    }
}
