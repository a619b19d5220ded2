//! The same files give the same image, whenever and in whatever order they were written.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, its helpers too")]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
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

/// Stand-ins for our programs, as `node-image/build-static` would leave them.
fn programs(root: &Path, mode: u32) {
    for architecture in ["x86_64", "aarch64"] {
        let directory = root.join(architecture);
        fs::create_dir_all(&directory).unwrap();
        for name in ["init", "supervise", "cooper-log", "svc"] {
            let path = directory.join(name);
            fs::write(&path, format!("{name} for {architecture}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let list = "serde 1.0.229 MIT OR Apache-2.0\n";
        fs::write(root.join(format!("{architecture}.crates")), list).unwrap();
    }
}

/// The base image as a tar file, and its index as a directory.
fn base_images(root: &Path) -> [Vec<u8>; 2] {
    let programs = root.join("programs");
    let programs = programs.to_str().unwrap();
    let [tar, directory] = ["image.tar", "image"].map(|name| root.join(name));
    for output in [&tar, &directory] {
        let output = output.to_str().unwrap();
        let run = node_image(&["build", "oci", "--programs", programs, "--output", output]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
    [tar, directory.join("index.json")].map(|path| fs::read(path).unwrap())
}

#[test]
fn the_base_image_is_the_same_wherever_it_was_built() {
    let directory = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "elsewhere/two"].map(|name| directory.path().join(name));
    programs(&one.join("programs"), 0o755);
    programs(&two.join("programs"), 0o700);
    let image = base_images(&one);
    assert_eq!(image, base_images(&two));

    let inspected = node_image(&["inspect", one.join("image.tar").to_str().unwrap(), "--json"]);
    let inspected: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let images = inspected["images"].as_array().unwrap();
    let architectures: Vec<_> = images.iter().map(|it| it["architecture"].as_str()).collect();
    assert_eq!(architectures, [Some("amd64"), Some("arm64")]);
    let init = "usr/lib/cooper/init";
    for image in images {
        let files = image["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["path"] == init).unwrap();
        assert_eq!(file["mode"], 0o100_755);
    }

    fs::write(two.join("programs/aarch64/init"), "another").unwrap();
    fs::remove_dir_all(two.join("image")).unwrap();
    assert_ne!(image, base_images(&two));
}
