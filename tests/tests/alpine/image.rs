//! Roots that `alpine/image` makes.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{given, image, made, ours, read, run};

#[test]
fn a_root_has_what_the_target_and_the_profiles_need() {
    let scratch = tempfile::tempdir().expect("a directory");
    let root = scratch.path().join("root");
    made(&root, &[ours("0.1.0")], &["--hostname", "node-7"]);

    let world = read(&root.join("etc/apk/world"));
    for package in ["alpine-base", "cooper", "linux-lts", "kubelet", "linux-firmware-rtl_nic"] {
        assert!(world.lines().any(|line| line == package), "{package}: {world}");
    }
    // Services come with the daemons that they run, and no others.
    let has = |service: &str| root.join(format!("usr/lib/cooper/services/{service}.toml")).exists();
    assert!(has("containerd") && has("kubelet") && has("sshd") && has("mdevd") && has("mounts"));
    assert!(!has("tailscaled") && !has("k3s"));
    assert!(root.join("usr/sbin/rc-service").exists(), "OpenRC is there, and so is its shim");

    assert_eq!(
        read(&root.join("etc/cooper/node.toml")).lines().skip(1).collect::<Vec<_>>(),
        [
            "profiles = [\"kubeadm\", \"flannel\"]",
            "hardware = \"n100\"",
            "services = [\"mdevd\", \"mdevd-coldplug\", \"network-dhcp\"]",
        ]
    );
    assert_eq!(read(&root.join("etc/hostname")), "node-7\n");
    assert!(fs::metadata(root.join("var/lib/cooper/graph/current")).expect("a graph").len() > 1000);
    // mkinitfs was told where the root is: its stand-in lists the modules.
    assert_eq!(read(&root.join("boot/initramfs-lts")), "kernel/drivers/nvme/host/nvme.ko\n");
    assert!(!root.join("etc/machine-id").exists());
    assert_busybox_is_init(&root);
}

/// What boots without Cooper is Alpine's, as long as cooper-init is not installed.
fn assert_busybox_is_init(root: &Path) {
    for name in ["init", "poweroff", "reboot", "halt"] {
        let to = fs::read_link(root.join("sbin").join(name)).expect("a link");
        assert_eq!(to, Path::new("/bin/busybox"), "{name}");
    }
}

#[test]
fn the_menu_boots_cooper_and_has_a_way_back() {
    let scratch = tempfile::tempdir().expect("a directory");
    let root = scratch.path().join("root");
    made(&root, &[ours("0.1.0")], &["--root", "LABEL=system"]);
    let expected = "\
timeout: 3

/Cooper
    protocol: linux
    path: boot():/vmlinuz-lts
    module_path: boot():/intel-ucode.img
    module_path: boot():/initramfs-lts
    cmdline: root=LABEL=system rootfstype=ext4 ro console=tty0 init=/usr/lib/cooper/init

/rescue (OpenRC, without Cooper)
    protocol: linux
    path: boot():/vmlinuz-lts
    module_path: boot():/intel-ucode.img
    module_path: boot():/initramfs-lts
    cmdline: root=LABEL=system rootfstype=ext4 ro console=tty0
";
    assert_eq!(read(&root.join("boot/limine.conf")), expected);
    // All that it names is there, and /boot needs nothing outside of it.
    for path in ["vmlinuz-lts", "initramfs-lts", "intel-ucode.img", "EFI/BOOT/BOOTX64.EFI"] {
        let metadata = fs::symlink_metadata(root.join("boot").join(path)).expect(path);
        assert!(metadata.is_file() && metadata.len() > 0, "{path}");
    }
}

#[test]
fn cooper_init_takes_over_and_gives_back() {
    let scratch = tempfile::tempdir().expect("a directory");
    let root = scratch.path().join("root");
    made(&root, &[ours("0.1.0")], &["--package", "cooper-init"]);
    let link = |name: &str| fs::read_link(root.join("sbin").join(name)).expect("a link");
    assert_eq!(link("init"), Path::new("../usr/lib/cooper/init"));
    assert_eq!(link("poweroff"), Path::new("../usr/bin/svc"));
    // Going through the links gives programs that run.
    for (name, word) in [("sbin/init", "supervise"), ("sbin/reboot", "Cooper")] {
        assert!(run(Command::new(root.join(name)).arg("--help")).contains(word), "{name}");
    }
    // As apk does when it is deleted: its files go, then its script runs.
    let script = run(Command::new("tar")
        .args(["-xzOf"])
        .arg(crate::package("cooper-init"))
        .arg(".post-deinstall"));
    for name in ["init", "poweroff", "reboot", "halt"] {
        fs::remove_file(root.join("sbin").join(name)).expect("it was there");
    }
    run(Command::new("chroot").arg(&root).args(["/bin/sh", "-c", &script]));
    assert_busybox_is_init(&root);
}

#[test]
fn a_later_version_is_taken_whole() {
    let scratch = tempfile::tempdir().expect("a directory");
    let root = scratch.path().join("root");
    made(&root, &[ours("0.1.0"), ours("0.2.0")], &[]);
    let installed = ["usr/lib/apk/db/installed", "lib/apk/db/installed"]
        .iter()
        .find_map(|path| fs::read_to_string(root.join(path)).ok())
        .expect("a database");
    let versions: Vec<&str> = installed
        .split("\n\n")
        .filter(|package| package.lines().any(|line| line == "o:cooper"))
        .filter_map(|package| package.lines().find(|line| line.starts_with("V:")))
        .collect();
    assert!(versions.len() > 5, "{versions:?}");
    assert!(versions.iter().all(|version| *version == "V:0.2.0-r0"), "{versions:?}");
}

#[test]
fn a_repository_that_nobody_vouches_for_is_refused() {
    let scratch = tempfile::tempdir().expect("a directory");
    let key = scratch.path().join("key.rsa");
    run(Command::new("openssl").args(["genrsa", "-out"]).arg(&key).arg("2048"));
    // Of the right name, and another key.
    let public = scratch.path().join("key.rsa.pub");
    run(Command::new("openssl").args(["rsa", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public));
    let root = scratch.path().join("root");
    let output = image(&root, &[ours("0.1.0")], &public, &[]);
    assert!(!output.status.success());
    assert!(!root.join("usr/bin/svc").exists());
}

#[test]
fn the_same_packages_make_the_same_root() {
    let scratch = tempfile::tempdir().expect("a directory");
    let sums = ["one", "two"].map(|name| {
        let root = scratch.path().join(name);
        made(&root, &[ours("0.1.0")], &[]);
        let sum = "find . -type f ! -path ./etc/apk/repositories | sort | xargs sha256sum; \
                   find . -printf '%p %m %l\\n' | sort";
        run(Command::new("sh").args(["-c", sum]).current_dir(&root))
    });
    assert!(sums[0].lines().count() > 100);
    let differs: Vec<_> = sums[0].lines().zip(sums[1].lines()).filter(|(a, b)| a != b).collect();
    assert!(sums[0].len() == sums[1].len() && differs.is_empty(), "{differs:?}");
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let scratch = tempfile::tempdir().expect("a directory");
    let refused = |target: &str, profile: &str| {
        let output = Command::new(crate::top().join("alpine/image"))
            .args(["--target", target, "--profile", profile, "--repository", "x", "--key", "x"])
            .arg("--node-image")
            .arg(given("NODE_IMAGE"))
            .args(["--apk", "true"])
            .arg(scratch.path().join("root"))
            .output()
            .expect("it runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused("jetson-orin-nano", "base").contains("does not run with musl"));
    assert!(refused("epyc", "gpu-nvidia").contains("does not run with musl"));
    assert!(refused("n101", "base").contains("n101"));
}
