//! Variables that only the child can know: those in files, and its own process id.

use std::ffi::CStr;
use std::mem::ManuallyDrop;

use rustix::fs::{Mode, OFlags};

use super::prepare::{DIGITS_MAX, EnvironmentFile, FILE_MAX, Prepared, WATCHDOG_PID};
use crate::Errno;
use crate::environment_file::{Entries, Malformed};
use crate::raw;

/// Defines them, the later instead of the earlier of the same name.
pub(super) fn define(prepared: &mut Prepared) -> Result<(), Errno> {
    let Prepared { environment, files, watchdog_pid, .. } = prepared;
    for file in files {
        let Some(length) = read(file)? else { continue };
        let text = file.buffer.get_mut(..=length).ok_or(Errno::FBIG)?;
        for entry in Entries::new(text) {
            let entry = entry.map_err(|Malformed| Errno::INVAL)?;
            // SAFETY: the entry is in the file's buffer, which is never touched again and is
            // freed together with the environment.
            if !unsafe { environment.define(entry) } {
                return Err(Errno::TOOBIG);
            }
        }
    }
    if let Some(buffer) = watchdog_pid {
        let entry = own_pid(buffer).ok_or(Errno::INVAL)?;
        // SAFETY: as above.
        if !unsafe { environment.define(entry) } {
            return Err(Errno::TOOBIG);
        }
    }
    Ok(())
}

/// The file's length, all of it now being in its buffer; none if it is absent and may be.
fn read(file: &mut EnvironmentFile) -> Result<Option<usize>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = raw::retry(|| rustix::fs::open(file.path.as_c_str(), flags, Mode::empty()));
    let opened = match opened {
        Err(Errno::NOENT) if file.optional => return Ok(None),
        opened => ManuallyDrop::new(opened?),
    };
    let mut length = 0;
    loop {
        let room = file.buffer.get_mut(length..=FILE_MAX).unwrap_or_default();
        match raw::retry(|| rustix::io::read(&*opened, &mut *room))? {
            0 if length > FILE_MAX => return Err(Errno::FBIG),
            0 => return Ok(Some(length)),
            more => length = length.saturating_add(more),
        }
    }
}

/// `WATCHDOG_PID=` and this process's id.
fn own_pid(buffer: &mut [u8]) -> Option<&CStr> {
    let mut digits = [0_u8; DIGITS_MAX];
    let mut rest = rustix::process::getpid().as_raw_pid().unsigned_abs();
    let mut first = DIGITS_MAX;
    while rest != 0 {
        first = first.checked_sub(1)?;
        *digits.get_mut(first)? = b'0'.checked_add(u8::try_from(rest % 10).ok()?)?;
        rest /= 10;
    }
    let text = WATCHDOG_PID.iter().chain(digits.get(first..)?).chain(b"\0");
    for (to, from) in buffer.iter_mut().zip(text) {
        *to = *from;
    }
    CStr::from_bytes_until_nul(buffer).ok()
}
