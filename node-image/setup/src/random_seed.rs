//! Section `random-seed`: randomness that outlives a reboot.
//!
//! What the last run has left is given to the kernel, and a new seed takes its place at once: the
//! same one is never used twice, also if the power fails. It is removed before it is counted as
//! randomness; it is counted only if the kernel had enough of its own when it was made. The files
//! are those of seedrng (BusyBox, OpenRC), so that an image that comes from there keeps its seed.

use std::fs::{self, File};
use std::io::{self, Write};

use facts::section::Empty;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha256};

use crate::looked::{self, Looked, useful};
use crate::{Finding, Report, Root};

const DIRECTORY: &str = "/var/lib/seedrng";
/// Made when the kernel had enough.
const COUNTS: &str = "/var/lib/seedrng/seed.credit";
/// Made when it had not, or when nobody could tell.
const COUNTS_NOT: &str = "/var/lib/seedrng/seed.no-credit";
const DEVICE: &str = "/dev/urandom";
/// Only root reads it.
const MODE: u32 = 0o400;
/// The kernel's pool has 256 bits since Linux 5.18, older ones had up to 4096.
const SIZE_MIN: usize = 32;
const SIZE_MAX: usize = 512;

const WHY: &str = "keys that are made early in a boot are not guessed";
const SOURCE: &str = "random(4), Configuration; zx2c4: seedrng";

/// How it stands.
#[must_use]
pub fn inspect(_: &Empty, root: &Root) -> Vec<Finding> {
    looked::findings(vec![look(root)])
}

/// Gives the kernel the seed that there is, and makes a new one: at each start, and at each stop.
pub fn apply(_: &Empty, root: &Root, report: &mut Report<'_>) {
    let need = || useful(WHY, SOURCE);
    let mut sum = Sha256::new();
    sum.update(b"SeedRNG v1 Old+New Prefix");
    for (file, counts) in [(COUNTS, true), (COUNTS_NOT, false)] {
        match take(root, file, counts) {
            Ok(None) => {}
            Ok(Some(seed)) => {
                sum.update(&seed);
                let how = if counts { "counted" } else { "not counted" };
                let text = format!("{} bytes, {how}", seed.len());
                report.changed("seed", "on disk", &format!("{text}, in the kernel"), &need());
            }
            Err(reason) => report.failed(&format_args!("cannot {reason}"), &need()),
        }
    }
    match renew(root, sum) {
        Ok(counts) => report.changed("seed", "none", &kind(counts), &need()),
        Err(reason) => report.failed(&format_args!("cannot {reason}"), &need()),
    }
}

fn kind(counts: bool) -> String {
    match counts {
        true => "a new one on disk".to_owned(),
        false => {
            "a new one on disk that will not count: the kernel has little of its own".to_owned()
        }
    }
}

fn look(root: &Root) -> Looked<()> {
    let need = || useful(WHY, SOURCE);
    let is_there = [COUNTS, COUNTS_NOT].into_iter().find(|file| root.exists(file));
    match (is_there, fs::metadata(root.path(COUNTS))) {
        (Some(file), _) => Looked::holds("seed", file, need()),
        (None, Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            Looked::hidden("seed", format!("{DIRECTORY} is for root"), need())
        }
        (None, _) => Looked::differs("seed", "none", COUNTS, need(), ()),
    }
}

/// Removes a seed for good, then gives it to the kernel.
fn take(root: &Root, file: &str, counts: bool) -> Result<Option<Vec<u8>>, String> {
    let path = root.path(file);
    let seed = match fs::read(&path) {
        Ok(seed) => seed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("read {file}: {error}")),
    };
    fs::remove_file(&path)
        .and_then(|()| sys::file::sync_parent(&path))
        .map_err(|error| format!("remove {file}, and so not use it: {error}"))?;
    feed(root, &seed, counts).map_err(|error| format!("give the kernel {file}: {error}"))?;
    Ok(Some(seed))
}

fn feed(root: &Root, seed: &[u8], counts: bool) -> io::Result<()> {
    let mut device = File::options().write(true).open(root.path(DEVICE))?;
    if counts && seed.len() >= SIZE_MIN {
        sys::random::credit(&device, seed)
    } else {
        device.write_all(seed)
    }
}

/// Writes a new seed. Whether it counts: the kernel had enough randomness to make it of.
fn renew(root: &Root, mut sum: Sha256) -> Result<bool, String> {
    let bits: usize = root
        .line("/proc/sys/kernel/random/poolsize")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let mut seed = vec![0; (bits / 8).clamp(SIZE_MIN, SIZE_MAX)];
    let counts = fill(&mut seed, GetRandomFlags::NONBLOCK);
    if !counts && !fill(&mut seed, GetRandomFlags::INSECURE) {
        return Err("make a seed: the kernel has no random numbers".to_owned());
    }
    // What was known of the last seed, and of what came before it, goes into this one.
    sum.update(&seed);
    let tail = seed.len().saturating_sub(SIZE_MIN);
    if let Some(tail) = seed.get_mut(tail..) {
        tail.copy_from_slice(&sum.finalize());
    }
    let written = fs::create_dir_all(root.path(DIRECTORY))
        .and_then(|()| sys::file::replace(&root.path(COUNTS_NOT), &seed, MODE));
    written.map_err(|error| format!("write {COUNTS_NOT}: {error}"))?;
    if counts {
        fs::rename(root.path(COUNTS_NOT), root.path(COUNTS))
            .and_then(|()| sys::file::sync_parent(&root.path(COUNTS)))
            .map_err(|error| format!("rename {COUNTS_NOT}: {error}"))?;
    }
    Ok(counts)
}

fn fill(seed: &mut [u8], flags: GetRandomFlags) -> bool {
    let length = seed.len();
    getrandom(seed, flags).is_ok_and(|filled| filled == length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Machine, said};

    #[test]
    fn a_seed_is_used_once_and_a_new_one_is_there_at_once() {
        let machine = Machine::new(&[(COUNTS_NOT, "the seed of the last run"), (DEVICE, "")]);
        let text = said(|report| apply(&Empty {}, &machine.root(), report));
        assert!(text.contains("24 bytes, not counted, in the kernel"), "{text}");
        assert_eq!(machine.read(DEVICE), "the seed of the last run");
        let new = fs::read(machine.root().path(COUNTS)).unwrap();
        assert_eq!(new.len(), SIZE_MIN);
        assert!(!machine.root().exists(COUNTS_NOT));
        machine.write("/proc/sys/kernel/random/poolsize", "4096\n");
        fs::remove_file(machine.root().path(COUNTS)).unwrap();
        said(|report| apply(&Empty {}, &machine.root(), report));
        let other = fs::read(machine.root().path(COUNTS)).unwrap();
        assert_eq!(other.len(), SIZE_MAX);
        assert_ne!(other[SIZE_MAX - SIZE_MIN..], new);
    }

    #[test]
    fn one_that_cannot_be_removed_is_not_used() {
        let machine = Machine::new(&[(DEVICE, "")]);
        // A directory cannot be read as one, nor removed as one.
        fs::create_dir_all(machine.root().path(COUNTS)).unwrap();
        let text = said(|report| apply(&Empty {}, &machine.root(), report));
        assert!(text.contains("cannot read /var/lib/seedrng/seed.credit"), "{text}");
        assert_eq!(machine.read(DEVICE), "");
    }

    #[test]
    fn looking_changes_nothing() {
        let machine = Machine::new(&[(COUNTS, "x")]);
        assert_eq!(inspect(&Empty {}, &machine.root()).len(), 1);
        assert_eq!(machine.read(COUNTS), "x");
    }
}
