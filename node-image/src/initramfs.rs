//! A tree as an initramfs: a cpio archive in the kernel's `newc` form, gzipped or not.
//!
//! No file is linked to another and each has an inode number of its own, counted from one in the
//! order of paths; dates are zero and owners root. Devices need no privilege to write.

use std::io::Write;

use anyhow::{Context, Result, bail};
use cpio::newc::{self, ModeFileType};

use crate::packing::Packing;
use crate::tree::{Entry, Tree};

/// Writes `tree` to `output`.
pub fn write(tree: &Tree, packing: Packing, output: impl Write) -> Result<()> {
    match packing {
        Packing::None => archive(tree, output).map(drop),
        Packing::Gzip => {
            // The header of flate2 holds no name, and zero for the date.
            let gzip = flate2::write::GzEncoder::new(output, flate2::Compression::best());
            archive(tree, gzip)?.finish().map(drop).context("cannot write the initramfs")
        }
    }
}

fn archive<W: Write>(tree: &Tree, mut output: W) -> Result<W> {
    // The root itself would otherwise be what a tmpfs is by default: writable for everyone.
    let root = Entry::Directory(0o755);
    let entries = [(".", &root)].into_iter().chain(tree.iter());
    for (inode, (path, entry)) in (1_u32..).zip(entries) {
        let header = newc::Builder::new(path).ino(inode).uid(0).gid(0).mtime(0);
        let (header, content) = match entry {
            Entry::Directory(mode) => (
                header.mode(*mode).set_mode_file_type(ModeFileType::Directory).nlink(2),
                Vec::new(),
            ),
            Entry::File { mode, content } => {
                (header.mode(*mode).set_mode_file_type(ModeFileType::Regular), content.read()?)
            }
            Entry::Symlink(to) => (
                header.mode(0o777).set_mode_file_type(ModeFileType::Symlink),
                to.clone().into_bytes(),
            ),
            Entry::Device(mode, major, minor) => (
                header
                    .mode(*mode)
                    .set_mode_file_type(ModeFileType::Char)
                    .rdev_major(*major)
                    .rdev_minor(*minor),
                Vec::new(),
            ),
        };
        let Ok(length) = u32::try_from(content.len()) else {
            bail!("cannot put {path} into an initramfs: it is larger than 4 GiB");
        };
        let failed = || format!("cannot write {path} to the initramfs");
        let mut member = header.write(output, length);
        member.write_all(&content).with_context(failed)?;
        output = member.finish().with_context(failed)?;
    }
    newc::trailer(output).context("cannot write the end of the initramfs")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::tree::Content;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        let script = Content::Bytes(b"#!/bin/sh\n".to_vec());
        tree.insert("init", Entry::File { mode: 0o755, content: script }).unwrap();
        tree.insert("bin", Entry::Symlink("usr/bin".into())).unwrap();
        tree.insert("dev/console", Entry::Device(0o600, 5, 1)).unwrap();
        tree.insert("tmp", Entry::Directory(0o1777)).unwrap();
        tree
    }

    fn packed(tree: &Tree, packing: Packing) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(tree, packing, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn every_kind_of_entry_can_be_read_back() {
        // Name, whole mode and device number of each member, as the kernel will read them.
        let bytes = packed(&sample(), Packing::None);
        let mut rest = bytes.as_slice();
        let mut seen = Vec::new();
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let entry = reader.entry();
            assert_eq!((entry.uid(), entry.gid(), entry.mtime()), (0, 0, 0));
            seen.push((entry.name().to_owned(), entry.mode(), entry.rdev_minor(), entry.ino()));
            rest = reader.finish().unwrap();
        }
        let expected = [
            (".", 0o040_755, 0, 1),
            ("bin", 0o120_777, 0, 2),
            ("dev", 0o040_755, 0, 3),
            ("dev/console", 0o020_600, 1, 4),
            ("init", 0o100_755, 0, 5),
            ("tmp", 0o041_777, 0, 6),
        ];
        let expected =
            expected.map(|(name, mode, minor, inode)| (name.to_owned(), mode, minor, inode));
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_order_of_building_does_not_show() {
        let mut other = Tree::default();
        let entries: Vec<(String, Entry)> =
            sample().iter().map(|(path, entry)| (path.to_owned(), entry.clone())).collect();
        for (path, entry) in entries.into_iter().rev() {
            other.insert(&path, entry).unwrap();
        }
        assert_eq!(packed(&sample(), Packing::Gzip), packed(&other, Packing::Gzip));
    }

    #[test]
    fn gzip_holds_the_same_archive_and_no_date() {
        let bytes = packed(&sample(), Packing::Gzip);
        assert_eq!(&bytes[4..8], [0; 4], "the date of the gzip header");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, packed(&sample(), Packing::None));
    }
}
