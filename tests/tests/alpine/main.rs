//! Cooper's packages for Alpine, and roots that `alpine/image` makes of them, from the repositories
//! of `tests/alpine/repository`.
//!
//! `ALPINE` is that directory, `STATIC` the one with our static programs. `APK` is what installs:
//! by default `tests/alpine/apk`, which needs `APKO`; with a real apk-tools, and the feature `apk`,
//! what only that can do is tested as well.

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod disk;
mod image;
mod names;
mod packages;
#[cfg(feature = "apk")]
mod real;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository's top directory.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// A directory that tests/run names.
fn given(name: &str) -> PathBuf {
    let value = std::env::var_os(name);
    value.unwrap_or_else(|| panic!("{name} is not set: tests/run alpine does")).into()
}

/// What a command printed; it must succeed.
fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {said}");
    String::from_utf8(stdout).expect("text")
}

/// Paths of the files in a package.
fn files(package: &Path) -> Vec<String> {
    let listed = run(Command::new("tar").arg("-tzf").arg(package));
    listed.lines().filter(|path| !path.ends_with('/')).map(str::to_owned).collect()
}

fn ours(version: &str) -> PathBuf {
    given("ALPINE").join(format!("ours-{version}"))
}

/// The package NAME of ours.
fn package(name: &str) -> PathBuf {
    ours("0.1.0").join(format!("x86_64/{name}-0.1.0-r0.apk"))
}

fn installer() -> PathBuf {
    std::env::var_os("APK").map_or_else(|| top().join("tests/alpine/apk"), PathBuf::from)
}

/// `alpine/image` for an N100 with kubeadm, from these of our repositories, into `root`.
fn image(root: &Path, ours: &[PathBuf], key: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(top().join("alpine/image"));
    command.args(["--target", "n100", "--profile", "kubeadm,flannel"]).args(more);
    command.arg("--apk").arg(installer()).arg("--node-image").arg(given("NODE_IMAGE"));
    command.arg("--repository").arg(given("ALPINE").join("alpine"));
    for repository in ours {
        command.arg("--repository").arg(repository);
    }
    command.arg("--key").arg(key).arg(root).output().expect("alpine/image runs")
}

/// The same, which must succeed.
fn made(root: &Path, ours: &[PathBuf], more: &[&str]) {
    let output = image(root, ours, &given("ALPINE").join("key.rsa.pub"), more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
