//! A tree as files of the machine that builds, for tools that take a directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::tree::{Content, Entry, Tree};

/// The directory; it is removed when this is dropped.
#[derive(Debug)]
pub struct Unfolded(PathBuf);

impl Unfolded {
    /// Makes `directory`, which is not there yet.
    pub fn new(tree: &Tree, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let unfolded = Self(directory.to_owned());
        unfolded.fill(tree)?;
        Ok(unfolded)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn fill(&self, tree: &Tree) -> Result<()> {
        let root = &self.0;
        fs::set_permissions(root, Permissions::from_mode(0o755))
            .context("cannot unfold the tree")?;
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
}

impl Drop for Unfolded {
    fn drop(&mut self) {
        // What is left is beside the image, and seen.
        let _ = fs::remove_dir_all(&self.0);
    }
}
