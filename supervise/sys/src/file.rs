//! Files that are there whole or not at all.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Puts a file of these bytes and this mode in the place of `path`: whoever looks, and whenever
/// the power fails, sees the old one or the new one.
///
/// # Errors
/// What the file system says; then the old one is still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let new = beside(path)?;
    let written = write_new(&new, bytes, mode).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // The first error is the one to tell; what is left is overwritten by the next attempt.
        let _ = std::fs::remove_file(&new);
        return written;
    }
    sync_parent(path)
}

/// Makes a symlink to `target` in the place of `path`, with the same promise.
///
/// # Errors
/// What the file system says; then the old one is still there.
pub fn replace_link(path: &Path, target: &Path) -> io::Result<()> {
    let new = beside(path)?;
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::os::unix::fs::symlink(target, &new)?;
    std::fs::rename(&new, path)?;
    sync_parent(path)
}

/// Makes what was done to the names in the directory of `path` last.
///
/// # Errors
/// What the file system says.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// A name beside `path`, the same each time, so that attempts that failed leave one file and not
/// many. There is one writer: two would write the same.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut new = OsString::from(".");
    new.push(name);
    new.push(".new");
    Ok(path.with_file_name(new))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;

    #[test]
    fn a_file_is_replaced_whole() {
        let scratch = Scratch::new();
        let path = scratch.0.join("graph");
        replace(&path, b"old and long", 0o644).unwrap();
        let old = File::open(&path).unwrap();
        replace(&path, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(old.metadata().unwrap().len(), 12, "who has the old one open keeps it");
        assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file() {
        let scratch = Scratch::new();
        let path = scratch.0.join("graph");
        std::fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"new", 0o644).is_err());
        assert!(path.is_dir());
        assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn a_link_is_replaced_whole() {
        let scratch = Scratch::new();
        let path = scratch.0.join("current");
        for target in ["1", "2"] {
            replace_link(&path, Path::new(target)).unwrap();
            assert_eq!(std::fs::read_link(&path).unwrap(), Path::new(target));
        }
    }
}
