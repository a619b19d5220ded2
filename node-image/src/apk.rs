//! Packages of Alpine Linux, and the index of a repository: version 2 of the format, which every
//! `apk` reads that is in use, and Alpine's own repositories have.
//!
//! A package is three gzip members one after the other: a signature of the second; the second, with
//! `.PKGINFO` and the scripts; and the files. `.PKGINFO` has the hash of the third, and the index
//! has that of the second, so one signature is good for all. An index is a signature and a member.
//!
//! Invariant: dates are one, given; owners are root; paths are sorted.

mod archive;
mod index;
mod sign;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

pub use index::{Repository, index};

use crate::tree::{Content, Entry, Tree};
use archive::{Archive, End};

/// The scripts that `apk` knows, by their names in a package.
pub const SCRIPTS: [&str; 7] = [
    "pre-install",
    "post-install",
    "pre-deinstall",
    "post-deinstall",
    "pre-upgrade",
    "post-upgrade",
    "trigger",
];

/// What a package has beside its files.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Lines of `.PKGINFO`, as `abuild` writes them; what follows from the files is added.
    pub info: String,
    /// A name of [`SCRIPTS`], and the script.
    pub scripts: Vec<(String, Vec<u8>)>,
    /// The date of everything in it, in seconds since 1970.
    pub date: u64,
}

/// Writes a package of the files in `tree` to `output`, signed with `key`.
pub fn package(tree: &Tree, about: &About, key: &Path, mut output: impl Write) -> Result<()> {
    let (files, size) = files(tree, about.date)?;
    let control = control(about, &files, size)?;
    let signature = sign::member(&control, key, about.date)?;
    for member in [signature, control, files] {
        output.write_all(&member).context("cannot write the package")?;
    }
    Ok(())
}

/// The member with the files, and how many bytes they have. Links count: `apk` does not fetch a
/// package of no bytes at all.
fn files(tree: &Tree, date: u64) -> Result<(Vec<u8>, u64)> {
    let mut archive = Archive::new(date);
    let mut size = 0_u64;
    for (path, entry) in tree.iter() {
        match entry {
            Entry::Directory(mode) => archive.directory(path, *mode)?,
            Entry::Symlink(to) => {
                size = size.saturating_add(u64::try_from(to.len()).unwrap_or(u64::MAX));
                archive.link(path, to)?;
            }
            Entry::File { mode, content } => {
                let bytes = content.read()?;
                size = size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                archive.hashed_file(path, *mode, &bytes)?;
            }
            Entry::Device(..) => bail!("cannot put the device {path} into a package"),
        }
    }
    Ok((archive.finish(End::Marked)?, size))
}

/// The member that says what the package is, and what to do with it.
fn control(about: &About, files: &[u8], size: u64) -> Result<Vec<u8>> {
    for name in ["pkgname", "pkgver", "arch"] {
        if field(&about.info, name).is_none() {
            bail!("cannot make a package: .PKGINFO has no line {name}");
        }
    }
    let mut archive = Archive::new(about.date);
    let hash = crate::output::hex(&Sha256::digest(files));
    let info = format!(
        "{}\nbuilddate = {}\nsize = {size}\ndatahash = {hash}\n",
        about.info.trim_end(),
        about.date
    );
    archive.file(".PKGINFO", 0o644, info.as_bytes())?;
    for (name, script) in &about.scripts {
        if !SCRIPTS.contains(&name.as_str()) {
            bail!("cannot take the script {name}: apk knows only {}", SCRIPTS.join(", "));
        }
        archive.file(&format!(".{name}"), 0o755, script)?;
    }
    archive.finish(End::Open)
}

/// The first value of `name` among lines `name = value`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    fields(info, name).next()
}

fn fields<'a>(info: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    info.lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// A script or a file of the caller's, as part of a package.
pub fn script(name: &str, path: &Path) -> Result<(String, Vec<u8>)> {
    Ok((name.to_owned(), Content::Host(path.to_owned()).read()?))
}

#[cfg(test)]
mod tests;
