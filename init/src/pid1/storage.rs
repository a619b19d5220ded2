//! The final phase's last part on a machine: nothing that was written may be lost. Swap off, sync,
//! unmount, the rest read-only. Every step that can hang is a child's, and has its deadline; what
//! hangs is named, and left behind.

use core::ffi::CStr;

use init::Instant;
use init::line::Line;
use init::mounts::{Mount, Parser, Table};
use rustix::mount::{MountFlags, UnmountFlags};

use crate::children::{self, Outcome, Wait};
use crate::os::{self, Errno};
use crate::say;

/// All of it takes no longer.
pub const ALL_MS: u64 = 90_000;
/// Writing to a slow disk what a big machine's memory holds for it.
const SYNC_MS: u64 = 60_000;
/// One unmount.
const STEP_MS: u64 = 10_000;
/// Unmounting goes on as long as it changes something, but not for ever.
const ROUNDS_MAX: u32 = 32;

/// Releases all storage.
pub fn release(wait: &Wait<'_>) {
    let mut work = Work { wait, by: os::now().plus_ms(ALL_MS), hanging: [0; HANGING_MAX] };
    work.swap_off();
    work.sync();
    let mut table = Table::new();
    for _ in 0..ROUNDS_MAX {
        let unmounted = work.unmount(&mut table, UnmountFlags::NOFOLLOW);
        let detached = work.detach_loops();
        if !unmounted && !detached {
            break;
        }
    }
    // A network file system whose server is gone goes by force only.
    work.unmount(&mut table, UnmountFlags::NOFOLLOW | UnmountFlags::FORCE);
    work.make_read_only(&mut table);
    work.sync();
}

struct Work<'a> {
    wait: &'a Wait<'a>,
    by: Instant,
    /// Fingerprints of what hangs: it is not touched again.
    hanging: [u64; HANGING_MAX],
}

/// When so many have hung, each new one takes the place of the last.
const HANGING_MAX: usize = 32;

impl Work<'_> {
    /// Does something that may hang. Returns whether it was done.
    fn attempt(
        &mut self,
        what: &str,
        object: &CStr,
        limit_ms: u64,
        task: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let fingerprint = fingerprint(what, object);
        let now = os::now();
        if now >= self.by || self.hanging.contains(&fingerprint) {
            return Err(Errno(libc::ETIMEDOUT));
        }
        let by = now.plus_ms(limit_ms).min(self.by);
        match children::do_in_child(self.wait, by, task) {
            Outcome::Done(result) => result,
            Outcome::Hangs => {
                let line = say::line("warning: cannot ").text(what).text(" ");
                say::warning(line.text(object.to_bytes()).text(": it hangs; left behind"));
                let place = self.hanging.iter().position(|known| *known == 0);
                if let Some(place) = self.hanging.get_mut(place.unwrap_or(HANGING_MAX - 1)) {
                    *place = fingerprint;
                }
                Err(Errno(libc::ETIMEDOUT))
            }
        }
    }

    /// `/proc/swaps` has a path in the first column, written as in `/proc/self/mounts`: it is fed
    /// to that file's parser as the target of a mount.
    fn swap_off(&mut self) {
        let mut parser = Parser::new();
        let mut is_line_start = true;
        let mut is_path = false;
        for_each_byte(c"/proc/swaps", |byte| {
            // The heading begins otherwise.
            if is_line_start && byte == b'/' {
                is_path = true;
                let _ = parser.feed_all(b"swap ");
            }
            is_line_start = byte == b'\n';
            if is_path && matches!(byte, b' ' | b'\t' | b'\n') {
                is_path = false;
                if let Some(mount) = parser.feed_all(b" swap rw\n") {
                    self.swap_off_one(&mount);
                }
            } else if is_path {
                let _ = parser.feed(byte);
            }
        });
    }

    fn swap_off_one(&mut self, swap: &Mount<'_>) {
        let mut table = [0; init::mounts::TARGET_MAX];
        let Some(path) = c_string(swap.target, &mut table) else { return };
        match self.attempt("stop swapping to", path, STEP_MS, || os::swapoff(path)) {
            Ok(()) | Err(Errno(libc::ETIMEDOUT)) => {}
            Err(error) => say::failure("stop swapping to", path.to_bytes(), error),
        }
    }

    fn sync(&mut self) {
        let _ = self.attempt("write to", c"all disks", SYNC_MS, || {
            rustix::fs::sync();
            Ok(())
        });
    }

    /// One round over all mounts. Returns whether one went.
    fn unmount(&mut self, table: &mut Table, flags: UnmountFlags) -> bool {
        read_mounts(table);
        let mut changed = false;
        for mount in table.last_first().filter(|mount| mount.should_go) {
            let target = mount.target;
            let result = self
                .attempt("unmount", target, STEP_MS, || Ok(rustix::mount::unmount(target, flags)?));
            changed |= result.is_ok();
        }
        changed
    }

    /// Loop devices keep their files, and so the file systems below, in use. Returns whether one
    /// was detached.
    fn detach_loops(&mut self) -> bool {
        let mut changed = false;
        os::for_each_entry(c"/sys/block", |name| {
            if name.starts_with(b"loop") && is_attached(name) {
                changed |= self.detach_loop(name).is_some();
            }
        });
        changed
    }

    /// The file may be on a disk that hangs, and is let go by whoever closes the device last. One
    /// in use is detached by its user's end only, and has not changed.
    fn detach_loop(&mut self, name: &[u8]) -> Option<()> {
        let mut path = Line::new().text("/dev/").text(name);
        let path = CStr::from_bytes_with_nul(path.finish_with(0)).ok()?;
        let task = || os::open(path, libc::O_RDONLY | libc::O_NONBLOCK)?.detach_loop();
        self.attempt("detach", path, STEP_MS, task).ok()?;
        (!is_attached(name)).then_some(())
    }

    /// What is still there, the root first of all.
    fn make_read_only(&mut self, table: &mut Table) {
        read_mounts(table);
        for mount in table.last_first() {
            let target = mount.target;
            // What is only memory need not go: our own descriptors keep /run, for one.
            if !mount.should_be_read_only {
                continue;
            }
            if mount.should_go {
                let line = say::line("warning: still in use: ");
                say::warning(line.text(target.to_bytes()));
            }
            let result = self.attempt("make read-only", target, STEP_MS, || {
                Ok(rustix::mount::mount_remount(target, MountFlags::RDONLY, c"")?)
            });
            match result {
                Ok(()) | Err(Errno(libc::ETIMEDOUT)) => {}
                Err(error) => say::failure("make read-only", target.to_bytes(), error),
            }
        }
    }
}

fn read_mounts(table: &mut Table) {
    table.clear();
    let mut parser = Parser::new();
    for_each_byte(c"/proc/self/mounts", |byte| {
        if let Some(mount) = parser.feed(byte) {
            table.add(&mount);
        }
    });
}

fn is_attached(name: &[u8]) -> bool {
    let mut path = Line::new().text("/sys/block/").text(name).text("/loop/backing_file");
    let path = CStr::from_bytes_with_nul(path.finish_with(0));
    path.is_ok_and(|path| rustix::fs::stat(path).is_ok())
}

fn for_each_byte(path: &CStr, mut call: impl FnMut(u8)) {
    let Ok(file) = os::open(path, libc::O_RDONLY) else { return };
    let mut chunk = [0; 4096];
    while let Ok(length @ 1..) = file.read(&mut chunk) {
        chunk.iter().take(length).for_each(|byte| call(*byte));
    }
}

fn c_string<'a>(text: &[u8], place: &'a mut [u8]) -> Option<&'a CStr> {
    let place = place.get_mut(..text.len().checked_add(1)?)?;
    for (to, from) in place.iter_mut().zip(text.iter().chain(&[0])) {
        *to = *from;
    }
    CStr::from_bytes_with_nul(place).ok()
}

/// FNV-1a; never 0.
fn fingerprint(what: &str, object: &CStr) -> u64 {
    let bytes = what.bytes().chain(object.to_bytes().iter().copied());
    let start = 0xcbf2_9ce4_8422_2325_u64;
    bytes.fold(start, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)).max(1)
}
