//! A watchdog device, as linux/watchdog.h has it.

use core::ffi::{c_int, c_long};

use super::{Errno, Fd, last_error};

// The requests have the same numbers on all architectures but MIPS, PowerPC and SPARC.
const GET_BOOT_STATUS: u32 = 0x8004_5702;
const SET_OPTIONS: u32 = 0x8004_5704;
const KEEP_ALIVE: u32 = 0x8004_5705;
const SET_TIMEOUT: u32 = 0xc004_5706;
const GET_TIMEOUT: u32 = 0x8004_5707;
/// WDIOS_DISABLECARD.
const DISABLE: c_int = 1;
/// WDIOF_CARDRESET: the last reset was the watchdog's.
const HAS_RESET: c_int = 0x20;

impl Fd {
    /// Has it wait for so many seconds from now on.
    pub fn set_watchdog_timeout(&self, seconds: u64) -> Result<(), Errno> {
        let seconds = c_int::try_from(seconds).unwrap_or(c_int::MAX);
        self.watchdog(SET_TIMEOUT, seconds).map(drop)
    }

    /// How many seconds it waits.
    pub fn watchdog_timeout(&self) -> Result<u64, Errno> {
        self.watchdog(GET_TIMEOUT, 0).map(|seconds| u64::try_from(seconds).unwrap_or(0))
    }

    /// Begins its wait anew.
    pub fn feed_watchdog(&self) -> Result<(), Errno> {
        self.watchdog(KEEP_ALIVE, 0).map(drop)
    }

    /// Stops it, now or when it is closed, which is what writing a `V` allows; not every device can
    /// be stopped in both ways. EBUSY: the kernel was told that nobody may (nowayout).
    pub fn stop_watchdog(&self) -> Result<(), Errno> {
        let _ = self.write(b"V");
        match self.watchdog(SET_OPTIONS, DISABLE) {
            Err(Errno(libc::EBUSY)) => Err(Errno(libc::EBUSY)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether it was this watchdog that started the machine again.
    pub fn has_watchdog_reset(&self) -> bool {
        self.watchdog(GET_BOOT_STATUS, 0).is_ok_and(|status| status & HAS_RESET != 0)
    }

    /// One request; a number goes in, and perhaps another one comes out.
    fn watchdog(&self, request: u32, value: c_int) -> Result<c_int, Errno> {
        let mut value = value;
        let request = c_long::from(request);
        // The system call itself: C libraries do not agree on the type of a request.
        // SAFETY: each of these requests reads or writes one int, or nothing.
        let result =
            unsafe { libc::syscall(libc::SYS_ioctl, self.number(), request, &raw mut value) };
        if result < 0 { Err(last_error()) } else { Ok(value) }
    }
}
