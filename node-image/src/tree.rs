//! What goes into an image: paths with their type, mode and content, from layers laid over each
//! other.
//!
//! A later layer wins over an earlier one, path by path. Owners are not recorded: everything in
//! an image belongs to root, which is what it belongs to on a node.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The permission bits, with setuid, setgid and the sticky bit.
const MODE_MASK: u32 = 0o7777;

/// Links from a directory to another that are followed at most, when a path is resolved.
const LINKS_MAX: usize = 16;

/// The files of an image, by their path in it, relative and without `.` or `..`. A directory sorts
/// before what is in it, so that order of the map is an order in which all of it can be created.
#[derive(Debug, Default, Clone)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

/// One path of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory with its permission bits.
    Directory(u32),
    /// A file.
    File {
        /// Its permission bits.
        mode: u32,
        /// What is in it.
        content: Content,
    },
    /// A symbolic link and where it points.
    Symlink(String),
    /// A character device: permission bits, major and minor number.
    Device(u32, u32, u32),
}

impl Entry {
    /// A file with these bytes, for everybody to read.
    #[must_use]
    pub fn file(bytes: impl Into<Vec<u8>>) -> Self {
        Self::File { mode: 0o644, content: Content::Bytes(bytes.into()) }
    }
}

/// Where the bytes of a file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file of the machine that builds, read when the image is written.
    Host(PathBuf),
    /// These.
    Bytes(Vec<u8>),
}

impl Content {
    /// The bytes themselves.
    pub fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Host(path) => {
                fs::read(path).with_context(|| format!("cannot read {}", path.display()))
            }
        }
    }
}

impl Tree {
    /// Lays `source`, a directory or a single file, over what is there, at `target` in the image.
    pub fn lay(&mut self, source: &Path, target: &str) -> Result<()> {
        let look = || format!("cannot look at {}", source.display());
        let metadata = fs::symlink_metadata(source).with_context(look)?;
        let kind = metadata.file_type();
        let mode = metadata.permissions().mode() & MODE_MASK;
        if kind.is_dir() {
            // The directory a layer is laid at keeps its own mode, as /tmp must.
            if !self.is_directory(target) {
                self.insert(target, Entry::Directory(mode))?;
            }
            for child in fs::read_dir(source).with_context(look)? {
                let child = child.with_context(look)?;
                let Ok(name) = child.file_name().into_string() else {
                    bail!("cannot take {}: its name is not UTF-8", child.path().display());
                };
                self.lay(&child.path(), &join(target, &name))?;
            }
            Ok(())
        } else if kind.is_symlink() {
            let to = fs::read_link(source).with_context(look)?;
            let Some(to) = to.to_str() else {
                bail!("cannot take {}: it points to what is not UTF-8", source.display());
            };
            self.insert(target, Entry::Symlink(to.to_owned()))
        } else if kind.is_file() {
            self.insert(target, Entry::File { mode, content: Content::Host(source.to_owned()) })
        } else if kind.is_socket() || kind.is_fifo() {
            // What a program left behind when it ran; it is made anew when it runs again.
            Ok(())
        } else {
            bail!("cannot take {}: it is a device", source.display())
        }
    }

    /// Puts one path in, with the directories above it. Where one of these is a link within the
    /// image (`/bin` to `usr/bin`), the path goes where it leads.
    pub fn insert(&mut self, path: &str, entry: Entry) -> Result<()> {
        let path = self.resolve(path)?;
        if path.is_empty() {
            return Ok(());
        }
        let mut above = String::new();
        for part in parent(&path).split('/').filter(|part| !part.is_empty()) {
            above = join(&above, part);
            self.entries.entry(above.clone()).or_insert(Entry::Directory(0o755));
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    /// Takes `path` out, with all that is below it.
    pub fn remove(&mut self, path: &str) {
        let path = path.trim_matches('/');
        let below = format!("{path}/");
        self.retain(|name| name != path && !name.starts_with(&below));
    }

    /// Takes out every path for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.entries.retain(|path, _| keep(path));
    }

    /// Every path with what it is, parents before children.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// What is at `path`.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    fn is_directory(&self, path: &str) -> bool {
        let Ok(path) = self.resolve(&join(path, "x")) else { return false };
        matches!(self.entries.get(parent(&path)), Some(Entry::Directory(_)))
    }

    /// `path` with links of the image followed in all but its last part.
    fn resolve(&self, path: &str) -> Result<String> {
        let mut links = 0_usize;
        let mut todo: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        let mut done = String::new();
        while let Some(part) = todo.pop() {
            if part == ".." {
                done = parent(&done).to_owned();
                continue;
            }
            let here = join(&done, &part);
            match self.entries.get(&here) {
                Some(Entry::Symlink(to)) if !todo.is_empty() => {
                    links = links.saturating_add(1);
                    if links > LINKS_MAX {
                        bail!("cannot put {path} into the image: its links lead round in a circle");
                    }
                    if to.starts_with('/') {
                        done.clear();
                    }
                    todo.extend(parts(to).rev().map(str::to_owned));
                }
                Some(
                    Entry::Directory(_)
                    | Entry::File { .. }
                    | Entry::Symlink(_)
                    | Entry::Device(..),
                )
                | None => done = here,
            }
        }
        Ok(done)
    }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Entry {
        Entry::File { mode: 0o644, content: Content::Bytes(text.into()) }
    }

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn a_path_brings_the_directories_above_it() {
        let mut tree = Tree::default();
        tree.insert("/etc/ssh/sshd_config", file("")).unwrap();
        assert_eq!(paths(&tree), ["etc", "etc/ssh", "etc/ssh/sshd_config"]);
    }

    #[test]
    fn a_path_below_a_link_goes_where_the_link_leads() {
        // Else the link of a merged /usr and a directory of another layer would both want to be
        // `bin`.
        let mut tree = Tree::default();
        tree.insert("bin", Entry::Symlink("usr/bin".into())).unwrap();
        tree.insert("usr/lib64", Entry::Symlink("/lib".into())).unwrap();
        tree.insert("bin/sh", file("")).unwrap();
        tree.insert("usr/lib64/ld.so", file("")).unwrap();
        assert!(tree.entry("usr/bin/sh").is_some());
        assert!(tree.entry("lib/ld.so").is_some());
        assert_eq!(tree.entry("bin"), Some(&Entry::Symlink("usr/bin".into())));
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let mut tree = Tree::default();
        tree.insert("a", Entry::Symlink("b".into())).unwrap();
        tree.insert("b", Entry::Symlink("a".into())).unwrap();
        let error = tree.insert("a/file", file("")).unwrap_err();
        assert!(error.to_string().contains("a/file"), "{error}");
    }

    #[test]
    fn a_later_layer_wins() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(one.path().join("motd"), "one").unwrap();
        fs::write(one.path().join("only"), "one").unwrap();
        fs::write(two.path().join("motd"), "two").unwrap();
        let mut tree = Tree::default();
        tree.lay(one.path(), "etc").unwrap();
        tree.lay(two.path(), "/etc/").unwrap();
        assert_eq!(paths(&tree), ["etc", "etc/motd", "etc/only"]);
        let Some(Entry::File { content, .. }) = tree.entry("etc/motd") else { panic!("no motd") };
        assert_eq!(content.read().unwrap(), b"two");
    }

    #[test]
    fn a_path_goes_with_all_below_it_and_nothing_beside_it() {
        let mut tree = Tree::default();
        tree.insert("boot/vmlinuz", file("")).unwrap();
        tree.insert("bootlog", file("")).unwrap();
        tree.remove("/boot");
        assert_eq!(paths(&tree), ["bootlog"]);
    }
}
