//! What the kernel knows of its clock's truth.

use std::mem::MaybeUninit;

use crate::Errno;

/// Somebody (chronyd, ntpd) disciplines the system's clock, and has said so since the boot. Anybody
/// may ask.
pub fn is_synchronised() -> Result<bool, Errno> {
    let mut clock = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: zero bytes are a valid `timex`, one that asks for no change; the kernel writes only
    // into it.
    let state = unsafe { libc::adjtimex(clock.as_mut_ptr()) };
    if state < 0 {
        let code = std::io::Error::last_os_error().raw_os_error();
        return Err(Errno::from_raw_os_error(code.unwrap_or(0)));
    }
    // SAFETY: zero bytes were a valid `timex`, and the kernel has filled it in.
    let clock = unsafe { clock.assume_init() };
    Ok(clock.status & libc::STA_UNSYNC == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's return value and its status say the same.
    #[test]
    fn the_clock_can_be_asked_by_anybody() {
        assert!(is_synchronised().is_ok());
    }
}
