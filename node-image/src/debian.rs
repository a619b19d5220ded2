//! A root of Debian's packages for a kind of machine: what `node-image build disk --base debian`
//! makes a disk of.
//!
//! Packages are unpacked, and none of their scripts runs: what those would do is in the directory
//! `debian` beside this crate's sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use facts::{Choice, Library, Node, Severity};

use crate::base::Program;
use crate::checkout::Checkout;
use crate::graph;
use crate::output::beside;
use crate::progress::Progress;
use crate::sbom::Component;
use crate::tool;
use crate::tree::{Entry, Tree};

/// Its stable release.
pub const RELEASE: &str = "trixie";
/// … with the first chrony that can say when it is ready.
const RELEASES: &str = "trixie+chrony@forky";
const BUSYBOX: &str = "busybox-static";
/// What every node has. kmod is for the kernel, which asks for file systems by their names;
/// coreutils and findutils because busybox' `timeout`, `env` and `xargs` would run its own `svc`.
const PACKAGES: [&str; 9] = [
    "bash",
    BUSYBOX,
    "coreutils",
    "e2fsprogs",
    "fdisk",
    "findutils",
    "kmod",
    "mount",
    "systemd-boot-efi",
];
/// Which package has a service's daemon.
const SERVICES: [(&str, &[&str]); 10] = [
    ("chronyd", &["chrony"]),
    ("containerd", &["containerd", "runc"]),
    ("dbus", &["dbus-daemon"]),
    ("dhcpcd", &["dhcpcd-base"]),
    ("etcd", &["etcd-server"]),
    ("iscsid", &["open-iscsi"]),
    ("network-dhcp", &["dhcpcd-base"]),
    ("seatd", &["seatd"]),
    ("sshd", &["openssh-server"]),
    ("udevd", &["udev"]),
];
/// Services that several programs can do: these do it. Not busybox' mdev, which loads no driver for
/// a device that was there before.
const CHOICES: [&str; 3] = ["udevd", "udev-coldplug", "network-dhcp"];
/// Applets that would stand for something of ours.
const NOT_LINKED: [&str; 3] = ["busybox", "init", "svc"];
/// Our programs, and where they go.
const PROGRAMS: [(&str, &str); 6] = [
    ("init", "usr/lib/cooper/init"),
    ("supervise", "usr/lib/cooper/supervise"),
    ("cooper-log", "usr/lib/cooper/cooper-log"),
    ("node-setup", "usr/lib/cooper/node-setup"),
    ("login1", "usr/lib/cooper/login1"),
    ("svc", "usr/bin/svc"),
];

/// What a root is for.
#[derive(Debug)]
pub struct Root<'a> {
    /// The hardware target.
    pub target: &'a str,
    /// Profiles.
    pub profiles: &'a [String],
    /// Leave out firmware and microcode: a virtual machine has none to load.
    pub without_firmware: bool,
    /// More packages.
    pub packages: &'a [String],
    /// More services that it runs.
    pub services: &'a [String],
    /// Files and directories that are laid over it, with where they go.
    pub lay: &'a [(PathBuf, String)],
}

impl Root<'_> {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// The profiles contradict each other, or a package cannot be had.
    pub fn build(&self, checkout: &Checkout, progress: &Progress) -> Result<Tree> {
        let node = node(self.target, self.profiles)?;
        let Some((_, hardware)) = &node.hardware else {
            bail!("there is no target {}", self.target)
        };
        let architecture = hardware.architecture.as_str();
        let debian = debian_name(architecture)?;

        progress.step(&format!("building our programs for {architecture}"));
        let programs = checkout.programs(architecture)?;
        let packages = self.all_packages(&node, debian, progress);
        progress
            .step(&format!("fetching {} packages of Debian, and what they need", packages.len()));
        let words: Vec<&str> = packages.iter().map(String::as_str).collect();
        let root = checkout.debian(RELEASES, debian, &words)?;

        let mut tree = Tree::default();
        tree.lay(&root, "")?;
        link_applets(&mut tree, checkout)?;
        for (program, path) in PROGRAMS {
            tree.lay(&programs.join(program), path)?;
        }
        tree.insert("usr/sbin/init", Entry::Symlink("../lib/cooper/init".to_owned()))?;
        progress.step("compiling the graph");
        self.configure(&mut tree, checkout, &beside(&root, ".own"))?;
        Ok(tree)
    }

    /// Those of the table, each once and in order. What Debian does not have is said.
    fn all_packages(&self, node: &Node, debian: &str, progress: &Progress) -> Vec<String> {
        let mut packages: Vec<String> = PACKAGES.map(str::to_owned).to_vec();
        packages.push(format!("linux-image-{debian}"));
        let services = node.services.iter().map(|it| it.name.as_str()).chain(CHOICES);
        for service in services.chain(self.services.iter().map(String::as_str)) {
            let found = SERVICES.iter().find(|(name, _)| *name == service);
            packages
                .extend(found.iter().flat_map(|(_, all)| all.iter().map(|it| (*it).to_owned())));
        }
        for binary in node.binaries.iter().filter(|it| it.severity > Severity::Info) {
            match binary.package.get("debian") {
                Some(package) => packages.push(package.clone()),
                None => {
                    progress.step(&format!("Debian has no {}: lay it over (--lay)", binary.name))
                }
            }
        }
        if let (Some((_, hardware)), false) = (&node.hardware, self.without_firmware) {
            packages.extend(hardware.firmware.iter().filter_map(|it| it.debian.clone()));
        }
        packages.extend(self.packages.iter().cloned());
        packages.sort();
        packages.dedup();
        packages
    }

    /// Its own files, and the graph that they make with the services that come with us. `scratch`
    /// is a directory that holds them meanwhile.
    fn configure(&self, tree: &mut Tree, checkout: &Checkout, scratch: &Path) -> Result<()> {
        let mut own = Tree::default();
        own.lay(&checkout.file("debian"), "")?;
        own.lay(&checkout.file("services"), "usr/lib/cooper/services")?;
        // What a checkout leaves to the umask of whoever made it must not show.
        let modes: Vec<_> =
            own.iter().map(|(path, entry)| (path.to_owned(), entry.clone())).collect();
        for (path, entry) in modes {
            let settled = match entry {
                Entry::Directory(_) => Entry::Directory(0o755),
                Entry::File { mode, content } => {
                    let is_secret = path == "etc/shadow";
                    let mode = if is_secret {
                        0o600
                    } else if mode & 0o100 != 0 {
                        0o755
                    } else {
                        0o644
                    };
                    Entry::File { mode, content }
                }
                other @ (Entry::Symlink(_) | Entry::Device(..)) => other,
            };
            own.insert(&path, settled)?;
        }
        own.insert("etc/cooper/node.toml", Entry::file(self.node_toml()))?;
        // With the modes that they have: one may be a secret.
        for (path, target) in self.lay {
            own.lay(path, target)?;
        }
        graph::compile(&mut own, &checkout.svc()?, scratch)?;
        for (path, entry) in own.iter() {
            tree.insert(path, entry.clone())?;
        }
        Ok(())
    }

    fn node_toml(&self) -> String {
        let list = |names: &mut dyn Iterator<Item = &str>| {
            names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
        };
        format!(
            "# Made by node-image. After a change: svc check, svc apply.\nprofiles = [{}]\n\
             hardware = \"{}\"\nservices = [{}]\n",
            list(&mut self.profiles.iter().map(String::as_str)),
            self.target,
            list(&mut CHOICES.into_iter().chain(self.services.iter().map(String::as_str)))
        )
    }
}

/// What a target and profiles want together.
///
/// # Errors
///
/// They contradict each other, or there is none of this name.
pub fn node(target: &str, profiles: &[String]) -> Result<Node> {
    let hardware = Some(target.to_owned());
    let choice = Choice { profiles: profiles.to_vec(), hardware, ..Choice::default() };
    let merged = Library::built_in().node(&choice);
    if let Some(problem) = merged.problems.iter().find(|it| it.severity == Severity::Error) {
        bail!("{}; {}", problem.message, problem.ways_out.join("; "));
    }
    Ok(merged.node)
}

/// An architecture in Debian's words, which are OCI's.
///
/// # Errors
///
/// It is none of ours.
pub fn debian_name(architecture: &str) -> Result<&'static str> {
    match architecture {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("there is no architecture {other}"),
    }
}

/// Debian's static busybox for an architecture, in Debian's words.
pub fn busybox(checkout: &Checkout, debian: &str) -> Result<Program> {
    program(checkout, debian, BUSYBOX, "usr/bin/busybox", "GPL-2.0-only")
}

/// A static shell. busybox' own takes applets for programs of the same name, and one is `svc`.
pub fn shell(checkout: &Checkout, debian: &str) -> Result<Program> {
    program(checkout, debian, "mksh", "usr/bin/mksh-static", "MirOS")
}

/// A file of a package.
fn program(
    checkout: &Checkout,
    debian: &str,
    package: &str,
    path: &str,
    license: &str,
) -> Result<Program> {
    let root = checkout.debian(RELEASE, debian, &[package])?;
    let version = version(package, &beside(&root, ".packages"))?;
    let purl = format!("pkg:deb/debian/{package}@{version}?arch={debian}");
    let (name, license) = (package.to_owned(), license.to_owned());
    Ok(Program { file: root.join(path), component: Component { name, version, license, purl } })
}

/// Of the line `busybox-static_1%3a1.37.0-6_amd64.deb` the version.
fn version(package: &str, list: &Path) -> Result<String> {
    let text = fs::read_to_string(list);
    let text = text.with_context(|| format!("cannot read {}", list.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix('_'));
    let version = line.and_then(|line| line.split('_').next());
    let version =
        version.with_context(|| format!("cannot find {package} in {}", list.display()))?;
    Ok(version.replace("%3a", ":"))
}

/// What busybox can be called as: the same on every architecture, so one that runs here is asked.
pub fn applets(checkout: &Checkout) -> Result<Vec<String>> {
    let busybox = busybox(checkout, debian_name(std::env::consts::ARCH)?)?;
    let list = tool::run(Command::new(busybox.file).arg("--list"))?;
    let list = String::from_utf8(list).context("cannot read the list of busybox's applets")?;
    Ok(list.lines().filter(|name| *name != "busybox").map(str::to_owned).collect())
}

/// busybox is every program that no package has.
fn link_applets(tree: &mut Tree, checkout: &Checkout) -> Result<()> {
    tree.insert("usr/bin/sh", Entry::Symlink("bash".to_owned()))?;
    for applet in applets(checkout)? {
        let paths = ["usr/bin", "usr/sbin"].map(|directory| format!("{directory}/{applet}"));
        let is_there = paths.iter().any(|path| tree.entry(path).is_some());
        if !is_there && !NOT_LINKED.contains(&applet.as_str()) {
            tree.insert(&format!("usr/bin/{applet}"), Entry::Symlink("busybox".to_owned()))?;
        }
    }
    // Where the kernel, and programs that know no PATH, look for them.
    for applet in ["getty", "ip"] {
        let path = format!("usr/sbin/{applet}");
        if tree.entry(&path).is_none() {
            tree.insert(&path, Entry::Symlink("../bin/busybox".to_owned()))?;
        }
    }
    // The old name, which some still write to.
    tree.insert("var/run", Entry::Symlink("/run".to_owned()))
}
