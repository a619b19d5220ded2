//! The machine that is examined: its files, below a root, and little more.
//!
//! Nearly everything that is asked of a kernel can be read from a file, so a directory can stand
//! for a machine: a test's, or an image's that is not running. What only a system call tells is
//! asked of a *running* machine alone, which the one below `/` is.
//!
//! **Invariant:** nothing here writes anything.

mod cgroup;
mod command;
mod decompress;
mod kernel;
mod mounts;
mod processes;
mod sockets;
#[cfg(test)]
pub mod testing;

use std::{
    cell::OnceCell,
    fs, io,
    path::{Path, PathBuf},
};

pub use cgroup::cgroup_of;
pub use kernel::KernelConfig;
pub use mounts::MountPoint;
pub use processes::Process;
pub use sockets::{Holder, Socket};

/// Where programs are looked for: what services get as PATH, and where NixOS and SixOS have them.
pub const PATH: [&str; 7] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/run/current-system/sw/bin",
];

/// Enough for any sane chain of symbolic links; the kernel follows as many.
const LINKS_MAX: usize = 40;

/// A machine.
pub struct System {
    root: PathBuf,
    running: bool,
    mounts: OnceCell<Vec<MountPoint>>,
    processes: OnceCell<Vec<Process>>,
    kernel_config: OnceCell<Option<KernelConfig>>,
    sockets: OnceCell<Vec<Socket>>,
}

impl System {
    /// This machine.
    pub fn running() -> Self {
        Self::new("/".into(), true)
    }

    /// One whose files are below `root`. Nothing is asked of the kernel.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self::new(root.into(), false)
    }

    fn new(root: PathBuf, running: bool) -> Self {
        Self {
            root,
            running,
            mounts: OnceCell::new(),
            processes: OnceCell::new(),
            kernel_config: OnceCell::new(),
            sockets: OnceCell::new(),
        }
    }

    /// The kernel can be asked, and programs be run.
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// Where one of the machine's files is for us. Links are followed within the root.
    pub fn path(&self, absolute: &str) -> PathBuf {
        if self.running {
            return absolute.into();
        }
        self.root.join(self.resolve(absolute).trim_start_matches('/'))
    }

    /// The same machine, as node set-up names it.
    pub fn set_up_root(&self) -> node_setup::Root {
        node_setup::Root::at(&self.root)
    }

    /// A file's bytes.
    pub fn bytes(&self, absolute: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(absolute))
    }

    /// A file's text; what is not UTF-8 in it is replaced.
    pub fn text(&self, absolute: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes(absolute)?).into_owned())
    }

    /// The text of one that says one thing; None if it cannot be read.
    pub fn word(&self, absolute: &str) -> Option<String> {
        self.text(absolute).ok().map(|text| text.trim().to_owned())
    }

    /// A parameter below `/proc/sys`, by its name with dots.
    pub fn sysctl(&self, key: &str) -> Option<String> {
        self.word(&format!("/proc/sys/{}", key.replace('.', "/")))
    }

    /// There is such a file, whatever it is.
    pub fn exists(&self, absolute: &str) -> bool {
        fs::symlink_metadata(self.path(absolute)).is_ok()
    }

    /// The names in a directory, in order; none if it cannot be read.
    pub fn names(&self, absolute: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(absolute)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// What a symbolic link says.
    pub fn link(&self, absolute: &str) -> Option<String> {
        let (directory, name) = absolute.rsplit_once('/')?;
        let target = fs::read_link(self.path(directory).join(name)).ok()?;
        target.into_os_string().into_string().ok()
    }

    /// What a program's name stands for, its links followed.
    pub fn program(&self, name: &str) -> Option<String> {
        use std::os::unix::fs::PermissionsExt as _;
        PATH.iter().map(|directory| format!("{directory}/{name}")).find(|path| {
            let metadata = fs::metadata(self.path(path));
            metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
    }

    /// The path without symbolic links, as this machine sees it.
    pub fn resolve(&self, absolute: &str) -> String {
        let mut rest: Vec<String> = components(absolute).rev().map(str::to_owned).collect();
        let mut done: Vec<String> = Vec::new();
        let mut links = 0_usize;
        while let Some(name) = rest.pop() {
            if name == ".." {
                done.pop();
                continue;
            }
            done.push(name);
            let Ok(target) = fs::read_link(self.root.join(done.join("/"))) else { continue };
            links = links.saturating_add(1);
            let (Some(target), true) = (target.to_str(), links <= LINKS_MAX) else { continue };
            done.pop();
            if target.starts_with('/') {
                done.clear();
            }
            rest.extend(components(target).rev().map(str::to_owned));
        }
        format!("/{}", done.join("/"))
    }

    /// As `uname -r` has it.
    pub fn kernel_release(&self) -> String {
        self.sysctl("kernel.osrelease").unwrap_or_default()
    }

    /// As `uname -m` has it; empty where nobody says it.
    pub fn architecture(&self) -> String {
        if self.running {
            return rustix::system::uname().machine().to_string_lossy().into_owned();
        }
        // Linux 6.1.
        self.sysctl("kernel.arch").unwrap_or_default()
    }

    /// The value of `KEY:` in `/proc/self/status`.
    pub fn own_status(&self, key: &str) -> Option<String> {
        field(&self.text("/proc/self/status").ok()?, key).map(str::to_owned)
    }

    /// We may look everywhere.
    pub fn is_root(&self) -> bool {
        let ids = self.own_status("Uid").unwrap_or_default();
        ids.split_whitespace().nth(1) == Some("0")
    }

    /// What is mounted, in the order of mounting.
    pub fn mounts(&self) -> &[MountPoint] {
        self.mounts
            .get_or_init(|| mounts::parse(&self.text("/proc/self/mountinfo").unwrap_or_default()))
    }

    /// The mount that `path` is on: of those that begin its path the longest, the last of equals.
    pub fn mount_of(&self, path: &str) -> Option<&MountPoint> {
        let path = self.resolve(path);
        let holds = |mount: &&MountPoint| Path::new(&path).starts_with(&mount.at);
        self.mounts().iter().filter(holds).max_by_key(|mount| mount.at.len())
    }

    /// Who runs.
    pub fn processes(&self) -> &[Process] {
        self.processes.get_or_init(|| processes::list(self))
    }

    /// Those of this name, as the kernel knows them.
    pub fn processes_named(&self, name: &str) -> impl Iterator<Item = &Process> {
        self.processes().iter().filter(move |process| process.name == name)
    }

    /// How the kernel was built, if that is written anywhere.
    pub fn kernel_config(&self) -> Option<&KernelConfig> {
        self.kernel_config.get_or_init(|| kernel::read(self)).as_ref()
    }

    /// Sockets that wait for somebody to call.
    pub fn sockets(&self) -> &[Socket] {
        self.sockets.get_or_init(|| sockets::list(self))
    }

    /// What a program prints, standard output and error in one; None if it cannot be run.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Option<String> {
        if self.running { command::run(&self.program(program)?, arguments) } else { None }
    }
}

/// The value of `KEY:` in text of the form of `/proc/self/status`.
pub fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
}

fn components(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".")
}

#[cfg(test)]
mod tests {
    use super::testing::Machine;

    /// An image's absolute links lead into the image.
    #[test]
    fn links_stay_below_the_root() {
        let machine = Machine::new()
            .program("/usr/bin/busybox")
            .link("/bin", "usr/bin")
            .link("/usr/bin/ls", "/bin/busybox")
            .link("/usr/bin/up", "../../../../usr/bin/ls")
            .link("/usr/bin/round", "round");
        let system = machine.system();
        assert_eq!(system.resolve("/bin/ls"), "/usr/bin/busybox");
        assert_eq!(system.resolve("/bin/up"), "/usr/bin/busybox");
        assert_eq!(system.program("ls").as_deref(), Some("/usr/bin/ls"));
        assert_eq!(system.program("round"), None);
        assert_eq!(system.program("nothing"), None);
    }

    /// Of mounts one over the other the last counts, and `/var` does not hold `/variable`.
    #[test]
    fn the_longest_mount_holds_a_path() {
        let machine = Machine::new().mounts(&[
            "1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw",
            "2 1 8:2 / /var rw - xfs /dev/sda2 rw",
            "3 1 8:3 / /var rw - btrfs /dev/sda3 rw",
        ]);
        let system = machine.system();
        let at = |path| system.mount_of(path).map(|mount| mount.fstype.clone());
        assert_eq!(at("/var/lib").as_deref(), Some("btrfs"));
        assert_eq!(at("/variable").as_deref(), Some("ext4"));
    }
}
