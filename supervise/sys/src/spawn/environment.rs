//! Variables that only the child can know: those in files, and its own process id.

use std::ffi::CStr;

use rustix::fs::{Mode, OFlags};

use super::prepare::{DIGITS_MAX, EnvironmentFile, FILE_MAX, Prepared, WATCHDOG_PID};
use crate::Errno;
use crate::environment_file::{Entries, Malformed};
use crate::raw;

/// Defines them, the later instead of the earlier of the same name.
pub(super) fn define(prepared: &mut Prepared) -> Result<(), Errno> {
    for file in &mut prepared.files {
        // Neither taking nor leaking allocates, and the process ends without freeing anything.
        let buffer = std::mem::take(&mut file.buffer).leak();
        let Some(length) = read(file, buffer)? else { continue };
        let text = buffer.get_mut(..=length).ok_or(Errno::FBIG)?;
        for entry in Entries::new(text) {
            let entry = entry.map_err(|Malformed| Errno::INVAL)?;
            if !prepared.environment.define(entry) {
                return Err(Errno::TOOBIG);
            }
        }
    }
    if let Some(buffer) = prepared.watchdog_pid.take() {
        let entry = own_pid(buffer.leak()).ok_or(Errno::INVAL)?;
        if !prepared.environment.define(entry) {
            return Err(Errno::TOOBIG);
        }
    }
    Ok(())
}

/// The file's length, all of it now being in `buffer`; none if it is absent and may be.
fn read(file: &EnvironmentFile, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = raw::retry(|| rustix::fs::open(file.path.as_c_str(), flags, Mode::empty()));
    let opened = match opened {
        Err(Errno::NOENT) if file.optional => return Ok(None),
        opened => opened?,
    };
    let mut length = 0;
    loop {
        let room = buffer.get_mut(length..=FILE_MAX).unwrap_or_default();
        match raw::retry(|| rustix::io::read(&opened, &mut *room))? {
            0 if length > FILE_MAX => return Err(Errno::FBIG),
            0 => return Ok(Some(length)),
            more => length = length.saturating_add(more),
        }
    }
}

/// `WATCHDOG_PID=` and this process's id.
fn own_pid(buffer: &'static mut [u8]) -> Option<&'static CStr> {
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
