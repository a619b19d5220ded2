//! The initramfs of a disk: `node-setup` as `/init`, and the modules that find the root.

use anyhow::{Context, Result, bail};
use facts::Hardware;

use super::root::{modules as kernel_modules, names};
use crate::packing::Packing;
use crate::tree::{Entry, Tree};
use crate::{initramfs, modules};

/// What is on our disks, and how it is told which one was booted from.
const OURS: [&str; 4] = ["erofs", "ext4", "overlay", "efivarfs"];
const NODE_SETUP: &str = "usr/lib/cooper/node-setup";
/// File systems of other roots, which a target's list has for them.
const OTHERS: [&str; 1] = ["xfs"];
/// Microcode, by vendor: Debian's and Alpine's firmware directories, and where the kernel looks in
/// an archive that comes first (Documentation/arch/x86/microcode.rst).
const MICROCODE: [(&str, &str); 2] =
    [("amd-ucode", "AuthenticAMD.bin"), ("intel-ucode", "GenuineIntel.bin")];
const FIRMWARE: [&str; 2] = ["usr/lib/firmware", "lib/firmware"];

/// An initramfs.
#[derive(Debug)]
pub struct Initrd {
    /// The archive; before it one of microcode, if the root has some.
    pub bytes: Vec<u8>,
    /// Modules that the target wants and this kernel has not.
    pub missing: Vec<String>,
    /// Whose microcode is in it: `amd-ucode`, `intel-ucode`.
    pub microcode: Vec<String>,
}

impl Initrd {
    /// Somebody else's.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, missing: Vec::new(), microcode: Vec::new() }
    }
}

/// Makes it of a root.
pub fn build(root: &Tree, version: &str, target: &Hardware) -> Result<Initrd> {
    let mut tree = Tree::default();
    for (path, entry) in kernel_modules(root) {
        if path.starts_with(version) {
            tree.insert(&format!("usr/lib/modules/{path}"), entry.clone())?;
        }
    }
    let ours = OURS.iter().map(|name| (*name).to_owned());
    let mut wanted: Vec<String> = target.boot.initramfs.iter().cloned().chain(ours).collect();
    let mut once = std::collections::BTreeSet::new();
    wanted.retain(|name| !OTHERS.contains(&name.as_str()) && once.insert(name.clone()));
    let missing = modules::missing(&tree, &wanted)?;
    wanted.retain(|name| !missing.contains(name));
    modules::keep(&mut tree, &wanted)?;

    let Some(Entry::File { content, .. }) = root.entry(NODE_SETUP) else {
        bail!("the root has no /{NODE_SETUP}: is Cooper installed in it?");
    };
    tree.insert("init", Entry::File { mode: 0o755, content: content.clone() })?;
    tree.insert("etc/initrd-release", Entry::file("ID=cooper\n".to_owned()))?;
    tree.insert("etc/modules.json", Entry::file(table(&wanted)?))?;
    tree.insert("lib", Entry::Symlink("usr/lib".to_owned()))?;
    tree.insert("dev/console", Entry::Device(0o600, 5, 1))?;
    for path in ["proc", "run", "sys", "sysroot"] {
        tree.insert(path, Entry::Directory(0o755))?;
    }
    let (mut bytes, microcode) = early(root, target)?;
    initramfs::write(&tree, Packing::Gzip, &mut bytes)?;
    Ok(Initrd { bytes, missing, microcode })
}

/// As `node-setup modules` reads its section: each is optional, as no machine has all devices.
fn table(wanted: &[String]) -> Result<String> {
    let entry = |name: &String| facts::Module {
        name: name.clone(),
        options: String::new(),
        optional: true,
        why: "the boot".to_owned(),
        source: "the initramfs".to_owned(),
        by: Vec::new(),
    };
    let modules: Vec<facts::Module> = wanted.iter().map(entry).collect();
    let blacklist: Vec<facts::Module> = Vec::new();
    let table = serde_json::json!({ "modules": modules, "blacklist": blacklist });
    serde_json::to_string(&table).context("cannot write the table of modules")
}

/// The archive of microcode, unpacked, as the kernel wants it.
pub(crate) fn early(root: &Tree, target: &Hardware) -> Result<(Vec<u8>, Vec<String>)> {
    let (mut bytes, mut vendors) = (Vec::new(), Vec::new());
    if target.architecture != "x86_64" {
        return Ok((bytes, vendors));
    }
    let mut tree = Tree::default();
    for (directory, file) in MICROCODE {
        let mut all = Vec::new();
        for firmware in FIRMWARE {
            let directory = format!("{firmware}/{directory}");
            for name in names(root, &directory) {
                let is_text =
                    name.to_ascii_lowercase().starts_with("readme") || name.ends_with(".asc");
                match root.entry(&format!("{directory}/{name}")) {
                    Some(Entry::File { content, .. }) if !is_text => all.extend(content.read()?),
                    _ => {}
                }
            }
        }
        if !all.is_empty() {
            tree.insert(&format!("kernel/x86/microcode/{file}"), Entry::file(all))?;
            vendors.push(directory.to_owned());
        }
    }
    if !vendors.is_empty() {
        initramfs::write(&tree, Packing::None, &mut bytes)?;
        // The kernel looks for the next archive at multiples of four bytes.
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    Ok((bytes, vendors))
}
