//! The table of partitions (GPT), by sfdisk(8).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tool;

const MIB: u64 = 1 << 20;
/// What is before the first partition, and behind the last one.
const MARGIN_MIB: u64 = 1;

/// What a partition is for, in the world's numbers:
/// <https://uapi-group.org/specifications/specs/discoverable_partitions_specification/>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What firmware reads.
    Esp,
    /// A root, for an architecture.
    RootX86_64,
    /// … for the other one.
    RootAarch64,
    /// `/var`
    Var,
}

impl Kind {
    /// The number.
    #[must_use]
    pub const fn uuid(self) -> &'static str {
        match self {
            Self::Esp => "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
            Self::RootX86_64 => "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
            Self::RootAarch64 => "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",
            Self::Var => "4D21B016-B534-45C2-A9FB-5C16E091FD2D",
        }
    }
}

/// A partition that is made.
#[derive(Debug, Clone, Copy)]
pub struct Partition<'a> {
    /// What it is called: `root-a`.
    pub label: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// Its size.
    pub mib: u64,
    /// What is in it: a file that is no larger.
    pub content: Option<&'a Path>,
}

/// A partition as it stands in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What it is called: sfdisk says `name`.
    #[serde(alias = "name")]
    pub label: String,
    /// What it is for: a number of [`Kind`].
    #[serde(rename = "type")]
    pub kind: String,
    /// Its own number.
    pub uuid: String,
    /// Sectors of 512 bytes.
    pub start: u64,
    /// Sectors of 512 bytes.
    pub size: u64,
}

/// Writes a disk. Its numbers are made of `seed`.
///
/// # Errors
///
/// A tool is missing or fails, or the disk cannot be written.
pub fn write(partitions: &[Partition<'_>], seed: &str, output: &Path) -> Result<()> {
    let failed = || format!("cannot write {}", output.display());
    let total = partitions.iter().map(|it| it.mib).sum::<u64>().saturating_add(2 * MARGIN_MIB);
    let mut disk = File::create(output).with_context(failed)?;
    disk.set_len(total.saturating_mul(MIB)).with_context(failed)?;
    let mut script = format!("label: gpt\nlabel-id: {}\n", uuid(seed, "disk"));
    let mut start = MARGIN_MIB;
    for Partition { label, kind, mib, content } in partitions {
        script.push_str(&format!(
            "start={start}MiB, size={mib}MiB, type={}, uuid={}, name={label}\n",
            kind.uuid(),
            uuid(seed, label)
        ));
        if let Some(content) = content {
            disk.seek(SeekFrom::Start(start.saturating_mul(MIB))).with_context(failed)?;
            copy(content, &mut disk).with_context(failed)?;
        }
        start = start.saturating_add(*mib);
    }
    drop(disk);
    let mut sfdisk = tool::command("sfdisk")?;
    sfdisk.args(["--quiet", "--no-reread", "--no-tell-kernel"]).arg(output);
    tool::feed(&mut sfdisk, script.as_bytes()).map(drop).with_context(failed)
}

/// Holes stay holes: most of a disk is nothing.
fn copy(from: &Path, disk: &mut File) -> Result<()> {
    let mut from = File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    let mut block = vec![0; 1 << 16];
    loop {
        let mut length = 0_usize;
        while let Some(rest @ [_, ..]) = block.get_mut(length..) {
            match from.read(rest)? {
                0 => break,
                more => length = length.saturating_add(more),
            }
        }
        let Some(bytes @ [_, ..]) = block.get(..length) else { return Ok(()) };
        if bytes.iter().all(|byte| *byte == 0) {
            disk.seek_relative(i64::try_from(length)?)?;
        } else {
            disk.write_all(bytes)?;
        }
    }
}

/// Reads the table of a disk.
///
/// # Errors
///
/// There is none.
pub fn read(disk: &Path) -> Result<Vec<Found>> {
    #[derive(Deserialize)]
    struct Answer {
        partitiontable: Table,
    }
    #[derive(Deserialize)]
    struct Table {
        partitions: Vec<Found>,
    }
    let json = tool::run(tool::command("sfdisk")?.arg("--json").arg(disk))?;
    let answer: Answer = serde_json::from_slice(&json).context("cannot read what sfdisk says")?;
    Ok(answer.partitiontable.partitions)
}

/// A number that is made of words, in the form of version 8 (RFC 9562).
#[must_use]
pub fn uuid(seed: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("cooper disk {seed} {name}"));
    let mut bytes: Vec<u8> = digest.iter().copied().take(16).collect();
    for (at, clear, set) in [(6, 0x0f, 0x80), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = (*byte & clear) | set;
        }
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32];
    groups.map(|group| hex.get(group).unwrap_or_default().to_owned()).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_can_be_read_back() {
        let scratch = tempfile::tempdir().unwrap();
        let (disk, content) = (scratch.path().join("disk"), scratch.path().join("content"));
        std::fs::write(&content, [vec![0; 100_000], vec![1; 100_000]].concat()).unwrap();
        let one = Partition { label: "esp", kind: Kind::Esp, mib: 2, content: None };
        let two = Partition { label: "data", kind: Kind::Var, mib: 3, content: Some(&content) };
        write(&[one, two], "seed", &disk).unwrap();
        let found = read(&disk).unwrap();
        let numbers: Vec<_> =
            found.iter().map(|it| (it.label.as_str(), it.start, it.size)).collect();
        assert_eq!(numbers, [("esp", 2048, 4096), ("data", 6144, 6144)]);
        assert_eq!(found[0].kind, Kind::Esp.uuid());
        assert_eq!(found[1].uuid, uuid("seed", "data"));
        let bytes = std::fs::read(&disk).unwrap();
        let begin = usize::try_from(3 * MIB).unwrap();
        assert_eq!(bytes[begin..begin + 200_000], std::fs::read(&content).unwrap());
    }

    #[test]
    fn numbers_are_made_of_words() {
        assert_eq!(uuid("a", "b"), uuid("a", "b"));
        assert_ne!(uuid("a", "b"), uuid("a", "c"));
        let text = uuid("a", "b");
        assert_eq!((text.len(), text.as_bytes()[14]), (36, b'8'));
    }
}
