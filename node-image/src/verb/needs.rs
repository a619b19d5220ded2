//! `node-image needs`: what profiles and a hardware target want of an image, for scripts.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use facts::Severity;
use node_image::debian;

use crate::verb::STDOUT_FAILED;

/// Whose names packages have.
#[derive(Clone, Copy, ValueEnum)]
enum Base {
    Alpine,
    Debian,
    Nix,
}

/// For what.
#[derive(Args)]
#[command(after_help = "\
Each line is one of: architecture, method, console (the best last), parameter (of the kernel),
initramfs (a module), device-tree (a file), firmware and package (of the distribution), service,
missing (a program that no package of the distribution has).")]
pub struct Needs {
    /// A hardware target
    #[arg(long)]
    target: String,
    /// Profiles; `base` is in each
    #[arg(long = "profile", value_delimiter = ',', default_value = "base", value_name = "NAME,…")]
    profiles: Vec<String>,
    /// The distribution that firmware and programs come from
    #[arg(long, value_enum)]
    base: Base,
}

/// Prints a line for each need.
pub fn run(needs: &Needs) -> Result<()> {
    let node = debian::node(&needs.target, &needs.profiles)?;
    let Some((_, target)) = &node.hardware else {
        bail!("there is no hardware target {}", needs.target);
    };
    let boot = &target.boot;
    let mut lines = vec![("architecture", &target.architecture), ("method", &boot.method)];
    lines.extend(boot.consoles.iter().map(|it| ("console", it)));
    lines.extend(boot.parameters.iter().map(|it| ("parameter", &it.word)));
    lines.extend(boot.initramfs.iter().map(|it| ("initramfs", it)));
    lines.extend(boot.device_trees.iter().map(|it| ("device-tree", it)));
    lines.extend(target.firmware.iter().filter_map(|it| {
        let package = match needs.base {
            Base::Alpine => &it.alpine,
            Base::Debian => &it.debian,
            Base::Nix => &it.nix,
        };
        Some(("firmware", package.as_ref()?))
    }));
    let base = match needs.base {
        Base::Alpine => "alpine",
        Base::Debian => "debian",
        Base::Nix => "nix",
    };
    // What is merely worth knowing is not worth installing.
    let binaries = node.binaries.iter().filter(|it| it.severity > Severity::Info);
    lines.extend(binaries.map(|it| match it.package.get(base) {
        Some(package) => ("package", package),
        None => ("missing", &it.name),
    }));
    lines.extend(node.services.iter().map(|it| ("service", &it.name)));
    print(&lines)
}

/// Each line once, where it first stands.
fn print(lines: &[(&str, &String)]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let mut out = io::stdout().lock();
    for line in lines.iter().filter(|line| seen.insert(**line)) {
        writeln!(out, "{} {}", line.0, line.1).context(STDOUT_FAILED)?;
    }
    Ok(())
}
