//! A disk for each hardware target (`tests/run targets` builds them, and names their directory in
//! `TARGETS`): opened again, and compared with what it was made of.

#![allow(clippy::arithmetic_side_effects, clippy::expect_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use facts::{Hardware, Library};
use node_image::disk::manifest::{self, Manifest};
use node_image::disk::partitions::Kind;

/// A file of each of Debian's firmware packages, by the beginning of its path.
const FIRMWARE: [(&str, &str); 13] = [
    ("amd64-microcode", "usr/lib/firmware/amd-ucode/"),
    ("firmware-amd-graphics", "usr/lib/firmware/amdgpu/"),
    ("firmware-bnx2x", "usr/lib/firmware/bnx2x/"),
    ("firmware-brcm80211", "usr/lib/firmware/brcm/"),
    ("firmware-intel-graphics", "usr/lib/firmware/i915/"),
    ("firmware-intel-misc", "usr/lib/firmware/intel/ice/ddp/"),
    ("firmware-iwlwifi", "usr/lib/firmware/iwlwifi-"),
    ("firmware-linux", "usr/lib/firmware/amdgpu/"),
    ("firmware-mediatek", "usr/lib/firmware/mediatek/"),
    ("firmware-realtek", "usr/lib/firmware/rtl_nic/"),
    ("firmware-sof-signed", "usr/lib/firmware/intel/sof"),
    ("intel-microcode", "usr/lib/firmware/intel-ucode/"),
    ("wireless-regdb", "usr/lib/firmware/regulatory.db"),
];

fn directory() -> PathBuf {
    std::env::var_os("TARGETS").expect("TARGETS names the built disks").into()
}

#[test]
fn each_target_has_a_disk_that_is_what_its_manifest_says() {
    let library = Library::built_in();
    assert!(library.hardware.len() >= 10, "all of them");
    for (name, target) in &library.hardware {
        let disk = directory().join(format!("{name}.img"));
        let text = fs::read(directory().join(format!("{name}.img.json"))).expect("a manifest");
        let made: Manifest = serde_json::from_slice(&text).expect("a manifest");
        let read = manifest::read(&disk).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        assert_eq!(read, made.image, "{name}");
        assert_eq!((&made.target, &made.architecture), (name, &target.architecture));
        partitions(name, target, &read);
        parameters(name, target, &read);
        loader(name, target, &made);
        firmware(name, target, &made, &disk);
        let used = fs::metadata(&disk).expect("the disk").blocks() * 512;
        eprintln!(
            "{name}: {} MB are used; {} files of the loader; missing: {:?} {:?}",
            used / 1_000_000,
            read.loader.len(),
            made.missing,
            made.missing_modules
        );
    }
}

fn partitions(name: &str, target: &Hardware, image: &manifest::Image) {
    let root = if target.architecture == "aarch64" { Kind::RootAarch64 } else { Kind::RootX86_64 };
    let found: Vec<_> =
        image.partitions.iter().map(|it| (it.label.as_str(), it.kind.as_str())).collect();
    let expected = [
        ("esp", Kind::Esp.uuid()),
        ("root-a", root.uuid()),
        ("root-b", root.uuid()),
        ("data", Kind::Var.uuid()),
    ];
    assert_eq!(found, expected, "{name}");
    let [_, one, other, _] = &image.partitions[..] else { panic!("{name}: four") };
    assert_eq!(one.size, other.size, "{name}: a root fits both slots");
}

/// The kernel is told what the target's table says, the best console last.
fn parameters(name: &str, target: &Hardware, image: &manifest::Image) {
    let lines: Vec<&String> = image.command_lines.values().collect();
    let [line] = &lines[..] else { panic!("{name}: {lines:?}") };
    let words: Vec<&str> = line.split(' ').collect();
    assert!(words.contains(&"root=PARTLABEL=root-a"), "{name}: {line}");
    let consoles: Vec<&str> = words.iter().filter_map(|it| it.strip_prefix("console=")).collect();
    assert_eq!(consoles, target.boot.consoles, "{name}");
    for parameter in &target.boot.parameters {
        assert!(words.contains(&parameter.word.as_str()), "{name}: {line}");
    }
}

/// What the machine's own firmware looks for is there, by name.
fn loader(name: &str, target: &Hardware, made: &Manifest) {
    let has = |path: &str| made.image.loader.contains_key(path);
    match target.boot.method.as_str() {
        "uefi" => {
            let program =
                if target.architecture == "aarch64" { "BOOTAA64.EFI" } else { "BOOTX64.EFI" };
            assert!(has(&format!("EFI/BOOT/{program}")), "{name}");
            assert!(has("EFI/Linux/cooper-1-a+3.efi"), "{name}");
        }
        "raspberry-pi" => {
            for path in ["config.txt", "a/vmlinuz", "a/initramfs", "a/cmdline.txt"] {
                assert!(has(path), "{name}: {path}");
            }
            let is_there = |tree: &&String| has(&format!("a/{tree}"));
            let (there, missing): (Vec<_>, Vec<_>) =
                target.boot.device_trees.iter().partition(is_there);
            assert!(!there.is_empty(), "{name}");
            assert_eq!(missing, made.missing.iter().collect::<Vec<_>>(), "{name}");
            if name == "rpi4" {
                assert!(has("start4.elf") && has("fixup4.dat"), "{name}");
            }
        }
        other => panic!("{name}: {other}"),
    }
}

/// Every package of firmware that the target names has left its files in the root, and microcode is
/// in the initramfs.
fn firmware(name: &str, target: &Hardware, made: &Manifest, disk: &Path) {
    let scratch = tempfile::tempdir().expect("room");
    let files = root_files(made, disk, scratch.path());
    assert!(files.contains("usr/lib/cooper/init"), "{name}");
    for package in target.firmware.iter().filter_map(|it| it.debian.as_deref()) {
        if let Some((_, begin)) = FIRMWARE.iter().find(|(it, _)| *it == package) {
            assert!(files.iter().any(|path| path.starts_with(begin)), "{name}: {package}");
        } else {
            assert_eq!(package, "raspi-firmware", "{name}: what does it have?");
        }
        if let Some(vendor) = package.strip_suffix("-microcode") {
            let vendor = format!("{}-ucode", vendor.trim_end_matches("64"));
            assert!(made.microcode.contains(&vendor), "{name}: {:?}", made.microcode);
        }
    }
}

fn root_files(made: &Manifest, disk: &Path, scratch: &Path) -> BTreeSet<String> {
    let root = made.image.partitions.iter().find(|it| it.label == "root-a").expect("a root");
    let (image, tree) = (scratch.join("root"), scratch.join("tree"));
    let mut from = File::open(disk).expect("the disk");
    from.seek(SeekFrom::Start(root.start * 512)).expect("it is that large");
    let mut to = File::create(&image).expect("room");
    io::copy(&mut from.take(root.size * 512), &mut to).expect("room");
    let extract = Command::new("fsck.erofs")
        .arg(format!("--extract={}", tree.display()))
        .arg(&image)
        .output()
        .expect("erofs-utils");
    assert!(extract.status.success(), "{}", String::from_utf8_lossy(&extract.stderr));
    let mut files = BTreeSet::new();
    walk(&tree, "", &mut files);
    files
}

fn walk(directory: &Path, above: &str, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let path = format!("{above}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a type").is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path);
        }
    }
}
