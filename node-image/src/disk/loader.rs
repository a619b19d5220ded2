//! What boots the kernel: systemd-boot on machines with UEFI, the firmware of a Raspberry Pi.

use std::path::Path;

use anyhow::{Context, Result, bail};
use facts::Hardware;

use super::root::Kernel;
use super::uki;
use crate::tree::{Content, Entry, Tree};

/// Where systemd puts it, in a root and on the machine that builds.
const EFI: &str = "usr/lib/systemd/boot/efi";
/// No waiting and no editing of the command line; holding a key shows the menu.
const LOADER_CONF: &str = "timeout 0\neditor no\n";
/// Where a Raspberry Pi's firmware is: Debian's and Alpine's.
const PI_FIRMWARE: [&str; 2] = ["usr/lib/raspi-firmware", "boot"];
/// By extension: the programs of the firmware, and what they read.
const PI_FILES: [&str; 4] = ["bin", "dat", "elf", "dtbo"];
const PI_CONFIG: &str = "\
# Each root has its kernel in a directory of its own. The firmware boots the one below; `svc reboot
# \"0 tryboot\"`, with a kernel that hands this on, boots the other one once.
arm_64bit=1
enable_uart=1
kernel=vmlinuz
initramfs initramfs followkernel
[all]
os_prefix=a/
[tryboot]
os_prefix=b/
[all]
";

/// Where it is taken from.
pub struct Source<'a> {
    /// The node's root.
    pub root: &'a Tree,
    /// A directory with systemd-boot, if the root has none.
    pub efi: Option<&'a Path>,
    /// What is booted.
    pub target: &'a Hardware,
}

/// Everything that boots a root but the command line.
pub struct Parts {
    method: Method,
    kernel: Vec<u8>,
    initramfs: Vec<u8>,
    /// What the target wants and the root has not: device trees, firmware.
    pub missing: Vec<String>,
}

enum Method {
    Uefi { loader: (&'static str, Vec<u8>), stub: Vec<u8>, title: String },
    RaspberryPi { firmware: Tree, device_trees: Vec<(String, Content)> },
}

impl Source<'_> {
    /// Takes it.
    pub fn take(&self, kernel: &Kernel, initramfs: &[u8]) -> Result<Parts> {
        let mut missing = Vec::new();
        let method = match self.target.boot.method.as_str() {
            "uefi" => {
                // Firmware with UEFI brings the tree of its board.
                let absent = self.target.boot.device_trees.iter();
                missing.extend(
                    absent
                        .filter(|it| find(self.root, it).is_none())
                        .map(|it| format!("{it} (the firmware's own is taken)")),
                );
                self.uefi()?
            }
            "raspberry-pi" => self.raspberry_pi(&mut missing)?,
            other => bail!("cannot make a disk that boots by {other}"),
        };
        Ok(Parts { method, kernel: kernel.image.clone(), initramfs: initramfs.to_vec(), missing })
    }

    fn uefi(&self) -> Result<Method> {
        let (short, name) = match self.target.architecture.as_str() {
            "x86_64" => ("x64", "BOOTX64.EFI"),
            "aarch64" => ("aa64", "BOOTAA64.EFI"),
            other => bail!("cannot boot {other} by UEFI"),
        };
        let loader = self.efi(&format!("systemd-boot{short}.efi"))?;
        let stub = self.efi(&format!("linux{short}.efi.stub"))?;
        Ok(Method::Uefi { loader: (name, loader), stub, title: self.target.description.clone() })
    }

    fn efi(&self, name: &str) -> Result<Vec<u8>> {
        if let Some(Entry::File { content, .. }) = self.root.entry(&format!("{EFI}/{name}")) {
            return content.read();
        }
        let path = self.efi.map(|directory| directory.join(name));
        let Some(path) = path.filter(|path| path.exists()) else {
            bail!(
                "cannot find {name}: the root has no systemd-boot (Debian: systemd-boot-efi; \
                 Alpine: systemd-boot), and --efi names no directory that has it"
            );
        };
        Content::Host(path).read()
    }

    fn raspberry_pi(&self, missing: &mut Vec<String>) -> Result<Method> {
        let mut firmware = Tree::default();
        for directory in PI_FIRMWARE {
            let below = format!("{directory}/");
            let files = self
                .root
                .iter()
                .filter_map(|(path, entry)| Some((path.strip_prefix(&below)?, entry)));
            for (path, entry) in files {
                let extension = path.rsplit('.').next().unwrap_or_default();
                if matches!(entry, Entry::File { .. }) && PI_FILES.contains(&extension) {
                    firmware.insert(path, entry.clone())?;
                }
            }
        }
        let mut device_trees = Vec::new();
        for name in &self.target.boot.device_trees {
            match find(self.root, name) {
                Some(content) => device_trees.push((name.clone(), content.clone())),
                None => missing.push(name.clone()),
            }
        }
        if device_trees.is_empty() {
            bail!("the root has none of the device trees {}", missing.join(", "));
        }
        // The Raspberry Pi 5 has it in its EEPROM.
        if self.target.firmware.iter().any(|it| it.debian.as_deref() == Some("raspi-firmware"))
            && firmware.entry("start4.elf").is_none()
        {
            bail!(
                "the root has no start4.elf (Debian: raspi-firmware; Alpine: \
                 raspberrypi-bootloader)"
            );
        }
        Ok(Method::RaspberryPi { firmware, device_trees })
    }
}

/// A file of a tree, by its name alone.
fn find<'a>(tree: &'a Tree, name: &str) -> Option<&'a Content> {
    tree.iter().find_map(|(path, entry)| match entry {
        Entry::File { content, .. } if path.rsplit('/').next() == Some(name) => Some(content),
        Entry::File { .. } | Entry::Directory(_) | Entry::Symlink(_) | Entry::Device(..) => None,
    })
}

impl Parts {
    /// The files of the loader's partition, with one root in a slot.
    pub fn files(&self, slot: &str, line: &str) -> Result<Tree> {
        let mut tree = Tree::default();
        match &self.method {
            Method::Uefi { loader: (name, loader), .. } => {
                tree.insert(&format!("EFI/BOOT/{name}"), Entry::file(loader.clone()))?;
                tree.insert("loader/loader.conf", Entry::file(LOADER_CONF.to_owned()))?;
                // As node-setup names it: the first one, in this slot, with three attempts.
                let entry = self.entry(slot, line)?;
                tree.insert(&format!("EFI/Linux/cooper-1-{slot}+3.efi"), Entry::file(entry))?;
            }
            Method::RaspberryPi { firmware, device_trees } => {
                for (path, entry) in firmware.iter() {
                    tree.insert(path, entry.clone())?;
                }
                tree.insert("config.txt", Entry::file(PI_CONFIG.to_owned()))?;
                tree.insert(&format!("{slot}/vmlinuz"), Entry::file(self.kernel.clone()))?;
                tree.insert(&format!("{slot}/initramfs"), Entry::file(self.initramfs.clone()))?;
                tree.insert(
                    &format!("{slot}/cmdline.txt"),
                    Entry::file(in_slot(slot, line) + "\n"),
                )?;
                for (name, content) in device_trees {
                    let entry = Entry::File { mode: 0o644, content: content.clone() };
                    tree.insert(&format!("{slot}/{name}"), entry)?;
                }
            }
        }
        Ok(tree)
    }

    /// The program that boots the root in a slot.
    ///
    /// # Errors
    ///
    /// The machine boots no programs.
    pub fn entry(&self, slot: &str, line: &str) -> Result<Vec<u8>> {
        let Method::Uefi { stub, title, .. } = &self.method else {
            bail!("an upgrade is for machines with UEFI: write a Raspberry Pi's card anew");
        };
        // No version: which is newer is in the file's name.
        let release = format!("ID=cooper\nNAME=Cooper\nPRETTY_NAME=\"Cooper ({title}), {slot}\"\n");
        let line = in_slot(slot, line);
        let sections: [(&str, &[u8]); 4] = [
            (".osrel", release.as_bytes()),
            (".cmdline", line.as_bytes()),
            (".initrd", &self.initramfs),
            (".linux", &self.kernel),
        ];
        uki::build(stub, &sections).context("cannot make the program that boots the root")
    }
}

fn in_slot(slot: &str, line: &str) -> String {
    format!("root=PARTLABEL=root-{slot} {line}")
}
