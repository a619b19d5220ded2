//! What is in the packages, and that it is the same each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::{files, given, ours, package, run, top};

#[test]
fn every_service_is_in_one_package() {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in fs::read_dir(ours("0.1.0").join("x86_64")).expect("packages") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "apk") {
            continue;
        }
        for file in files(&path) {
            if let Some(service) = file.strip_prefix("usr/lib/cooper/services/") {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                found.entry(service.to_owned()).or_default().push(name);
            }
        }
    }
    let shipped: BTreeSet<String> = fs::read_dir(top().join("node-image/services"))
        .expect("services")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), shipped);
    let twice: Vec<_> = found.iter().filter(|(_, packages)| packages.len() != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(found["sshd.toml"], ["cooper-openssh-server-0.1.0-r0.apk"]);
    assert_eq!(found["mounts.toml"], ["cooper-0.1.0-r0.apk"]);
}

#[test]
fn programs_are_where_docs_say() {
    let cooper = files(&package("cooper"));
    for program in ["init", "supervise", "cooper-log", "node-setup", "login1"] {
        assert!(cooper.contains(&format!("usr/lib/cooper/{program}")), "{program}");
    }
    assert!(cooper.contains(&"usr/bin/svc".to_owned()));
    // Nothing of it is where Alpine's own init looks: that is for cooper-init, and who installs it.
    assert!(!cooper.iter().any(|path| path.starts_with("sbin/")), "{cooper:?}");
    let init = files(&package("cooper-init"));
    for link in ["init", "poweroff", "reboot", "halt"] {
        assert!(init.contains(&format!("sbin/{link}")), "{link}: {init:?}");
    }
    assert!(files(&package("cooper-doc")).contains(&"usr/share/doc/cooper/init.md".to_owned()));
}

#[test]
fn completions_come_with_their_shells() {
    let shells = [("bash", "bash-completion"), ("zsh", "zsh"), ("fish", "fish")];
    for (shell, with) in shells {
        let path = package(&format!("cooper-{shell}-completion"));
        let info = run(Command::new("tar").args(["-xzOf"]).arg(&path).arg(".PKGINFO"));
        assert!(info.contains(&format!("install_if = cooper=0.1.0-r0 {with}\n")), "{info}");
        assert!(files(&path).iter().any(|file| file.starts_with("usr/share/")));
    }
}

#[test]
fn the_same_source_makes_the_same_packages_anywhere() {
    // In a directory of another name, made under another umask, on another day.
    let scratch = tempfile::tempdir().expect("a directory");
    let copy = scratch.path().join("else where");
    let copying = "umask 077; mkdir -p \"$1/node-image\"; cp -r README.md LICENSE docs alpine \"$1\"; \
                   cp -r node-image/services \"$1/node-image\"; find \"$1\" -exec touch -d @1 {} +";
    run(Command::new("sh").args(["-c", copying, "sh"]).arg(&copy).current_dir(top()));
    let other = scratch.path().join("repository");
    let mut build = Command::new("sh");
    build.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(copy.join("alpine/build"));
    build.args(["packages", "x86_64"]).arg(given("STATIC").join("x86_64"));
    build.arg(given("ALPINE").join("key.rsa")).arg(&other).process_group(0);
    run(build.env("COOPER_VERSION", "0.1.0").env("NODE_IMAGE", given("NODE_IMAGE")));
    let (one, two) = (sums(&ours("0.1.0")), sums(&other));
    let differs: Vec<_> = one.lines().zip(two.lines()).filter(|(a, b)| a != b).collect();
    assert!(one.len() == two.len() && differs.is_empty(), "{differs:?}");
}

fn sums(directory: &Path) -> String {
    let mut sum = Command::new("sh");
    sum.args(["-c", "cd x86_64 && sha256sum *"]).current_dir(directory);
    let sums = run(&mut sum);
    assert!(sums.lines().count() > 20, "{sums}");
    sums
}

#[test]
fn the_sums_of_the_aport_are_those_of_its_files() {
    let scratch = tempfile::tempdir().expect("a directory");
    let build = top().join("alpine/build");
    run(Command::new(&build).arg("source").arg(scratch.path()));
    let aport = scratch.path().join("cooper");
    let check = ". ./APKBUILD && echo \"$sha512sums\" | grep . | sha512sum -c -";
    let said = run(Command::new("sh").args(["-c", check]).current_dir(&aport));
    assert_eq!(said, "cooper-0.1.0.tar.gz: OK\nrc-service: OK\n");
    // What is committed has the second; the first is the release's.
    let committed = top().join("alpine/cooper");
    let said = run(Command::new("sh").args(["-c", check]).current_dir(committed));
    assert_eq!(said, "rc-service: OK\n");
    // abuild names the tarball's directory so.
    let listed = run(Command::new("tar").arg("-tzf").arg(aport.join("cooper-0.1.0.tar.gz")));
    assert!(listed.lines().all(|path| path.starts_with("cooper-0.1.0/")), "{listed}");
    assert!(listed.lines().any(|path| path == "cooper-0.1.0/init/Cargo.toml"));
    assert!(!listed.lines().any(|path| path.starts_with("cooper-0.1.0/alpine/")));
}
