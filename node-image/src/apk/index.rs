//! `APKINDEX.tar.gz`: what a repository has, and what each package needs.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::bufread::GzDecoder;
use sha1::{Digest, Sha1};

use super::archive::{Archive, End};
use super::{field, fields, sign};

/// A field of `.PKGINFO` that a package has once, and its letter in the index.
const ONCE: [(char, &str); 10] = [
    ('P', "pkgname"),
    ('V', "pkgver"),
    ('A', "arch"),
    ('I', "size"),
    ('T', "pkgdesc"),
    ('U', "url"),
    ('L', "license"),
    ('o', "origin"),
    ('t', "builddate"),
    ('k', "provider_priority"),
];
/// The same for those that it may have often.
const OFTEN: [(char, &str); 3] = [('D', "depend"), ('p', "provides"), ('i', "install_if")];

/// What a repository is.
#[derive(Debug, Clone, Copy)]
pub struct Repository<'a> {
    /// In a line.
    pub description: &'a str,
    /// Of packages for every architecture, too: `apk` looks for a package in the directory of the
    /// architecture that the index says.
    pub architecture: &'a str,
}

/// Writes the index of `packages` to `output`, signed with `key`.
pub fn index(
    packages: &[PathBuf],
    repository: Repository<'_>,
    (key, date): (&Path, u64),
    mut output: impl Write,
) -> Result<()> {
    let mut entries = Vec::new();
    for path in packages {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let entry = entry(&bytes, repository.architecture)
            .with_context(|| format!("cannot index {}", path.display()))?;
        entries.push(entry);
    }
    // In whatever order they were named.
    entries.sort();
    entries.dedup();
    let mut archive = Archive::new(date);
    archive.file("DESCRIPTION", 0o644, repository.description.as_bytes())?;
    archive.file("APKINDEX", 0o644, entries.concat().as_bytes())?;
    let index = archive.finish(End::Marked)?;
    for member in [sign::member(&index, key, date)?, index] {
        output.write_all(&member).context("cannot write the index")?;
    }
    Ok(())
}

/// One package's paragraph. Its identity is the hash of the member with `.PKGINFO`, packed.
fn entry(package: &[u8], architecture: &str) -> Result<String> {
    let (_, after) = unpack(package)?;
    let (plain, rest) = unpack(after)?;
    let control = after.get(..after.len().saturating_sub(rest.len())).unwrap_or_default();
    let info = info(&plain)?;
    let mut text = format!("C:Q1{}\n", base64(&Sha1::digest(control)));
    for (letter, name) in ONCE {
        if let Some(value) = field(&info, name) {
            let value = if name == "arch" && value == "noarch" { architecture } else { value };
            text.push_str(&format!("{letter}:{value}\n"));
        }
    }
    text.push_str(&format!("S:{}\n", package.len()));
    for (letter, name) in OFTEN {
        let values: Vec<&str> = fields(&info, name).collect();
        if !values.is_empty() {
            text.push_str(&format!("{letter}:{}\n", values.join(" ")));
        }
    }
    text.push('\n');
    Ok(text)
}

/// The content of the first gzip member, and what follows it.
fn unpack(bytes: &[u8]) -> Result<(Vec<u8>, &[u8])> {
    let mut decoder = GzDecoder::new(bytes);
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain).context("it is no package of apk's version 2")?;
    Ok((plain, decoder.into_inner()))
}

fn info(control: &[u8]) -> Result<String> {
    let mut archive = tar::Archive::new(control);
    for entry in archive.entries().context("cannot read its control member")? {
        let mut entry = entry.context("cannot read its control member")?;
        if entry.path_bytes().as_ref() == b".PKGINFO" {
            let mut text = String::new();
            entry.read_to_string(&mut text).context("cannot read its .PKGINFO")?;
            return Ok(text);
        }
    }
    bail!("it has no .PKGINFO")
}

/// Base 64 of RFC 4648, padded: three bytes become four letters.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, at| {
            number << 8 | u32::from(chunk.get(at).copied().unwrap_or_default())
        });
        for at in 0..4_usize {
            let letter = usize::try_from(number >> [18, 12, 6, 0].get(at).copied().unwrap_or(0))
                .unwrap_or_default()
                & 63;
            let letter = LETTERS.get(letter).copied().unwrap_or_default();
            text.push(if at > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}
