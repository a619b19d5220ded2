//! Kernel modules: which of a kernel's thousands an image takes, and their index.
//!
//! The index is `modules.dep` as depmod writes it; busybox modprobe needs no more than that and
//! `modules.builtin`. Its other indices speak of modules that are left out, so they are left out
//! as well.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use crate::tree::{Content, Entry, Tree};

const ABOVE: &str = "usr/lib/modules";

/// Leaves in `tree` only the modules `wanted`, by name, with those they need. A name that the
/// kernel has built in is no error; one it does not have at all is.
pub fn keep(tree: &mut Tree, wanted: &[String]) -> Result<()> {
    for version in versions(tree) {
        let directory = format!("{ABOVE}/{version}");
        let index = Index::parse(&text(tree, &format!("{directory}/modules.dep"))?)?;
        let builtin = text(tree, &format!("{directory}/modules.builtin"))?;
        let kept = index.closure(wanted, &builtin)?;

        let above = format!("{directory}/");
        let mut paths: BTreeSet<&str> =
            kept.iter().flat_map(|path| with_directories(path)).collect();
        paths.insert("modules.builtin");
        tree.retain(|path| path.strip_prefix(&above).is_none_or(|path| paths.contains(path)));
        let content = Content::Bytes(index.lines(&kept).into_bytes());
        tree.insert(&format!("{directory}/modules.dep"), Entry::File { mode: 0o644, content })?;
    }
    Ok(())
}

fn versions(tree: &Tree) -> Vec<String> {
    let below = format!("{ABOVE}/");
    tree.iter()
        .filter_map(|(path, _)| path.strip_prefix(&below))
        .filter(|rest| !rest.contains('/'))
        .map(str::to_owned)
        .collect()
}

fn text(tree: &Tree, path: &str) -> Result<String> {
    let Some(Entry::File { content, .. }) = tree.entry(path) else {
        bail!(
            "cannot find {path} in the image: run depmod on the tree of the kernel package first"
        );
    };
    String::from_utf8(content.read()?)
        .with_context(|| format!("cannot read {path}: it is not UTF-8"))
}

/// `a/b/c` as `a`, `a/b` and `a/b/c`.
fn with_directories(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| path.split_at(at).0).chain([path])
}

/// `modules.dep`: each module's path, and the paths of all that it needs, in the order to unload
/// them.
struct Index(BTreeMap<String, Vec<String>>);

impl Index {
    fn parse(text: &str) -> Result<Self> {
        let mut needs = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let Some((path, needed)) = line.split_once(':') else {
                bail!("cannot read modules.dep: no colon in {line:?}");
            };
            needs.insert(
                path.to_owned(),
                needed.split_ascii_whitespace().map(str::to_owned).collect(),
            );
        }
        Ok(Self(needs))
    }

    fn closure(&self, wanted: &[String], builtin: &str) -> Result<BTreeSet<String>> {
        let mut kept = BTreeSet::new();
        for wanted in wanted {
            let named = |path: &str| name(path) == wanted.replace('-', "_");
            match self.0.iter().find(|(path, _)| named(path)) {
                Some((path, needed)) => {
                    kept.insert(path.clone());
                    kept.extend(needed.iter().cloned());
                }
                None if builtin.lines().any(named) => {}
                None => bail!("cannot find the module {wanted} in the kernel package"),
            }
        }
        Ok(kept)
    }

    fn lines(&self, kept: &BTreeSet<String>) -> String {
        self.0
            .iter()
            .filter(|(path, _)| kept.contains(*path))
            .map(|(path, needed)| {
                let needed: String = needed.iter().map(|path| format!(" {path}")).collect();
                format!("{path}:{needed}\n")
            })
            .collect()
    }
}

/// The name of the module at `path`, as modprobe knows it.
fn name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz kernel/net/llc/llc.ko.xz
kernel/net/bridge/bridge.ko.xz: kernel/net/llc/llc.ko.xz
kernel/net/llc/llc.ko.xz:
kernel/drivers/char/virtio-rng.ko.xz:
";

    fn sample() -> Tree {
        let mut tree = Tree::default();
        let directory = "usr/lib/modules/6.12";
        let mut put = |path: &str, text: &str| {
            let content = Content::Bytes(text.into());
            let path = format!("{directory}/{path}");
            tree.insert(&path, Entry::File { mode: 0o644, content }).unwrap();
        };
        put("modules.dep", DEP);
        put("modules.builtin", "kernel/drivers/char/virtio_console.ko\n");
        put("modules.order", "");
        for line in DEP.lines() {
            put(line.split(':').next().unwrap(), "");
        }
        tree
    }

    fn kept(wanted: &[&str]) -> Result<Vec<String>> {
        let mut tree = sample();
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        keep(&mut tree, &wanted)?;
        let below = "usr/lib/modules/6.12/";
        Ok(tree
            .iter()
            .filter_map(|(path, _)| path.strip_prefix(below))
            .map(str::to_owned)
            .collect())
    }

    #[test]
    fn a_module_comes_with_what_it_needs_and_nothing_else() {
        let kept = kept(&["br_netfilter", "virtio_console"]).unwrap();
        let expected = [
            "kernel",
            "kernel/net",
            "kernel/net/bridge",
            "kernel/net/bridge/br_netfilter.ko.xz",
            "kernel/net/bridge/bridge.ko.xz",
            "kernel/net/llc",
            "kernel/net/llc/llc.ko.xz",
            "modules.builtin",
            "modules.dep",
        ];
        assert_eq!(kept, expected);
    }

    #[test]
    fn dash_and_underscore_are_the_same() {
        assert!(
            kept(&["virtio_rng"]).unwrap().iter().any(|path| path.ends_with("virtio-rng.ko.xz"))
        );
        assert!(
            kept(&["virtio-rng"]).unwrap().iter().any(|path| path.ends_with("virtio-rng.ko.xz"))
        );
    }

    #[test]
    fn a_module_that_the_kernel_lacks_is_an_error() {
        assert!(kept(&["overlay"]).unwrap_err().to_string().contains("overlay"));
    }
}
