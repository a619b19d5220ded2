//! One service's files on disk.
//!
//! **Invariant:** `current` ends with a newline whenever nothing is being appended to it, is never
//! longer than the limits allow, and with the rotated files never exceeds the quota.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt},
    path::Path,
};

use cooper_log::{Limits, Past, Stamp, names};
use rustix::{
    fs::{Mode, OFlags, RenameFlags, open, renameat_with},
    io::Errno,
};

/// Log files may hold secrets: root and, where `LOGS` belongs to a group and is set-group-ID, that
/// group may read them.
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;
const LOGS_MODE: u32 = 0o755;

/// See the module's head.
pub(super) struct Store {
    current: Option<Current>,
    /// What is known of the rotated files; `None`: not looked yet.
    past: Option<Sum>,
}

/// The file that is being written.
pub(super) struct Current {
    file: File,
    /// Device and inode.
    pub(super) id: (u64, u64),
    pub(super) length: u64,
    /// When its first line was written.
    first: Option<Stamp>,
}

/// Rotated files, summed up.
#[derive(Clone, Copy, Default)]
struct Sum {
    files: u32,
    bytes: u64,
    oldest: Option<Stamp>,
}

impl Store {
    pub(super) fn new() -> Self {
        Self { current: None, past: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// Closes the file; the next append opens it again.
    pub(super) fn close(&mut self) {
        self.current = None;
    }

    /// Forgets everything: somebody else may have touched the files.
    pub(super) fn forget(&mut self) {
        self.current = None;
        self.past = None;
    }

    /// The file to append to: opened, and not too old.
    pub(super) fn current(
        &mut self,
        directory: &Path,
        limits: &Limits,
        now: Stamp,
    ) -> io::Result<&mut Current> {
        let first = self.current.as_ref().and_then(|current| current.first);
        if first.is_some_and(|first| limits.too_old(first, now)) {
            self.rotate(directory, limits, now)?;
        }
        if self.current.is_none() {
            self.current = Some(Current::open(directory)?);
        }
        self.current.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// Ends `current`, if there is anything in it. It is on disk before it gets its name: a file
    /// with a time in its name is whole.
    pub(super) fn rotate(
        &mut self,
        directory: &Path,
        limits: &Limits,
        now: Stamp,
    ) -> io::Result<()> {
        let current = match self.current.take() {
            Some(current) => current,
            None => Current::open(directory)?,
        };
        if current.length == 0 {
            self.current = Some(current);
            return Ok(());
        }
        current.file.sync_data()?;
        rename_to_free_name(directory, now)?;
        self.past = None;
        self.make_room(directory, limits, 0, now)
    }

    /// Deletes the oldest rotated files, until the limits allow so many bytes more.
    pub(super) fn make_room(
        &mut self,
        directory: &Path,
        limits: &Limits,
        incoming: u64,
        now: Stamp,
    ) -> io::Result<()> {
        let current = self.current.as_ref().map_or(0, |current| current.length);
        if let Some(sum) = self.past {
            let total = sum.bytes.saturating_add(current).saturating_add(incoming);
            let expired = matches!(
                (sum.oldest, limits.age), (Some(at), Some(age)) if at.after(age) <= now
            );
            if sum.files <= limits.files && total <= limits.quota && !expired {
                return Ok(());
            }
        }
        let past = list(directory)?;
        let surplus = limits.surplus(&past, current, incoming, now);
        let (doomed, kept) = past.split_at_checked(surplus).unwrap_or_default();
        for file in doomed {
            match fs::remove_file(directory.join(names::rotated(file.at))) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                Ok(()) | Err(_) => {}
            }
        }
        self.past = Some(Sum {
            files: u32::try_from(kept.len()).unwrap_or(u32::MAX),
            bytes: kept.iter().fold(0, |sum, file| sum.saturating_add(file.size)),
            oldest: kept.first().map(|file| file.at),
        });
        Ok(())
    }

    /// Deletes what is too old, and says when the next file will be.
    pub(super) fn expire(
        &mut self,
        directory: &Path,
        limits: &Limits,
        now: Stamp,
    ) -> io::Result<Option<Stamp>> {
        if !directory.join(names::CURRENT).exists() && list(directory)?.is_empty() {
            return Ok(None);
        }
        // Rotates what is too old; an empty or young file stays.
        self.current(directory, limits, now)?;
        self.make_room(directory, limits, 0, now)?;
        let first = self.current.as_ref().and_then(|current| current.first);
        let oldest = self.past.and_then(|sum| sum.oldest);
        let due = [first, oldest].into_iter().flatten().min();
        Ok(due.zip(limits.age).map(|(at, age)| at.after(age)))
    }
}

impl Current {
    fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(names::CURRENT);
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::CLOEXEC
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK;
        let mode = Mode::from_raw_mode(FILE_MODE);
        let fd = match open(&path, flags, mode) {
            Err(Errno::NOENT) => {
                make_directories(directory)?;
                open(&path, flags, mode)?
            }
            opened => opened?,
        };
        let file = File::from(fd);
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut current =
            Self { file, id: (data.dev(), data.ino()), length: data.len(), first: None };
        current.mend()?;
        current.first = current.first_stamp();
        Ok(current)
    }

    /// Appends, all of it or (with the error) the number of bytes that were.
    pub(super) fn append(&mut self, lines: &[u8], now: Stamp) -> Result<(), (u64, io::Error)> {
        let before = self.length;
        let mut left = lines;
        while !left.is_empty() {
            let error = match rustix::io::write(&self.file, left) {
                Ok(0) => io::Error::from(Errno::NOSPC),
                Ok(written) => {
                    let length = u64::try_from(written).unwrap_or(u64::MAX);
                    self.length = self.length.saturating_add(length);
                    left = left.get(written..).unwrap_or_default();
                    continue;
                }
                Err(Errno::INTR) => continue,
                Err(errno) => errno.into(),
            };
            return Err((self.length.saturating_sub(before), error));
        }
        self.first = self.first.or(Some(now));
        Ok(())
    }

    /// Takes back what was appended beyond this length.
    pub(super) fn cut_to(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        Ok(())
    }

    /// A power cut may have left half a line.
    fn mend(&mut self) -> io::Result<()> {
        let mut last = [b'\n'];
        if let Some(end) = self.length.checked_sub(1) {
            self.file.read_exact_at(&mut last, end)?;
        }
        if last == [b'\n'] {
            return Ok(());
        }
        self.append(b"\n", Stamp(0)).map_err(|(_, e)| e)?;
        self.first = None;
        Ok(())
    }

    fn first_stamp(&self) -> Option<Stamp> {
        let mut text = [0; Stamp::LEN];
        if self.length == 0 {
            return None;
        }
        let read = self.file.read_exact_at(&mut text, 0).ok();
        // Without timestamps: the file's last change is all there is to go by.
        read.and_then(|()| Stamp::parse(&text)).or_else(|| {
            let data = self.file.metadata().ok()?;
            let seconds = u64::try_from(data.mtime()).ok()?;
            Some(Stamp(seconds.saturating_mul(1_000_000)))
        })
    }
}

fn make_directories(directory: &Path) -> io::Result<()> {
    if let Some(logs) = directory.parent() {
        DirBuilder::new().recursive(true).mode(LOGS_MODE).create(logs)?;
    }
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The rotated files, sorted.
fn list(directory: &Path) -> io::Result<Vec<Past>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut past = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(at) = entry.file_name().to_str().and_then(names::rotated_at) {
            past.push(Past { at, size: entry.metadata()?.len() });
        }
    }
    past.sort_unstable_by_key(|file| file.at);
    Ok(past)
}

/// Renames `current`, and replaces nothing: the clock may have stood still, or gone back.
fn rename_to_free_name(directory: &Path, now: Stamp) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let at = open(directory, flags, Mode::empty())?;
    let newest = list(directory)?.last().map_or(Stamp(0), |file| file.at);
    // Later than every other one, so that names sort as the lines do.
    let mut stamp = now.max(Stamp(newest.0.saturating_add(1)));
    loop {
        let name = names::rotated(stamp);
        match renameat_with(&at, names::CURRENT, &at, &name, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => stamp = Stamp(stamp.0.saturating_add(1)),
            // A file system that does not know the flag.
            Err(Errno::INVAL) => {
                return fs::rename(directory.join(names::CURRENT), directory.join(name));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}
