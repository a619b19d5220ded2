//! What PID 1 of a machine does before anything else can run: the mounts of an ordinary Linux, the
//! console, room for descriptors, a cgroup of its own. What is there already is left alone, and
//! what the kernel does not have is passed over.

use core::ffi::CStr;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Resource, Rlimit};

use crate::os::{self, Fd};
use crate::say;

/// One mount: source and type are mostly the same word.
struct Mount {
    kind: &'static CStr,
    target: &'static CStr,
    parent: &'static CStr,
    flags: MountFlags,
    data: Option<&'static CStr>,
    /// Whether to say so when it fails: a node works without the others.
    is_needed: bool,
}

const SECURE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);
const NO_DEVICES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

const fn needed(
    kind: &'static CStr,
    target: &'static CStr,
    parent: &'static CStr,
    flags: MountFlags,
    data: Option<&'static CStr>,
) -> Mount {
    Mount { kind, target, parent, flags, data, is_needed: true }
}

const fn optional(
    kind: &'static CStr,
    target: &'static CStr,
    parent: &'static CStr,
    data: Option<&'static CStr>,
) -> Mount {
    Mount { kind, target, parent, flags: SECURE, data, is_needed: false }
}

/// In order: a parent comes before what is in it. No hidepid on /proc: kubelet, cAdvisor and
/// Cilium look at all processes. Programs may be executed from /run: containers' root file
/// systems are mounted below it.
const MOUNTS: [Mount; 20] = [
    needed(c"proc", c"/proc", c"/", SECURE, None),
    needed(c"sysfs", c"/sys", c"/", SECURE, None),
    needed(c"devtmpfs", c"/dev", c"/", MountFlags::NOSUID, Some(c"mode=755")),
    needed(c"tmpfs", c"/run", c"/", NO_DEVICES, Some(c"mode=755")),
    needed(c"tmpfs", c"/tmp", c"/", NO_DEVICES, Some(c"mode=1777")),
    needed(c"tmpfs", c"/dev/shm", c"/dev", NO_DEVICES, Some(c"mode=1777")),
    needed(
        c"devpts",
        c"/dev/pts",
        c"/dev",
        MountFlags::NOSUID.union(MountFlags::NOEXEC),
        Some(c"gid=5,mode=620,ptmxmode=666"),
    ),
    needed(
        c"cgroup2",
        c"/sys/fs/cgroup",
        c"/sys",
        SECURE,
        Some(c"nsdelegate,memory_recursiveprot"),
    ),
    optional(c"mqueue", c"/dev/mqueue", c"/dev", None),
    optional(c"hugetlbfs", c"/dev/hugepages", c"/dev", None),
    optional(c"securityfs", c"/sys/kernel/security", c"/sys", None),
    optional(c"debugfs", c"/sys/kernel/debug", c"/sys", Some(c"mode=700")),
    optional(c"tracefs", c"/sys/kernel/tracing", c"/sys", Some(c"mode=700")),
    optional(c"configfs", c"/sys/kernel/config", c"/sys", None),
    optional(c"fusectl", c"/sys/fs/fuse/connections", c"/sys", None),
    optional(c"pstore", c"/sys/fs/pstore", c"/sys", None),
    optional(c"efivarfs", c"/sys/firmware/efi/efivars", c"/sys", None),
    optional(c"bpf", c"/sys/fs/bpf", c"/sys", Some(c"mode=700")),
    optional(c"binfmt_misc", c"/proc/sys/fs/binfmt_misc", c"/proc", None),
    optional(c"nfsd", c"/proc/fs/nfsd", c"/proc", None),
];

/// What programs expect in /dev, and devtmpfs does not have.
const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
    (c"/proc/kcore", c"/dev/core"),
];

/// The first ones: they have /dev, and so everything that one can speak to.
const FIRST: usize = 3;

/// Leaves the kernel's own root, which an initramfs is unpacked in: it cannot be the old root of
/// pivot_root(2), and so nothing that starts containers works in it. The same files, mounted once
/// more on top of it, can. Nothing is copied. On any other root this does nothing.
pub fn leave_kernel_root() {
    let is_memory = rustix::fs::statfs(c"/")
        .is_ok_and(|fs| [RAMFS, TMPFS].contains(&fs.f_type) && !is_anything_mounted());
    if !is_memory {
        return;
    }
    // `/..` is where `/` leads after the mount, which `/` itself does not follow.
    let moved = rustix::mount::mount_bind(c"/", c"/")
        .and_then(|()| rustix::process::chroot(c"/.."))
        .and_then(|()| rustix::process::chdir(c"/"));
    if let Err(error) = moved {
        say::failure("leave", b"the kernel's root", error);
    }
}

/// RAMFS_MAGIC and TMPFS_MAGIC of linux/magic.h: the kernel's own root is one or the other.
const RAMFS: i64 = 0x8584_58f6;
const TMPFS: i64 = 0x0102_1994;

/// Whoever was here before us and mounted something has chosen the root, too; and a mount on top
/// of it would hide theirs.
fn is_anything_mounted() -> bool {
    let device = |path: &CStr| rustix::fs::stat(path).map(|stat| stat.st_dev);
    let root = device(c"/");
    [c"/proc", c"/sys", c"/dev"].iter().any(|path| device(path).is_ok_and(|it| Ok(it) != root))
}

/// Mounts /proc, /sys and /dev.
pub fn mount_first() {
    MOUNTS.iter().take(FIRST).for_each(mount);
    // Before PID 1 is started, the kernel does not wait for whole grace periods; what moves
    // processes between cgroups does, tens of milliseconds each. `end_haste` takes it back.
    set_haste(b"1\n");
}

/// The boot is over, as far as it concerns the kernel.
pub fn end_haste() {
    set_haste(b"0\n");
}

fn set_haste(value: &[u8]) {
    if let Ok(file) = os::open(c"/sys/kernel/rcu_expedited", libc::O_WRONLY) {
        let _ = file.write(value);
    }
}

/// Mounts the rest, and makes it all shared: mounts that containers make below `/` must reach
/// the host and other containers, as Kubernetes has it.
pub fn mount_rest() {
    let mut list = [0; 4096];
    let file = os::open(c"/proc/filesystems", libc::O_RDONLY);
    let length = file.ok().and_then(|file| file.read(&mut list).ok()).unwrap_or(0);
    let list = list.get(..length).unwrap_or_default();
    let is_known = |mount: &&Mount| init::mounts::is_known(list, mount.kind.to_bytes());
    let rest = MOUNTS.iter().skip(FIRST);
    // What is needed and not there is tried all the same, to be said.
    rest.filter(|mount| mount.is_needed || is_known(mount)).for_each(mount);
    for (target, link) in LINKS {
        let _ = rustix::fs::symlink(target, link);
    }
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    if let Err(error) = rustix::mount::mount_change(c"/", shared) {
        say::failure("share mounts below", b"/", error);
    }
}

fn mount(mount: &Mount) {
    if let (Err(error), true) = (mount_one(mount), mount.is_needed) {
        say::failure("mount", mount.target.to_bytes(), error);
    }
}

fn mount_one(mount: &Mount) -> Result<(), Errno> {
    let Mount { kind, target, parent, flags, data, is_needed: _ } = *mount;
    let above = rustix::fs::stat(parent)?;
    match rustix::fs::stat(target) {
        Ok(here) if here.st_dev != above.st_dev => return Ok(()),
        Ok(_) => {}
        Err(Errno::NOENT) => rustix::fs::mkdir(target, Mode::from_raw_mode(0o755))?,
        Err(error) => return Err(error),
    }
    match rustix::mount::mount(kind, target, kind, flags, data) {
        // An option that an older kernel does not know is no reason to go without.
        Err(Errno::INVAL) if data.is_some() => {
            let less = (kind == c"cgroup2").then_some(c"nsdelegate");
            rustix::mount::mount(kind, target, kind, flags, less)
                .or_else(|_| rustix::mount::mount(kind, target, kind, flags, None))
        }
        result => result,
    }
}

/// Sees to it that 0, 1 and 2 are open, so that nothing else is ever opened as one of them. On a
/// machine input is nothing, and output the kernel's log, until the catch-all log runs: without a
/// level in front, the kernel takes a line for a warning.
pub fn open_standard(is_machine: bool) -> Option<Fd> {
    // Each open takes the lowest number that is free.
    let null = || os::open(c"/dev/null", libc::O_RDWR).ok();
    while let Some(fd) = null() {
        if fd.number() > 2 {
            break;
        }
        // Kept open for good.
        let _ = fd.into_number();
    }
    if !is_machine {
        let own = say::open_own(2);
        if let Some(own) = &own {
            say::speak_to(own.number(), false);
        }
        return own;
    }
    if let Some(null) = null() {
        let _ = null.duplicate_onto(0);
    }
    let log = say::open_kernel_log();
    let (is_kernel_log, output) = (log.is_some(), log.or_else(say::open_console));
    if let Some(output) = &output {
        let _ = output.duplicate_onto(1);
        let _ = output.duplicate_onto(2);
        say::speak_to(output.number(), is_kernel_log);
    }
    output
}

/// As many descriptors as the kernel allows: each service has a log that init holds.
pub fn raise_limits() {
    /// The kernel's own limit for the limit, unless somebody changed it.
    const MOST: u64 = 1 << 20;
    let most = Rlimit { current: Some(MOST), maximum: Some(MOST) };
    if rustix::process::setrlimit(Resource::Nofile, most).is_err() {
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
