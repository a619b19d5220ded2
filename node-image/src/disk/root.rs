//! A root, made into one that is never written to.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::graph::GRAPH;
use crate::output::hex;
use crate::tree::{Entry, Tree};

/// Directories that are written to: the node's own are on the partition `data`, and what the image
/// has for them is copied there (`node-setup`'s module `initrd`).
const WRITTEN: [&str; 6] = ["home", "mnt", "opt", "root", "srv", "var"];
const FACTORY: &str = "usr/share/factory/var";
/// Where file systems are mounted, and what every root has.
const DIRECTORIES: [(&str, u32); 13] = [
    ("boot", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("var", 0o755),
];
const FSTAB: &str = "\
# The root is an image, and /var the partition data of the same disk: both are mounted before init.
";
/// Where kernels' modules are: `/lib` is a link to `/usr/lib` in most roots.
const MODULES: [&str; 2] = ["usr/lib/modules", "lib/modules"];

/// A root's kernel.
#[derive(Debug)]
pub struct Kernel {
    /// `6.12.57+deb13-amd64`
    pub version: String,
    /// The image.
    pub image: Vec<u8>,
}

/// The root's only kernel.
///
/// # Errors
///
/// There is none, or several.
pub fn kernel(root: &Tree) -> Result<Kernel> {
    let versions: Vec<String> = MODULES
        .iter()
        .flat_map(|above| names(root, above).into_iter().map(str::to_owned))
        .collect();
    let version = only(&versions, "the modules of a kernel, in /usr/lib/modules")?.to_owned();
    let images: Vec<String> = names(root, "boot")
        .into_iter()
        .filter(|name| name.starts_with("vmlinuz"))
        .map(|name| format!("boot/{name}"))
        .collect();
    let path = only(&images, "a kernel, /boot/vmlinuz…")?;
    let Some(Entry::File { content, .. }) = root.entry(path) else {
        bail!("cannot read the kernel: {path} is no file");
    };
    Ok(Kernel { version, image: content.read()? })
}

fn only<'a>(names: &'a [String], what: &str) -> Result<&'a str> {
    match names {
        [one] => Ok(one),
        [] => bail!("the root does not have {what}"),
        many => bail!("the root has several: {} ({what})", many.join(", ")),
    }
}

/// What is right in a directory.
pub fn names<'a>(tree: &'a Tree, directory: &str) -> Vec<&'a str> {
    let below = format!("{directory}/");
    let rest = tree.iter().filter_map(|(path, _)| path.strip_prefix(&below));
    rest.filter(|rest| !rest.contains('/')).collect()
}

/// The files of the kernel's modules, by their path below `usr/lib/modules`.
pub fn modules(root: &Tree) -> impl Iterator<Item = (&str, &Entry)> {
    root.iter().filter_map(|(path, entry)| {
        let rest = MODULES.iter().find_map(|above| path.strip_prefix(above)?.strip_prefix('/'))?;
        Some((rest, entry))
    })
}

/// Makes it one that is only read: what the node writes goes to the factory, what boots it is not
/// in it, and it says which one it is.
pub fn settle(root: &mut Tree, target: &str, profiles: &[String]) -> Result<()> {
    if root.entry(GRAPH).is_none() {
        bail!("the root has no compiled graph: svc compile --root ROOT --output ROOT/{GRAPH}");
    }
    let mut moved = BTreeMap::new();
    for name in WRITTEN {
        let below = format!("{name}/");
        let factory = if name == "var" { FACTORY.to_owned() } else { format!("{FACTORY}/{name}") };
        for (path, entry) in root.iter() {
            if let Some(rest) = path.strip_prefix(&below) {
                moved.insert(format!("{factory}/{rest}"), entry.clone());
            }
        }
    }
    let is_left = |path: &str| {
        let top = path.split('/').next().unwrap_or_default();
        let is_own =
            WRITTEN.contains(&top) || top == "boot" || path.starts_with("usr/lib/systemd/boot");
        !is_own
    };
    root.retain(is_left);
    for (path, entry) in moved {
        root.insert(&path, entry)?;
    }
    for (path, mode) in DIRECTORIES {
        root.insert(path, Entry::Directory(mode))?;
    }
    root.insert("etc/fstab", Entry::file(FSTAB.to_owned()))?;
    let id = sum(root)?;
    let profiles = profiles.join(",");
    let image = format!("target={target}\nprofiles={profiles}\nid={id}\n");
    root.insert("usr/share/factory/image", Entry::file(image))
}

/// Of all paths, and what is there.
fn sum(tree: &Tree) -> Result<String> {
    let mut all = Sha256::new();
    for (path, entry) in tree.iter() {
        let line = match entry {
            Entry::Directory(mode) => format!("{path} d {mode:o}\n"),
            Entry::Symlink(to) => format!("{path} l {to}\n"),
            Entry::Device(mode, major, minor) => format!("{path} c {mode:o} {major}:{minor}\n"),
            Entry::File { mode, content } => {
                let bytes = content.read().with_context(|| format!("cannot take {path}"))?;
                format!("{path} f {mode:o} {}\n", hex(&Sha256::digest(bytes)))
            }
        };
        all.update(line);
    }
    Ok(hex(&all.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for path in files {
            tree.insert(path, Entry::file((*path).to_owned())).unwrap();
        }
        tree
    }

    #[test]
    fn what_is_written_goes_to_the_factory() {
        let mut tree = root(&[
            GRAPH,
            "boot/vmlinuz-6.12",
            "etc/passwd",
            "opt/cni/bin/bridge",
            "usr/lib/systemd/boot/efi/x.efi",
            "root/.profile",
        ]);
        settle(&mut tree, "n100", &["base".to_owned()]).unwrap();
        for path in [
            "usr/share/factory/var/lib/cooper/graph/image",
            "usr/share/factory/var/opt/cni/bin/bridge",
            "usr/share/factory/var/root/.profile",
            "etc/passwd",
            "proc",
            "var",
        ] {
            assert!(tree.entry(path).is_some(), "{path}");
        }
        for path in ["var/lib", "opt/cni", "boot/vmlinuz-6.12", "usr/lib/systemd/boot"] {
            assert!(tree.entry(path).is_none(), "{path}");
        }
        assert_eq!(tree.entry("root"), Some(&Entry::Directory(0o700)));
    }

    #[test]
    fn each_root_has_an_identity_of_its_own() {
        let id = |more: &str| {
            let mut tree = root(&[GRAPH, more]);
            settle(&mut tree, "n100", &[]).unwrap();
            let Some(Entry::File { content, .. }) = tree.entry("usr/share/factory/image") else {
                panic!("no image");
            };
            String::from_utf8(content.read().unwrap()).unwrap()
        };
        assert_eq!(id("usr/a"), id("usr/a"));
        assert_ne!(id("usr/a"), id("usr/b"));
    }

    #[test]
    fn there_is_one_kernel() {
        let error = |files: &[&str]| kernel(&root(files)).unwrap_err().to_string();
        assert!(error(&[]).contains("does not have the modules"));
        let modules = "usr/lib/modules/6.12/modules.dep";
        assert!(error(&[modules]).contains("does not have a kernel"));
        let two = [modules, "boot/vmlinuz-6.12", "boot/vmlinuz-6.6"];
        assert!(error(&two).contains("several: boot/vmlinuz-6.12, boot/vmlinuz-6.6"));
        let kernel = kernel(&root(&["lib/modules/6.12/modules.dep", "boot/vmlinuz-lts"]));
        assert_eq!(kernel.unwrap().version, "6.12");
    }
}
