//! A tree as a disk: one ext4 file system without a partition table, for machines that write.
//!
//! Not reproducible, unlike the other images: `mke2fs` fills it, with dates and random numbers of
//! its own, and with the owner of whoever runs it. It needs no privilege and no loop device.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::tool;
use crate::tree::{Content, Entry, Tree};

const MIB: u64 = 1 << 20;

/// Writes `tree` to `output`, a sparse file of `mib` MiB. `scratch` is a directory that does not
/// exist and holds the tree meanwhile.
pub fn write(tree: &Tree, mib: u64, scratch: &Path, output: &Path) -> Result<()> {
    fs::create_dir_all(scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let done = unfold(tree, scratch).and_then(|()| format(scratch, mib, output));
    fs::remove_dir_all(scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    done
}

fn unfold(tree: &Tree, root: &Path) -> Result<()> {
    fs::set_permissions(root, Permissions::from_mode(0o755)).context("cannot unfold the tree")?;
    for (path, entry) in tree.iter() {
        let target = root.join(path);
        let made = match entry {
            Entry::Directory(mode) => fs::create_dir(&target)
                .and_then(|()| fs::set_permissions(&target, Permissions::from_mode(*mode))),
            Entry::File { mode, content } => match content {
                Content::Host(source) => fs::copy(source, &target).map(drop),
                Content::Bytes(bytes) => fs::write(&target, bytes),
            }
            .and_then(|()| fs::set_permissions(&target, Permissions::from_mode(*mode))),
            Entry::Symlink(to) => symlink(to, &target),
            Entry::Device(..) => bail!("cannot put the device {path} on a disk"),
        };
        made.with_context(|| format!("cannot unfold {path}"))?;
    }
    Ok(())
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
    use super::*;

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
