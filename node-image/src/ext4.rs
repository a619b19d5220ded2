//! A tree as a disk: one ext4 file system without a partition table, for machines that write.
//!
//! Not reproducible, unlike the other images: `mke2fs` fills it, with dates and random numbers of
//! its own, and with the owner of whoever runs it. It needs no privilege and no loop device.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};

use crate::disk::unfolded::Unfolded;
use crate::tool;
use crate::tree::Tree;

const MIB: u64 = 1 << 20;

/// Writes `tree` to `output`, a sparse file of `mib` MiB. `scratch` is a directory that does not
/// exist and holds the tree meanwhile.
pub fn write(tree: &Tree, mib: u64, scratch: &Path, output: &Path) -> Result<()> {
    let unfolded = Unfolded::new(tree, scratch)?;
    format(unfolded.path(), mib, output)
}

fn format(root: &Path, mib: u64, output: &Path) -> Result<()> {
    let failed = || format!("cannot write {}", output.display());
    let size = mib.saturating_mul(MIB);
    File::create(output).and_then(|file| file.set_len(size)).with_context(failed)?;
    let mut mke2fs = tool::command("mke2fs")?;
    mke2fs.args(["-q", "-t", "ext4", "-E", "root_owner=0:0", "-d"]).args([root, output]);
    tool::run(&mut mke2fs).map(drop).with_context(failed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tree::{Content, Entry};

    #[test]
    fn a_disk_has_what_the_tree_has() {
        let mut tree = Tree::default();
        let content = Content::Bytes(b"text".to_vec());
        tree.insert("etc/file", Entry::File { mode: 0o600, content }).unwrap();
        tree.insert("etc/link", Entry::Symlink("file".into())).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let output = scratch.path().join("disk");
        write(&tree, 16, &scratch.path().join("tree"), &output).unwrap();
        assert!(!scratch.path().join("tree").exists());
        assert_eq!(fs::metadata(&output).unwrap().len(), 16 * MIB);
        let shown = |request: &str| {
            let debugfs =
                std::process::Command::new("debugfs").args(["-R", request]).arg(&output).output();
            String::from_utf8(debugfs.unwrap().stdout).unwrap()
        };
        assert_eq!(shown("cat /etc/file"), "text");
        assert!(shown("stat /etc/file").contains("Mode:  0600"), "{}", shown("stat /etc/file"));
        assert!(shown("stat /etc/link").contains("Fast link dest: \"file\""));
    }
}
