//! `disk grow`

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use super::partition::Partition;
use super::{DATA, mounted};
use crate::{Root, tools};

/// Of the kernel, whatever the disk's own are.
const SECTOR: u64 = 512;
/// The table's copy at the end of the disk has 33 sectors; partitions begin and end at whole MiB.
const TABLE_SECTORS: u64 = 33;
/// Less is not worth a change of the table.
const WORTHWHILE_SECTORS: u64 = 16 * 2048;

/// Makes the partition as large as the disk lets it, and the file system as large as the partition.
/// Both go on being mounted. What was done.
pub fn grow(root: &Root) -> Result<String, String> {
    let data = mounted("/var", root)?;
    if data.label.as_deref() != Some(DATA) {
        return Ok(format!("/var is on {}, which is not ours to change", data.device()));
    }
    let mut done = Vec::new();
    let mut place = Place::of(&data, root)?;
    if place.room() >= WORTHWHILE_SECTORS {
        extend(&data)?;
        let grown = Place::of(&data, root)?;
        done.push(format!(
            "{} has {} MiB, not {}",
            data.device(),
            mib(grown.size),
            mib(place.size)
        ));
        place = grown;
    }
    if place.size.saturating_sub(file_system(&data, root)?) >= WORTHWHILE_SECTORS {
        tools::run(Command::new("resize2fs").arg(data.device()))
            .map_err(|reason| format!("cannot enlarge the file system: {reason}"))?;
        done.push("the file system fills it".to_owned());
    }
    Ok(if done.is_empty() { format!("{} fills the disk", data.device()) } else { done.join("; ") })
}

const fn mib(sectors: u64) -> u64 {
    sectors / 2048
}

/// Where a partition lies; sectors.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    start: u64,
    size: u64,
    disk: u64,
    /// Where the next partition begins.
    next: Option<u64>,
}

impl Place {
    fn of(partition: &Partition, root: &Root) -> Result<Self, String> {
        let number = |name: &str, what: &str| {
            let path = format!("/sys/class/block/{name}/{what}");
            let number = root.line(&path).and_then(|line| line.parse::<u64>().ok());
            number.ok_or_else(|| format!("cannot read {path}"))
        };
        let start = number(&partition.name, "start")?;
        let others = super::partition::all(root).into_iter().filter(|it| it.disk == partition.disk);
        let starts = others.filter_map(|it| number(&it.name, "start").ok());
        Ok(Self {
            start,
            size: number(&partition.name, "size")?,
            disk: number(&partition.disk, "size")?,
            next: starts.filter(|it| *it > start).min(),
        })
    }

    /// How much larger it can become.
    fn room(&self) -> u64 {
        let end = self.next.unwrap_or_else(|| self.disk.saturating_sub(TABLE_SECTORS));
        end.saturating_sub(self.start.saturating_add(self.size))
    }
}

/// By sfdisk(8), which moves the table's copy to where the disk ends now. Disk and loader's
/// partition also get numbers of their own: until now all disks of this image had the same.
fn extend(data: &Partition) -> Result<(), String> {
    let disk = format!("/dev/{}", data.disk);
    let failed = |reason: String| format!("cannot change the partitions of {disk}: {reason}");
    let sfdisk = || {
        let mut command = Command::new("sfdisk");
        // The kernel reads no table of a disk that is in use; it is told by partx.
        command.args(["--quiet", "--force", "--no-reread"]);
        command
    };
    let number = data.number.to_string();
    tools::feed(sfdisk().args(["--partno", &number]).arg(&disk), ", +\n").map_err(failed)?;
    for words in [&["--disk-id"][..], &["--part-uuid"]] {
        let mut command = sfdisk();
        command.args(words).arg(&disk);
        if words == ["--part-uuid"] {
            command.arg("1");
        }
        let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid");
        let uuid = uuid.map_err(|error| failed(error.to_string()))?;
        tools::run(command.arg(uuid.trim())).map_err(failed)?;
    }
    tools::run(Command::new("partx").args(["--update", "--nr", &number, &disk])).map_err(failed)
}

/// The size of an ext4, as its superblock says; sectors. Documentation/filesystems/ext4/super.rst
fn file_system(partition: &Partition, root: &Root) -> Result<u64, String> {
    let device = partition.device();
    let failed = |what: &dyn std::fmt::Display| format!("cannot read {device}: {what}");
    let mut superblock = [0; 1024];
    let file = File::open(root.path(&device)).map_err(|error| failed(&error))?;
    file.read_exact_at(&mut superblock, 1024).map_err(|error| failed(&error))?;
    sectors(&superblock).ok_or_else(|| failed(&"there is no ext4 on it"))
}

fn sectors(superblock: &[u8; 1024]) -> Option<u64> {
    let at = |at: usize, length: usize| superblock.get(at..at.checked_add(length)?);
    let word = |from: usize| Some(u32::from_le_bytes(at(from, 4)?.try_into().ok()?));
    if at(0x38, 2)? != [0x53, 0xef] {
        return None;
    }
    let blocks = u64::from(word(0x4)?) | u64::from(word(0x150)?).checked_shl(32)?;
    let block = 1024_u64.checked_shl(word(0x18)?)?;
    Some(blocks.checked_mul(block)? / SECTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_grows_to_the_next_one_or_the_end_of_the_disk() {
        let place = Place { start: 1000, size: 500, disk: 10_000, next: None };
        assert_eq!(place.room(), 10_000 - TABLE_SECTORS - 1500);
        assert_eq!(Place { next: Some(1600), ..place }.room(), 100);
        let full = Place { start: 1000, size: 9000 - TABLE_SECTORS, disk: 10_000, next: None };
        assert_eq!(full.room(), 0);
    }

    #[test]
    fn a_superblock_tells_the_size_of_its_file_system() {
        let mut superblock = [0; 1024];
        assert_eq!(sectors(&superblock), None);
        superblock[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
        superblock[0x4..0x8].copy_from_slice(&65536_u32.to_le_bytes());
        superblock[0x18] = 2;
        assert_eq!(sectors(&superblock), Some(256 * 2048));
        superblock[0x150] = 1;
        assert_eq!(sectors(&superblock), Some((65536 + (1 << 32)) * 8));
    }
}
