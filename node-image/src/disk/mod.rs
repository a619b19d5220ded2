//! Disks: a table of partitions (GPT), the loader's files, a slot for each of two roots, and what
//! the node keeps.
//!
//! | partition | file system | what is on it |
//! |---|---|---|
//! | `esp` | FAT32 | systemd-boot and a program for each root; a Raspberry Pi's own firmware |
//! | `root-a`, `root-b` | erofs | a root, which nobody writes to; an upgrade fills the other slot |
//! | `data` | ext4 | `/var`, and what is written over `/etc`: it grows at the first boot |
//!
//! How a node boots from it is `node-setup`'s: its modules `initrd` and `disk`.
//!
//! **Invariants:** no privilege and no loop device is needed. The same files give the same bytes.

mod fat;
mod initrd;
mod loader;
pub mod manifest;
pub mod partitions;
mod root;
pub mod uki;
pub mod unfolded;
mod upgrade;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use facts::Hardware;
use serde::Serialize;

use crate::output::beside;
use crate::progress::Progress;
use crate::tool;
use crate::tree::{Content, Tree};
use initrd::Initrd;
pub(crate) use initrd::early;
use manifest::Manifest;
use partitions::{Kind, Partition};
pub(crate) use root::kernel;

/// What a slot has at least, and by how much it is larger than the first root: room for growth.
const SLOT_MIB_MIN: u64 = 512;
const SLOT_STEP_MIB: u64 = 256;
/// Room for three entries of a kernel and an initramfs.
const ESP_MIB: u64 = 512;
/// Its tables let ext4 grow to a thousand times this while it is mounted.
const DATA_MIB: u64 = 256;
/// Numbers of the file systems; those of partitions are made anew at the first boot, as two disks
/// of one image may be in one machine.
const ROOT_UUID: &str = "c0095e00-0000-4000-8000-000000000001";
const DATA_UUID: &str = "c0095e00-0000-4000-8000-000000000002";

/// What a disk is made of.
#[derive(Debug)]
pub struct Disk {
    /// The hardware target's name.
    pub name: String,
    /// What is known of it.
    pub target: Hardware,
    /// What the node is for.
    pub profiles: Vec<String>,
    /// The root.
    pub root: Root,
    /// Where systemd-boot and its stub are, if not in the root: `usr/lib/systemd/boot/efi` of a
    /// Debian or Alpine.
    pub efi: Option<PathBuf>,
    /// The size of a slot; without it what the root needs, and half as much again.
    pub slot_mib: Option<u64>,
    /// Words for the kernel's command line, beside the target's.
    pub words: Vec<String>,
}

/// A root.
#[derive(Debug)]
pub enum Root {
    /// Files, with a kernel in `/boot` and our programs in `/usr/lib/cooper`.
    Files(Tree),
    /// What somebody else has made whole: NixOS.
    Image {
        /// The file system.
        image: PathBuf,
        /// A kernel.
        kernel: PathBuf,
        /// Its initramfs, which mounts what `root=` names and the partition `data`.
        initramfs: PathBuf,
        /// What the kernel is told.
        line: String,
    },
}

/// A root that is ready to be written.
struct Prepared {
    image: PathBuf,
    parts: loader::Parts,
    line: String,
    kernel: String,
    missing_modules: Vec<String>,
    microcode: Vec<String>,
}

impl Disk {
    /// Writes the disk to `output`, its manifest beside it in `OUTPUT.json`, and if it is asked
    /// for, the upgrade for nodes that are there.
    ///
    /// # Errors
    ///
    /// The root has no kernel, a tool is missing, there is no room: what, and what to do.
    pub fn write(
        self,
        output: &Path,
        upgrade: Option<&Path>,
        progress: &Progress,
    ) -> Result<Manifest> {
        let work = Work::new(beside(output, ".work"))?;
        if upgrade.is_some() && self.target.boot.method != "uefi" {
            bail!("an upgrade is for machines with UEFI: write a Raspberry Pi's card anew");
        }
        let root = self.prepare(&work, progress)?;
        let used_mib = fs::metadata(&root.image)?.len().div_ceil(1 << 20);
        let slot_mib = slot_size(used_mib, self.slot_mib)?;
        progress.step("writing the loader's files");
        let files = root.parts.files("a", &root.line)?;
        let paths = ["esp", "data", "disk"].map(|name| work.path(name));
        let [esp, data, disk] = paths.each_ref().map(PathBuf::as_path);
        fat::write(&files, ESP_MIB, "ESP", work.directory(), esp)?;
        write_data(data)?;

        progress.step(&format!("writing {}", output.display()));
        let kind = match self.target.architecture.as_str() {
            "aarch64" => Kind::RootAarch64,
            _ => Kind::RootX86_64,
        };
        let slot = |label, content| Partition { label, kind, mib: slot_mib, content };
        let partitions = [
            Partition { label: "esp", kind: Kind::Esp, mib: ESP_MIB, content: Some(esp) },
            slot("root-a", Some(&root.image)),
            slot("root-b", None),
            Partition { label: "data", kind: Kind::Var, mib: DATA_MIB, content: Some(data) },
        ];
        partitions::write(&partitions, &self.name, disk)?;
        if let Some(path) = upgrade {
            progress.step(&format!("writing {}", path.display()));
            let entry = |slot: &str| root.parts.entry(slot, &root.line);
            upgrade::write(&self.name, &self.target.architecture, &root.image, entry, path)?;
        }
        let manifest = self.manifest(&root, manifest::read(disk)?);
        fs::rename(disk, output).with_context(|| format!("cannot write {}", output.display()))?;
        write_json(&manifest, &beside(output, ".json"))?;
        Ok(manifest)
    }

    fn prepare(&self, work: &Work, progress: &Progress) -> Result<Prepared> {
        let none = Tree::default();
        let (efi, target) = (self.efi.as_deref(), &self.target);
        let (root, kernel, initrd, line) = match &self.root {
            Root::Files(root) => {
                let kernel = root::kernel(root)?;
                progress.step(&format!("packing the initramfs of Linux {}", kernel.version));
                let initrd = initrd::build(root, &kernel.version, target)?;
                (root, kernel, initrd, format!("rootfstype=erofs ro {}", self.command_line()))
            }
            Root::Image { kernel, initramfs, line, .. } => {
                let read = |path: &PathBuf| Content::Host(path.clone()).read();
                let kernel = root::Kernel { version: "NixOS".to_owned(), image: read(kernel)? };
                let words = self.words.join(" ");
                (&none, kernel, Initrd::of(read(initramfs)?), format!("{line} {words}"))
            }
        };
        let parts = loader::Source { root, efi, target }.take(&kernel, &initrd.bytes)?;
        for missing in &initrd.missing {
            progress.step(&format!("this kernel has no module {missing}"));
        }
        for missing in &parts.missing {
            progress.step(&format!("the root has no {missing}"));
        }
        let image = match &self.root {
            Root::Files(root) => self.write_root(root.clone(), work, progress)?,
            Root::Image { image, .. } => image.clone(),
        };
        let Initrd { missing: missing_modules, microcode, .. } = initrd;
        let (line, kernel) = (line.trim_end().to_owned(), kernel.version);
        Ok(Prepared { image, parts, line, kernel, missing_modules, microcode })
    }

    fn write_root(&self, mut root: Tree, work: &Work, progress: &Progress) -> Result<PathBuf> {
        progress.step("taking the sum of the root");
        root::settle(&mut root, &self.name, &self.profiles)?;
        progress.step("writing the root");
        let image = work.path("root");
        erofs(&root, &work.path("tree"), &image)?;
        Ok(image)
    }

    fn command_line(&self) -> String {
        command_line(&self.target, &self.words)
    }

    fn manifest(&self, root: &Prepared, image: manifest::Image) -> Manifest {
        Manifest {
            target: self.name.clone(),
            architecture: self.target.architecture.clone(),
            profiles: self.profiles.clone(),
            kernel: root.kernel.clone(),
            missing_modules: root.missing_modules.clone(),
            microcode: root.microcode.clone(),
            missing: root.parts.missing.clone(),
            image,
        }
    }
}

fn write_json(value: &impl Serialize, path: &Path) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut file = File::create(path).with_context(failed)?;
    serde_json::to_writer_pretty(&mut file, value).with_context(failed)
}

/// What the kernel is told: first the target's consoles, the best last, then the rest.
pub(crate) fn command_line(target: &Hardware, words: &[String]) -> String {
    let mut line: Vec<String> =
        target.boot.consoles.iter().map(|console| format!("console={console}")).collect();
    line.extend(target.boot.parameters.iter().map(|it| it.word.clone()));
    // A kernel that panics restarts, for the loader to try again.
    line.push("panic=10".to_owned());
    line.extend(words.iter().cloned());
    line.join(" ")
}

fn slot_size(used: u64, wanted: Option<u64>) -> Result<u64> {
    match wanted {
        Some(wanted) if wanted < used => {
            bail!("the root has {used} MiB: a slot of {wanted} MiB is too small for it")
        }
        Some(wanted) => Ok(wanted),
        None => {
            let room = used.saturating_add(used / 2).max(SLOT_MIB_MIN);
            Ok(room.next_multiple_of(SLOT_STEP_MIB))
        }
    }
}

/// The root as a file system that is only read. What could differ from one time to the next is
/// given: dates, the number, owners.
fn erofs(tree: &Tree, scratch: &Path, output: &Path) -> Result<()> {
    let unfolded = unfolded::Unfolded::new(tree, scratch)?;
    let mut mkfs = tool::command("mkfs.erofs")?;
    mkfs.args(["-zlz4", "-T", "0", "-U", ROOT_UUID, "--all-root"]).args([output, unfolded.path()]);
    tool::run(&mut mkfs).map(drop).context("cannot write the root")
}

/// An empty file system, to grow: with blocks of 4 KiB and a journal as for a large one.
fn write_data(output: &Path) -> Result<()> {
    let failed = "cannot write the partition data";
    File::create(output).and_then(|file| file.set_len(DATA_MIB << 20)).context(failed)?;
    let mut mke2fs = tool::command("mke2fs")?;
    // The second one is what mke2fs has always listened to, and Debian 12's does.
    mke2fs.env("SOURCE_DATE_EPOCH", "1").env("E2FSPROGS_FAKE_TIME", "1");
    mke2fs.args(["-q", "-t", "ext4", "-T", "default", "-b", "4096", "-J", "size=64", "-L", "data"]);
    let options = format!("hash_seed={DATA_UUID},root_owner=0:0,lazy_itable_init=1");
    mke2fs.args(["-U", DATA_UUID, "-E", &options]).arg(output);
    tool::run(&mut mke2fs).map(drop).context(failed)
}

/// Files on the way to a disk, removed at the end.
struct Work(PathBuf);

impl Work {
    fn new(directory: PathBuf) -> Result<Self> {
        if directory.exists() {
            // Of a run that was broken off.
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Self(directory))
    }

    fn directory(&self) -> &Path {
        &self.0
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What is left is beside the image, and seen.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_room_for_a_larger_root() {
        assert_eq!(slot_size(10, None).unwrap(), 512);
        assert_eq!(slot_size(700, None).unwrap(), 1280);
        assert_eq!(slot_size(700, Some(700)).unwrap(), 700);
        assert!(slot_size(700, Some(699)).is_err());
    }

    #[test]
    fn the_command_line_is_the_target_s() {
        let library = facts::Library::built_in();
        let target = library.hardware.get("rpi4").unwrap();
        let line = command_line(target, &["quiet".to_owned()]);
        let expected = "console=tty1 console=ttyAMA0,115200 cgroup_enable=memory panic=10 quiet";
        assert_eq!(line, expected);
    }
}
