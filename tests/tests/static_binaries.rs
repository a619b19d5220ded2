//! What must be true of the binaries that a node runs. `tests/run static` builds them for both
//! architectures and names their directory in `STATIC`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::PathBuf;
use std::process::Command;

const ARCHES: [&str; 2] = ["x86_64", "aarch64"];
const PROGRAMS: [&str; 6] = ["init", "supervise", "cooper-log", "svc", "node-setup", "login1"];

fn program(arch: &str, name: &str) -> PathBuf {
    let root = std::env::var_os("STATIC").expect("STATIC names the built binaries");
    PathBuf::from(root).join(arch).join(name)
}

fn readelf(words: &[&str], path: &PathBuf) -> String {
    let output = Command::new("readelf").args(words).arg(path).output().expect("binutils");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_program_is_static_and_of_its_architecture() {
    // A node's own tree must not depend on a libc that an upgrade replaces under it.
    for (arch, machine) in ARCHES.into_iter().zip(["X86-64", "AArch64"]) {
        for name in PROGRAMS {
            let path = program(arch, name);
            assert!(readelf(&["-h"], &path).contains(machine), "{path:?} is not for {arch}");
            let segments = readelf(&["-lW"], &path);
            assert!(!segments.contains("INTERP"), "{path:?} wants a dynamic linker");
            assert!(!readelf(&["-dW"], &path).contains("NEEDED"), "{path:?} wants a library");
            assert!(!segments.contains("RWE"), "{path:?} has memory to write and execute");
        }
    }
}

#[test]
fn sizes_keep_to_their_budget() {
    // Bytes. A program that grows past this has grown a dependency: look at which.
    let budgets = [("init", 64 << 10), ("supervise", 1 << 20), ("cooper-log", 1 << 20)];
    let tools = [("svc", 3 << 20), ("node-setup", 1 << 20), ("login1", 384 << 10)];
    for arch in ARCHES {
        for (name, most) in budgets.into_iter().chain(tools) {
            let size = std::fs::metadata(program(arch, name)).expect("it was built").len();
            println!("{arch} {name}: {size} bytes");
            assert!(size < most, "{arch} {name}: {size} bytes, the budget is {most}");
        }
    }
}

#[test]
fn what_they_are_built_from_can_be_read() {
    for arch in ARCHES {
        let root = PathBuf::from(std::env::var_os("STATIC").expect("STATIC names the programs"));
        let list = std::fs::read_to_string(root.join(format!("{arch}.crates"))).expect("a list");
        let crates = node_image::sbom::crates(&list).expect("a crate in each line");
        assert!(crates.iter().any(|it| it.name == "rustix" && it.license.contains("MIT")));
    }
}

#[test]
fn no_program_names_the_directory_that_it_was_built_in() {
    // The same source gives the same bytes wherever it lies, and tells nobody where that was.
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let top = std::fs::canonicalize(top).expect("it exists");
    let top = top.to_str().expect("text").as_bytes();
    for arch in ARCHES {
        for name in PROGRAMS {
            let bytes = std::fs::read(program(arch, name)).expect("it was built");
            let found = bytes.windows(top.len()).any(|window| window == top);
            assert!(!found, "{arch} {name} names {top:?}");
        }
    }
}
