//! Disks and the hardware clock, by the image's own fsck, mount, swapon and hwclock, from a boot to
//! what is left on the disks after it. Each step says its rule first.

use std::path::{Path, PathBuf};
use std::process::Command;

use node_image::tree::{Content, Entry, Tree};
use node_image::vm;
use serde_json::Value;

use crate::guest::{self, Guest};

/// A file system with an error that fsck can mend, and a swap file in it; swap; and nothing yet.
const MAKE: &str = "
mkdir root
echo kept > root/file
head -c 4M /dev/zero | tr '\\0' x > root/swapfile
chmod 600 root/swapfile
mkswap root/swapfile
truncate -s 32M data swap volume
mke2fs -q -t ext4 -b 4096 -L data -d root data
debugfs -w -R 'set_inode_field /file links_count 7' data
debugfs -w -R 'set_super_value state 2' data
mkswap -U 3f1c0a5e-5e0b-4f5e-9c53-1d5b6a1c7e02 swap
";
/// Names as an installer writes them; no udev has made links of them when they are needed.
const FSTAB: &str = "
LABEL=data      /data  ext4  defaults   0 2
UUID=3f1c0a5e-5e0b-4f5e-9c53-1d5b6a1c7e02  none  swap  sw,pri=5  0 0
/data/swapfile  none   swap  sw         0 0
";
/// For what else `node.toml` says of it, see the image's own.
const NODE: &str = "
[setup]
swap = true
rtc = \"local\"
";
/// What differs from the image's; what these two do at the end is said where it can be read.
const CHANGED: [&str; 3] = [
    "etc/cooper/node.toml",
    "etc/cooper/services/iscsi-sessions.toml.d/console.toml",
    "etc/cooper/services/pods.toml.d/console.toml",
];
const COMPILE: &str = "
mkdir -p usr/lib/cooper
cp -r \"$1/guest/etc\" .
cp -r \"$1/services\" usr/lib/cooper
echo \"$3\" >> etc/cooper/node.toml
for name in iscsi-sessions pods; do
  mkdir etc/cooper/services/$name.toml.d
  echo 'log = \"console\"' > etc/cooper/services/$name.toml.d/console.toml
done
\"$2\" compile --root . --output graph
";
/// QEMU's clock when it is switched on, and what that is in UTC where it is local time. Not after
/// the clock of whoever looks at the disks, as e2fsck takes that for an error.
pub const CLOCK: [&str; 2] = ["-rtc", "base=2026-02-03T03:04:05"];
const CLOCK_UTC: &str = "2026-02-02T22\n";
/// Five hours east of Greenwich, always; tzfile(5), the first version.
const ZONE: [u8; 54] = *b"TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x04\
    \0\0\x46\x50\0\0\
    EAS\0";

/// The disks of one machine: /dev/vda, /dev/vdb, /dev/vdc.
pub struct Disks(tempfile::TempDir);

impl Disks {
    /// New ones.
    pub fn make() -> Self {
        let disks = Self(tempfile::tempdir().unwrap());
        disks.ask(MAKE);
        disks
    }

    /// For QEMU.
    pub fn words(&self) -> Vec<String> {
        ["data", "swap", "volume"].iter().flat_map(|name| vm::disk(&self.path(name))).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs shell where they are, on this machine; what it prints.
    fn ask(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        let output = command.args(["-ec", script]).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The files of the machine that has them, laid over the image's.
pub fn files() -> Tree {
    let mut tree = Tree::default();
    let mut put = |path: &str, bytes: &[u8]| {
        let content = Content::Bytes(bytes.to_vec());
        tree.insert(path, Entry::File { mode: 0o644, content }).unwrap();
    };
    put("etc/fstab", FSTAB.as_bytes());
    put("etc/modules", b"virtio_blk\n");
    put("etc/localtime", &ZONE);
    let own = tempfile::tempdir().unwrap();
    compile(own.path());
    put("var/lib/cooper/graph/image", &std::fs::read(own.path().join("graph")).unwrap());
    for path in CHANGED {
        put(path, &std::fs::read(own.path().join(path)).unwrap());
    }
    tree
}

/// The image's graph, but for what is said above, made in a directory.
fn compile(own: &Path) {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("node-image");
    let svc = guest::node(std::env::consts::ARCH).join("bin/svc");
    let mut command = Command::new("sh");
    command.args(["-ec", COMPILE, "sh"]).arg(&top).arg(&svc).arg(NODE).current_dir(own);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What fsck can mend is mended, and only then mounted; swap is used by whatever name it has; and
/// nothing is done twice.
pub fn what_fstab_lists_is_mended_and_used(guest: &mut Guest) {
    let said = guest.run("svc logs filesystems");
    assert!(said.contains("Inode 12 ref count is 7, should be 1"), "by fsck itself: {said}");
    assert!(said.contains("LABEL=data: with errors → mended"), "{said}");
    let mount = guest.run("grep ' /data ' /proc/mounts");
    assert!(mount.starts_with("/dev/vda /data ext4 rw"), "{mount}");
    assert_eq!(guest.run("cat /data/file"), "kept\n");
    let swaps = guest.run("cat /proc/swaps");
    let of = |device: &str| {
        let line = swaps.lines().find(|line| line.starts_with(device));
        line.unwrap_or_else(|| panic!("{device}: {swaps}")).split_whitespace().last()
    };
    assert_eq!(of("/dev/vdb"), Some("5"), "the priority is fstab's");
    of("/data/swapfile");
    for name in ["filesystems", "swap"] {
        guest.run(&format!("svc restart {name}"));
        let said = guest.run(&format!("svc logs -n 1 {name}"));
        assert!(said.contains(" 0 changed, ") && said.contains(" 0 could not"), "{name}: {said}");
    }
}

/// A hardware clock in local time is taken for what it is, once in a boot.
pub fn the_hardware_clock_may_be_local(guest: &mut Guest) {
    let said = guest.run("svc logs clock");
    assert!(said.contains("hardware clock: UTC → local time"), "{said}");
    let hour = "date -u +%Y-%m-%dT%H";
    assert_eq!(guest.run(hour), CLOCK_UTC, "{said}");
    guest.run("svc restart clock");
    assert_eq!(guest.run(hour), CLOCK_UTC);
}

/// Who follows the node's services to the end sees in which order they stop. It is nobody's
/// process, so that nobody stops it.
pub fn somebody_watches(guest: &mut Guest) {
    let watch = "echo 0 > /sys/fs/cgroup/cgroup.procs; exec svc watch --json > /data/watch";
    guest.run(&format!("setsid sh -c '{watch}' > /dev/null 2>&1 &"));
    guest.run("until test -s /data/watch; do sleep 0.1; done");
}

/// Pods' volumes, then the runtime, then the sessions that they came by, then the network and the
/// daemon that logs out; and what was written has arrived. (What stops at once is seen at once:
/// the network needs no time, so nothing tells whether it went before iscsid or after.)
pub fn it_ended_in_order_and_nothing_was_lost(disks: &Disks, console: &str) {
    let watched = disks.ask("debugfs -R 'cat /watch' data");
    let downs: Vec<String> = watched.lines().filter_map(down).collect();
    let last = |name: &str| {
        let at = downs.iter().rposition(|down| down == name);
        at.unwrap_or_else(|| panic!("{name} did not stop: {downs:?}"))
    };
    for (first, then) in [
        ("pods", "containerd"),
        ("containerd", "iscsi-sessions"),
        ("iscsi-sessions", "iscsid"),
        ("iscsi-sessions", "network-static"),
    ] {
        assert!(last(first) < last(then), "{first} before {then}: {downs:?}");
    }
    // A container that is being removed meanwhile may have one more.
    for said in ["mounts of pods are unmounted", "end iscsi: 1 sessions are logged out"] {
        assert!(console.contains(said), "{said}:\n{console}");
    }
    // A swap file in use would have kept its file system mounted, and init would have said so.
    for disk in ["data", "volume"] {
        disks.ask(&format!("e2fsck -fn {disk}"));
        let head = disks.ask(&format!("dumpe2fs -h {disk}"));
        let is_clean = head.lines().any(|line| line.split_whitespace().last() == Some("clean"));
        assert!(is_clean && !head.contains("needs_recovery"), "{disk}: {head}");
    }
    assert_eq!(disks.ask("debugfs -R 'cat /file' volume"), crate::services::VOLUME_HOLDS);
}

/// The service that a line of `svc watch --json` says is down.
fn down(line: &str) -> Option<String> {
    let service: Value = serde_json::from_str(line).ok()?;
    (service["state"] == "down").then(|| service["name"].as_str().map(str::to_owned))?
}
