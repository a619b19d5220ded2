//! FIFOs: for output, and for readiness by newline.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid};

use crate::Errno;
use crate::raw;

/// Makes and opens a FIFO, or takes over the one that is there with what is in it; anything else
/// of that name is in the way. It gets this mode, and this owner if there is one.
///
/// # Errors
/// What the file system says; EEXIST, if something else has the name.
pub fn make(path: &Path, mode: u16, owner: Option<(u32, u32)>) -> Result<OwnedFd, Errno> {
    let mode = Mode::from_raw_mode(mode.into());
    match rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    // By descriptor, so that it is the FIFO, and no link to elsewhere, that is given away.
    let fifo = open(path)?;
    rustix::fs::fchmod(&fifo, mode)?;
    if let Some((uid, gid)) = owner {
        rustix::fs::fchown(&fifo, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(fifo)
}

/// Opens a FIFO for reading and writing, without waiting for anyone: it never ends and never
/// breaks, whoever else comes and goes.
///
/// # Errors
/// What the file system says; EEXIST, if it is no FIFO.
pub fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fifo = match raw::retry(|| rustix::fs::open(path, flags, Mode::empty())) {
        Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(Errno::EXIST),
        opened => opened?,
    };
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&fifo)?.st_mode);
    if kind == FileType::Fifo { Ok(fifo) } else { Err(Errno::EXIST) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn what_is_in_a_fifo_survives_its_remaking() {
        let scratch = Scratch::new();
        let path = scratch.0.join("fifo");
        make(&path, 0o600, None).unwrap();
        let fifo = open(&path).unwrap();
        rustix::io::write(&fifo, b"line\n").unwrap();
        make(&path, 0o622, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o622);
        let mut bytes = [0; 8];
        assert_eq!(rustix::io::read(open(&path).unwrap(), &mut bytes).unwrap(), 5);
        assert_eq!(rustix::io::read(&fifo, &mut bytes), Err(Errno::AGAIN));
    }

    #[test]
    fn anything_else_is_in_the_way() {
        let scratch = Scratch::new();
        std::fs::write(scratch.0.join("file"), "").unwrap();
        std::fs::create_dir(scratch.0.join("directory")).unwrap();
        std::os::unix::fs::symlink("fifo", scratch.0.join("link")).unwrap();
        for name in ["file", "directory", "link"] {
            let made = make(&scratch.0.join(name), 0o600, None);
            assert_eq!(made.err(), Some(Errno::EXIST), "{name}");
        }
    }
}
