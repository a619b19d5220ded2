//! A node that boots from the network: its whole root is the initramfs, and stays in memory.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use facts::Hardware;

use crate::disk::{command_line, early, kernel};
use crate::initramfs;
use crate::output;
use crate::packing::Packing;
use crate::progress::Progress;
use crate::tree::{Entry, Tree};

const GRAPH: &str = "var/lib/cooper/graph";
/// Where init is, in the order in which it is looked for.
const INITS: [&str; 2] = ["usr/lib/cooper/init", "sbin/init"];
/// Where file systems are mounted.
const DIRECTORIES: [(&str, u32); 6] = [
    ("dev", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
];

/// What it is made of.
#[derive(Debug)]
pub struct Netboot {
    /// What boots it.
    pub target: Hardware,
    /// The root, with its kernel in `/boot`.
    pub root: Tree,
    /// Words for the kernel's command line, beside the target's.
    pub words: Vec<String>,
}

impl Netboot {
    /// Writes `kernel`, `initramfs`, `cmdline` and `boot.ipxe` into a directory.
    ///
    /// # Errors
    ///
    /// The root has no kernel or no init, or there is no room.
    pub fn write(self, directory: &Path, progress: &Progress) -> Result<()> {
        let Self { target, mut root, words } = self;
        let kernel = kernel(&root)?;
        let (microcode, _) = early(&root, &target)?;
        root.retain(|path| !path.starts_with("boot/") && !path.starts_with("usr/lib/systemd/boot"));
        let Some(init) = INITS.into_iter().find(|init| root.entry(init).is_some()) else {
            bail!("the root has no /{}: is Cooper installed in it?", INITS.join(" and no /"));
        };
        root.insert("init", Entry::Symlink(init.to_owned()))?;
        if root.entry(&format!("{GRAPH}/current")).is_none() {
            root.insert(&format!("{GRAPH}/current"), Entry::Symlink("image".to_owned()))?;
        }
        root.insert("etc/fstab", Entry::file("# Everything is in memory.\n".to_owned()))?;
        for (path, mode) in DIRECTORIES {
            root.insert(path, Entry::Directory(mode))?;
        }
        root.insert("dev/console", Entry::Device(0o600, 5, 1))?;

        progress.step("packing the initramfs");
        output::file(&directory.join("initramfs"), |out| {
            std::io::Write::write_all(out, &microcode).context("cannot write the microcode")?;
            initramfs::write(&root, Packing::Gzip, out)
        })?;
        let line = command_line(&target, &words);
        let script =
            format!("#!ipxe\nkernel kernel initrd=initramfs {line}\ninitrd initramfs\nboot\n");
        let text = format!("{line}\n");
        let files: [(&str, &[u8]); 3] = [
            ("kernel", &kernel.image),
            ("cmdline", text.as_bytes()),
            ("boot.ipxe", script.as_bytes()),
        ];
        for (name, bytes) in files {
            let path = directory.join(name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
