//! `/proc/self/mounts`, read a byte at a time, so that no line is too long and no buffer too
//! small; and which mounts the final phase wants gone.

use core::ffi::CStr;

/// The longest mount point that is understood; the kernel's own limit for a path.
pub const TARGET_MAX: usize = 4096;
const TYPE_MAX: usize = 16;

/// One mount.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mount<'a> {
    /// Where, with its escapes resolved and without NUL. Empty if it was too long to be kept.
    pub target: &'a [u8],
    /// The file system's type, cut at 16 bytes.
    pub kind: &'a [u8],
    /// It cannot be written through this mount.
    pub is_read_only: bool,
}

impl Mount<'_> {
    /// Whether it is to be unmounted. What stays: the root, and where the kernel shows us what
    /// else there is, and the console.
    #[must_use]
    pub fn should_go(&self) -> bool {
        !matches!(self.target, b"" | b"/" | b"/proc" | b"/sys" | b"/dev")
    }

    /// Whether it is to be remounted read-only if it cannot go: it may have a disk below it.
    #[must_use]
    pub fn should_be_read_only(&self) -> bool {
        !self.is_read_only && !self.target.is_empty() && !WITHOUT_DISK.contains(&self.kind)
    }
}

/// Nothing is lost when these are cut off.
const WITHOUT_DISK: [&[u8]; 25] = [
    b"autofs",
    b"binfmt_misc",
    b"bpf",
    b"cgroup",
    b"cgroup2",
    b"configfs",
    b"debugfs",
    b"devpts",
    b"devtmpfs",
    b"efivarfs",
    b"fusectl",
    b"hugetlbfs",
    b"mqueue",
    b"nsfs",
    b"proc",
    b"pstore",
    b"ramfs",
    b"rootfs",
    b"rpc_pipefs",
    b"securityfs",
    b"selinuxfs",
    b"squashfs",
    b"sysfs",
    b"tmpfs",
    b"tracefs",
];

/// Whether the kernel has this type of file system built in or loaded, from `/proc/filesystems`:
/// `nodev` or nothing, a tab, the type. Mounting one that it has not makes it look for a module,
/// which takes tens of milliseconds to fail at a time when nothing can load one.
#[must_use]
pub fn is_known(filesystems: &[u8], kind: &[u8]) -> bool {
    let mut lines = filesystems.split(|byte| *byte == b'\n');
    lines.any(|line| line.rsplit(|byte| *byte == b'\t').next() == Some(kind))
}

/// So many mounts are seen at once. A node with more has the others seen once these are gone.
pub const MOUNTS_MAX: usize = 4096;
/// Room for their targets.
const TEXT_MAX: usize = 256 * 1024;

/// The last mounts of the file: they are the first to go.
#[derive(Debug)]
pub struct Table {
    text: [u8; TEXT_MAX],
    text_used: usize,
    entries: [Entry; MOUNTS_MAX],
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    /// With its NUL.
    end: usize,
    should_go: bool,
    should_be_read_only: bool,
}

/// A mount of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seen<'a> {
    /// Where.
    pub target: &'a CStr,
    /// See [`Mount::should_go`].
    pub should_go: bool,
    /// See [`Mount::should_be_read_only`].
    pub should_be_read_only: bool,
}

impl Table {
    /// An empty one. It is large, and meant for the stack of PID 1, which has nothing else to do
    /// by then.
    #[must_use]
    pub const fn new() -> Self {
        let entry = Entry { start: 0, end: 0, should_go: false, should_be_read_only: false };
        Self { text: [0; TEXT_MAX], text_used: 0, entries: [entry; MOUNTS_MAX], used: 0 }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.text_used = 0;
        self.used = 0;
    }

    /// Adds a mount. When the table is full it begins anew, so that it always has the last ones.
    pub fn add(&mut self, mount: &Mount<'_>) {
        let needs = mount.target.len().saturating_add(1);
        let is_full = self.used >= MOUNTS_MAX || self.text_used.saturating_add(needs) > TEXT_MAX;
        if is_full {
            self.clear();
        }
        let start = self.text_used;
        let end = start.saturating_add(needs);
        let Some(place) = self.text.get_mut(start..end) else { return };
        let with_nul = mount.target.iter().chain(&[0]);
        for (to, from) in place.iter_mut().zip(with_nul) {
            *to = *from;
        }
        let Some(entry) = self.entries.get_mut(self.used) else { return };
        let (should_go, should_be_read_only) = (mount.should_go(), mount.should_be_read_only());
        *entry = Entry { start, end, should_go, should_be_read_only };
        self.text_used = end;
        self.used = self.used.saturating_add(1);
    }

    /// The mounts, the last one first.
    pub fn last_first(&self) -> impl Iterator<Item = Seen<'_>> {
        let used = self.entries.get(..self.used).unwrap_or_default();
        used.iter().rev().filter_map(|entry| {
            let target = self.text.get(entry.start..entry.end)?;
            let target = CStr::from_bytes_with_nul(target).ok()?;
            let Entry { should_go, should_be_read_only, .. } = *entry;
            Some(Seen { target, should_go, should_be_read_only })
        })
    }
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the file, byte by byte.
#[derive(Debug)]
pub struct Parser {
    field: u32,
    target: Text<TARGET_MAX>,
    kind: Text<TYPE_MAX>,
    /// The first bytes of the options.
    options: Text<3>,
    /// An escape in the target: digits still to come, and their value.
    digits: u32,
    value: u8,
}

/// Bytes up to a limit, and whether there were more.
#[derive(Debug)]
struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
    is_cut: bool,
}

impl<const N: usize> Text<N> {
    const EMPTY: Self = Self { bytes: [0; N], len: 0, is_cut: false };

    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(free) => {
                *free = byte;
                self.len = self.len.saturating_add(1);
            }
            None => self.is_cut = true,
        }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.is_cut = false;
    }

    fn kept(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Parser {
    /// At the start of the file.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            field: 0,
            target: Text::EMPTY,
            kind: Text::EMPTY,
            options: Text::EMPTY,
            digits: 0,
            value: 0,
        }
    }

    /// The next byte. Returns a mount at the end of its line.
    pub fn feed(&mut self, byte: u8) -> Option<Mount<'_>> {
        match byte {
            b'\n' => {
                let is_whole = self.field >= 3;
                self.field = 0;
                return is_whole.then(|| self.mount());
            }
            b' ' => self.field = self.field.saturating_add(1),
            _ => self.feed_field(byte),
        }
        None
    }

    /// The next bytes. Returns the mount of the last line, if they end it.
    pub fn feed_all(&mut self, bytes: &[u8]) -> Option<Mount<'_>> {
        let (last, first) = bytes.split_last()?;
        for byte in first {
            let _ = self.feed(*byte);
        }
        self.feed(*last)
    }

    fn feed_field(&mut self, byte: u8) {
        match self.field {
            0 => {
                self.target.clear();
                self.kind.clear();
                self.options.clear();
                self.digits = 0;
            }
            1 => self.feed_target(byte),
            2 => self.kind.push(byte),
            3 => self.options.push(byte),
            _ => {}
        }
    }

    /// Space, tab, newline and backslash come as a backslash and three octal digits.
    fn feed_target(&mut self, byte: u8) {
        match (self.digits, byte) {
            (0, b'\\') => {
                self.digits = 3;
                self.value = 0;
            }
            (0, _) => self.target.push(byte),
            (left, _) => {
                let digit = byte.wrapping_sub(b'0') & 7;
                self.value = self.value.wrapping_mul(8).wrapping_add(digit);
                self.digits = left.saturating_sub(1);
                if self.digits == 0 {
                    self.target.push(self.value);
                }
            }
        }
    }

    fn mount(&self) -> Mount<'_> {
        // One byte stays free: the program adds a NUL.
        let fits = !self.target.is_cut && self.target.len < TARGET_MAX;
        let target = if fits { self.target.kept() } else { b"" };
        let target = if target.contains(&0) { b"" } else { target };
        let is_read_only = matches!(self.options.kept(), b"ro" | b"ro,");
        Mount { target, kind: self.kind.kept(), is_read_only }
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::borrow::ToOwned;
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    fn parsed(text: &str) -> Vec<(String, String, bool)> {
        let mut parser = Parser::new();
        let mut mounts = vec![];
        for byte in text.bytes() {
            if let Some(mount) = parser.feed(byte) {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                mounts.push((text(mount.target), text(mount.kind), mount.is_read_only));
            }
        }
        mounts
    }

    fn mount(target: &str, kind: &str, is_read_only: bool) -> (String, String, bool) {
        (target.into(), kind.into(), is_read_only)
    }

    #[test]
    fn mounts_are_read_in_order() {
        let text = "/dev/vda / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n\
                    overlay /run/k3s/rootfs overlay ro,lowerdir=/a:/b 0 0\n";
        let mounts = parsed(text);
        assert_eq!(mounts[0], mount("/", "ext4", false));
        assert_eq!(mounts[1], mount("/proc", "proc", false));
        assert_eq!(mounts[2], mount("/run/k3s/rootfs", "overlay", true));
    }

    #[test]
    fn escapes_are_resolved() {
        let mounts = parsed("x /mnt/a\\040b\\134c\\011 vfat rw 0 0\n");
        assert_eq!(mounts, [mount("/mnt/a b\\c\t", "vfat", false)]);
    }

    #[test]
    fn ro_is_a_word() {
        assert!(!parsed("x /a b root,x 0 0\n")[0].2);
        assert!(parsed("x /a b ro 0 0\n")[0].2);
    }

    #[test]
    fn a_line_of_any_length_is_read() {
        let text = format!("overlay /a overlay ro,lowerdir={} 0 0\n", "/layer:".repeat(50_000));
        assert_eq!(parsed(&text), [mount("/a", "overlay", true)]);
    }

    #[test]
    fn a_target_that_is_too_long_is_not_confused_with_its_beginning() {
        let long = "x".repeat(TARGET_MAX);
        let text = format!("s {long} ext4 rw 0 0\ns /ok ext4 rw 0 0\n");
        assert_eq!(parsed(&text), [mount("", "ext4", false), mount("/ok", "ext4", false)]);
        assert_eq!(parsed("s /a\\000b ext4 rw 0 0\n"), [mount("", "ext4", false)]);
    }

    #[test]
    fn nothing_can_be_fed_that_is_not_survived() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let mut parser = Parser::new();
                for byte in [first, second, b'\\', second, b' ', first, b'\n', b' ', b'\n'] {
                    parser.feed(byte);
                }
            }
        }
        assert_eq!(parsed("\n\n \n  \nabc\n"), []);
    }

    #[test]
    fn the_table_has_the_last_mounts_and_gives_the_last_first() {
        let mut table = std::boxed::Box::new(Table::new());
        let add = |table: &mut Table, number: usize| {
            let target = format!("/{number}");
            table.add(&Mount { target: target.as_bytes(), kind: b"ext4", is_read_only: false });
        };
        add(&mut table, 1);
        add(&mut table, 2);
        let targets: Vec<_> = table.last_first().map(|seen| seen.target.to_owned()).collect();
        assert_eq!(targets, [c"/2".to_owned(), c"/1".to_owned()]);
        for number in 3..=3 * MOUNTS_MAX {
            add(&mut table, number);
        }
        let last = format!("/{}", 3 * MOUNTS_MAX);
        let seen = table.last_first().next().unwrap();
        assert_eq!(seen.target.to_str().unwrap(), last);
        assert!(seen.should_go && seen.should_be_read_only);
        assert!(table.last_first().count() <= MOUNTS_MAX);
        table.clear();
        assert_eq!(table.last_first().count(), 0);
    }

    #[test]
    fn long_targets_fill_the_table_too() {
        let mut table = std::boxed::Box::new(Table::new());
        let target = vec![b'x'; TARGET_MAX - 1];
        for _ in 0..3 * MOUNTS_MAX {
            table.add(&Mount { target: &target, kind: b"ext4", is_read_only: false });
            let seen = table.last_first().next().unwrap();
            assert_eq!(seen.target.to_bytes().len(), TARGET_MAX - 1);
        }
    }

    #[test]
    fn the_kernel_says_what_it_knows() {
        let list = b"nodev\tsysfs\nnodev\ttmpfs\n\text4\n";
        for kind in [&b"sysfs"[..], b"tmpfs", b"ext4"] {
            assert!(is_known(list, kind));
        }
        for kind in [&b"tmp"[..], b"nodev", b"ext", b"configfs"] {
            assert!(!is_known(list, kind));
        }
    }

    #[test]
    fn the_root_and_the_kernels_views_stay() {
        let goes = |target: &str| {
            Mount { target: target.as_bytes(), kind: b"ext4", is_read_only: false }.should_go()
        };
        for target in ["/", "/proc", "/sys", "/dev", ""] {
            assert!(!goes(target), "{target}");
        }
        for target in ["/home", "/sys/fs/cgroup", "/dev/shm", "/run", "/proc/fs/nfsd"] {
            assert!(goes(target), "{target}");
        }
    }

    #[test]
    fn only_what_has_a_disk_is_made_read_only() {
        let disk = Mount { target: b"/", kind: b"ext4", is_read_only: false };
        assert!(disk.should_be_read_only());
        assert!(!Mount { is_read_only: true, ..disk }.should_be_read_only());
        assert!(!Mount { kind: b"tmpfs", ..disk }.should_be_read_only());
        assert!(WITHOUT_DISK.iter().all(|kind| kind.len() <= TYPE_MAX));
    }
}
