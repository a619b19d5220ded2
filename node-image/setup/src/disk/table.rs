//! The table of partitions (GPT), for what not every kernel tells: the partitions' numbers.
//! UEFI Specification 2.10, 5.3.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const SIGNATURE: &[u8] = b"EFI PART";
/// In the header: where the entries are, how many, and how large each.
const ENTRIES: usize = 72;
const COUNT: usize = 80;
const SIZE: usize = 84;
/// In an entry: its own number.
const UUID: usize = 16;
/// The table of a sound disk has 128.
const COUNT_MAX: u32 = 1024;

/// The number of a partition, by its place (from one); none if the disk has no such table.
pub fn uuid(disk: &Path, sector: u64, place: u32) -> io::Result<Option<String>> {
    let file = File::open(disk)?;
    let mut header = [0; 92];
    file.read_exact_at(&mut header, sector)?;
    Ok(find(&header, sector, place, |bytes, at| file.read_exact_at(bytes, at)).ok().flatten())
}

fn find(
    header: &[u8],
    sector: u64,
    place: u32,
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<Option<String>> {
    let word = |at: usize| {
        let bytes = header.get(at..at.saturating_add(4)).and_then(|it| it.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    let index = place.saturating_sub(1);
    if !header.starts_with(SIGNATURE) || index >= word(COUNT).min(COUNT_MAX) {
        return Ok(None);
    }
    let entries = u64::from(word(ENTRIES)).saturating_mul(sector);
    let at = entries.saturating_add(u64::from(index).saturating_mul(word(SIZE).into()));
    let mut entry = [0; 32];
    read(&mut entry, at)?;
    Ok(entry.get(UUID..).map(text))
}

/// The first three groups are little-endian.
fn text(bytes: &[u8]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (place, at) in ORDER.into_iter().enumerate() {
        if [4, 6, 8, 10].contains(&place) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", bytes.get(at).copied().unwrap_or_default()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_its_entry() {
        let directory = tempfile::tempdir().unwrap();
        let disk = directory.path().join("disk");
        let mut bytes = vec![0; 8192];
        assert_eq!(find(&[0; 92], 512, 1, |_, _| Ok(())).unwrap(), None);
        bytes[512..520].copy_from_slice(SIGNATURE);
        bytes[512 + ENTRIES] = 2;
        bytes[512 + COUNT] = 128;
        bytes[512 + SIZE] = 128;
        let uuid = [
            0x0e, 0x40, 0x1c, 0x0a, 0xd9, 0x99, 0xe5, 0x82, 0xa6, 0x80, 0xf9, 0xa8, 0x6d, 0x9e,
            0x10, 7,
        ];
        bytes[1024 + 128 + 16..1024 + 128 + 32].copy_from_slice(&uuid);
        std::fs::write(&disk, bytes).unwrap();
        let found = super::uuid(&disk, 512, 2).unwrap();
        assert_eq!(found.as_deref(), Some("0a1c400e-99d9-82e5-a680-f9a86d9e1007"));
        assert_eq!(super::uuid(&disk, 512, 129).unwrap(), None);
        assert!(super::uuid(&directory.path().join("nothing"), 512, 1).is_err());
    }
}
