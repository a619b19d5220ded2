//! What a disk is: what it was made of, and what is read back from it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::partitions::{self, Found};
use super::uki;
use crate::output::hex;
use crate::tool;

/// Beside the disk, in `OUTPUT.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The hardware target.
    pub target: String,
    /// As `uname -m` says it.
    pub architecture: String,
    /// What the node is for.
    pub profiles: Vec<String>,
    /// The kernel's version, or whose it is.
    pub kernel: String,
    /// Modules of the target that the initramfs lacks, as the kernel has none of that name.
    pub missing_modules: Vec<String>,
    /// Whose microcode the initramfs has.
    pub microcode: Vec<String>,
    /// Device trees that the target names and the root has not.
    pub missing: Vec<String>,
    /// What is on the disk.
    pub image: Image,
}

/// What can be read off a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its partitions.
    pub partitions: Vec<Found>,
    /// The files of the loader's partition, by path.
    pub loader: BTreeMap<String, File>,
    /// The kernel's command line, for each root that boots.
    pub command_lines: BTreeMap<String, String>,
}

/// A file of the loader's partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// Of its content.
    pub sha256: String,
}

/// Reads a disk.
///
/// # Errors
///
/// It has no table of partitions, or no loader that we know.
pub fn read(disk: &Path) -> Result<Image> {
    let partitions = partitions::read(disk)?;
    let esp = partitions.iter().find(|it| it.label == "esp").context("it has no partition esp")?;
    let offset = esp.start.saturating_mul(512);
    let drive = format!("{}@@{offset}", disk.display());
    let mut mdir = tool::command("mdir")?;
    mdir.env("MTOOLS_SKIP_CHECK", "1").args(["-i", &drive, "-b", "-/", "::"]);
    let listing =
        String::from_utf8(tool::run(&mut mdir)?).context("cannot read names of the esp")?;
    let mut image = Image { partitions, ..Image::default() };
    for path in listing.lines().filter_map(|line| line.strip_prefix("::/")) {
        if path.ends_with('/') {
            continue;
        }
        let mut mcopy = tool::command("mcopy")?;
        mcopy.env("MTOOLS_SKIP_CHECK", "1").args(["-i", &drive, &format!("::/{path}"), "-"]);
        let bytes = tool::run(&mut mcopy)?;
        let line = if path.starts_with("EFI/Linux/") {
            let sections = uki::sections(&bytes).with_context(|| format!("cannot read {path}"))?;
            let found = sections.into_iter().find(|(name, _)| name == ".cmdline");
            found.map(|(_, line)| String::from_utf8_lossy(line).into_owned())
        } else {
            path.ends_with("/cmdline.txt")
                .then(|| String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        if let Some(line) = line {
            image.command_lines.insert(path.to_owned(), line);
        }
        let (size, sha256) = (u64::try_from(bytes.len())?, hex(&Sha256::digest(&bytes)));
        image.loader.insert(path.to_owned(), File { size, sha256 });
    }
    Ok(image)
}
