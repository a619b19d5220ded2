//! The same files give the same image, whenever and in whatever order they were written.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, its helpers too")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

fn node_image(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_node-image")).args(arguments).output().unwrap()
}

fn pack(arguments: &[&str]) -> Output {
    node_image(&[&["pack"], arguments].concat())
}

/// The same files, made in the order given, dated `age` ago.
fn checkout(root: &Path, names: &[&str], age: Duration) {
    fs::create_dir_all(root.join("bin")).unwrap();
    symlink("busybox", root.join("bin/sh")).unwrap();
    let date = SystemTime::now().checked_sub(age).unwrap();
    for name in names {
        let path = root.join(name);
        fs::write(&path, format!("the content of {name}")).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
    }
}

fn images(root: &Path, output: &Path) -> [Vec<u8>; 2] {
    let (root, output) = (root.to_str().unwrap(), output.to_str().unwrap());
    let initramfs =
        ["initramfs", "--lay", root, "--link", "init:bin/sh", "--directory", "run", "-o", output];
    let lay = format!("{root}:usr");
    let oci = ["oci", "--lay", &lay, "--name", "a/b:1", "--architecture", "arm64", "-o", output];
    [&initramfs[..], &[&oci[..], &["--", "/bin/sh"]].concat()].map(|arguments| {
        let run = pack(arguments);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        fs::read(output).unwrap()
    })
}

#[test]
fn the_same_files_make_the_same_images() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two, output] = ["one", "two", "image"].map(|name| directory.path().join(name));
    checkout(&one, &["bin/busybox", "motd", "z"], Duration::ZERO);
    checkout(&two, &["z", "motd", "bin/busybox"], Duration::from_secs(1_000_000));
    assert_eq!(images(&one, &output), images(&two, &output));

    // Were the images empty, the above would hold just as well.
    fs::write(two.join("motd"), "another content").unwrap();
    let ([first, second], [third, fourth]) = (images(&one, &output), images(&two, &output));
    assert_ne!(first, third);
    assert_ne!(second, fourth);
}

#[test]
fn an_image_that_cannot_be_made_leaves_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("image");
    fs::write(&output, "old").unwrap();
    let run = pack(&["initramfs", "--lay", "/nonexistent/root", "-o", output.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.starts_with("node-image: fatal: cannot look at /nonexistent/root: "), "{said}");
    assert_eq!(fs::read(&output).unwrap(), b"old");
}

#[test]
fn a_wrong_call_ends_with_100() {
    assert_eq!(pack(&["initramfs"]).status.code(), Some(100));
    assert_eq!(node_image(&["--help"]).status.code(), Some(0));
}
