//! Making one path true.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Uid, chownat, makedev, mknodat};

use super::look::{Attributes, New, Step};
use crate::Root;

/// Of what is made, where a line says nothing.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// Takes a step; otherwise says "VERB OBJECT: reason".
pub fn take(step: &Step, root: &Root) -> Result<(), String> {
    match step {
        Step::Make { path, new, attributes, replaces } => {
            make(root, path, new, *attributes, *replaces)
                .map_err(|error| format!("make {path}: {error}"))
        }
        Step::Set { path, attributes } => set(&root.path(path), *attributes)
            .map_err(|error| format!("set mode and owner of {path}: {error}")),
        Step::Write { path, text, append } => write(&root.path(path), text, *append)
            .map_err(|error| format!("write to {path}: {error}")),
        Step::Remove { path } => {
            remove(&root.path(path)).map_err(|error| format!("remove {path}: {error}"))
        }
    }
}

fn make(
    root: &Root,
    path: &str,
    new: &New,
    attributes: Attributes,
    replaces: bool,
) -> io::Result<()> {
    let at = root.path(path);
    if replaces {
        remove(&at)?;
    }
    if let Some(above) = at.parent() {
        fs::create_dir_all(above)?;
    }
    let default = match new {
        New::File(text) => {
            File::options().write(true).create_new(true).open(&at)?.write_all(text)?;
            Some(FILE_MODE)
        }
        New::Directory => {
            fs::create_dir(&at)?;
            Some(DIRECTORY_MODE)
        }
        New::Link(to) => {
            symlink(to, &at)?;
            // A link has no mode, and whose it is matters to nobody.
            return Ok(());
        }
        New::Fifo => node(&at, FileType::Fifo, 0)?,
        New::Device { is_block: true, major, minor } => {
            node(&at, FileType::BlockDevice, makedev(*major, *minor))?
        }
        New::Device { is_block: false, major, minor } => {
            node(&at, FileType::CharacterDevice, makedev(*major, *minor))?
        }
        New::Copy(from) => {
            copy(&root.path(from), &at)?;
            None
        }
    };
    set(&at, Attributes { mode: attributes.mode.or(default), ..attributes })
}

fn node(at: &Path, kind: FileType, device: u64) -> io::Result<Option<u32>> {
    mknodat(CWD, at, kind, Mode::from_raw_mode(FILE_MODE), device)?;
    Ok(Some(FILE_MODE))
}

/// Links are not followed: what somebody put in a directory that all may write to is not changed
/// elsewhere.
fn set(at: &Path, Attributes { mode, uid, gid }: Attributes) -> io::Result<()> {
    if uid.is_some() || gid.is_some() {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        chownat(CWD, at, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    // After the owner, whose change takes set-user-id bits away.
    match mode {
        Some(mode) if !fs::symlink_metadata(at)?.is_symlink() => {
            fs::set_permissions(at, Permissions::from_mode(mode))
        }
        Some(_) | None => Ok(()),
    }
}

fn write(at: &Path, text: &[u8], append: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).append(append).truncate(!append);
    options.open(at)?.write_all(text)
}

fn remove(at: &Path) -> io::Result<()> {
    match fs::symlink_metadata(at)?.is_dir() {
        true => fs::remove_dir_all(at),
        false => fs::remove_file(at),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let is = fs::symlink_metadata(from)?;
    if is.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if !is.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir(to)?;
    fs::set_permissions(to, is.permissions())?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}
