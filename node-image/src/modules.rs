//! Kernel modules: which of a kernel's thousands an image takes, and their indices.
//!
//! `modules.dep` and `modules.alias` are those of depmod, without the lines about modules that are
//! left out; `modules.builtin` and `modules.softdep` are whole. busybox modprobe needs the first,
//! our own node-setup all of them. depmod's binary indices would speak of modules that are not
//! there, and nobody needs them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use node_setup::modules::index::{Index, Line, name, normal};

use crate::tree::{Content, Entry, Tree};

const ABOVE: &str = "usr/lib/modules";
/// What speaks of the kernel itself, or of names alone.
const WHOLE: [&str; 3] = ["modules.builtin", "modules.builtin.modinfo", "modules.softdep"];

/// Leaves in `tree` only the modules `wanted`, by name, with those they need. A name that the
/// kernel has built in is no error; one it does not have at all is.
pub fn keep(tree: &mut Tree, wanted: &[String]) -> Result<()> {
    for version in versions(tree) {
        let directory = format!("{ABOVE}/{version}");
        let dep = text(tree, &format!("{directory}/modules.dep"))?;
        let index = Index::parse(&dep)?;
        let builtin = text(tree, &format!("{directory}/modules.builtin"))?;
        let alias = text(tree, &format!("{directory}/modules.alias"))?;
        let softdep = text(tree, &format!("{directory}/modules.softdep"))?;
        let texts = Texts { index, builtin: &builtin, alias: &alias, softdep: &softdep };
        let kept = texts.closure(wanted)?;

        let above = format!("{directory}/");
        let mut paths: BTreeSet<&str> =
            kept.iter().flat_map(|path| with_directories(path)).collect();
        paths.extend(WHOLE);
        tree.retain(|path| path.strip_prefix(&above).is_none_or(|path| paths.contains(path)));
        let lines =
            [("dep", dep_lines(&texts.index, &kept)), ("alias", alias_lines(&alias, &kept))];
        for (index, lines) in lines {
            let content = Content::Bytes(lines.into_bytes());
            let path = format!("{directory}/modules.{index}");
            tree.insert(&path, Entry::File { mode: 0o644, content })?;
        }
    }
    Ok(())
}

/// Those of `wanted` that the kernel has not, built in or not.
pub fn missing(tree: &Tree, wanted: &[String]) -> Result<Vec<String>> {
    let mut missing = wanted.to_vec();
    for version in versions(tree) {
        let directory = format!("{ABOVE}/{version}");
        let dep = text(tree, &format!("{directory}/modules.dep"))?;
        let index = Index::parse(&dep)?;
        let builtin = text(tree, &format!("{directory}/modules.builtin"))?;
        missing.retain(|wanted| index.find(wanted).is_none() && !is_built_in(&builtin, wanted));
    }
    Ok(missing)
}

fn is_built_in(builtin: &str, wanted: &str) -> bool {
    builtin.lines().any(|path| name(path) == normal(wanted))
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

/// What a kernel package says of its modules.
struct Texts<'a> {
    index: Index<'a>,
    builtin: &'a str,
    alias: &'a str,
    softdep: &'a str,
}

impl<'a> Texts<'a> {
    /// The files of the wanted modules and of all that they need; what they work without
    /// (`softdep`) as well, if the kernel has it.
    fn closure(&self, wanted: &'a [String]) -> Result<BTreeSet<&'a str>> {
        let mut kept = BTreeSet::new();
        for wanted in wanted {
            match self.index.find(wanted) {
                Some(line) => self.keep(line, &mut kept),
                None if is_built_in(self.builtin, wanted) => {}
                None => bail!("cannot find the module {wanted} in the kernel package"),
            }
        }
        Ok(kept)
    }

    fn keep(&self, line: Line<'a>, kept: &mut BTreeSet<&'a str>) {
        for path in line.needs().chain([line.path]) {
            if !kept.insert(path) {
                continue;
            }
            let module = name(path);
            for line in self.soft(&module).flat_map(|soft| self.named(soft)) {
                self.keep(line, kept);
            }
        }
    }

    /// `softdep libcrc32c pre: crc32c post: x`; a module may have several lines.
    fn soft(&self, module: &str) -> impl Iterator<Item = &'a str> {
        let of = move |line: &'a str| {
            let mut words = line.split_ascii_whitespace();
            let is_its = words.next() == Some("softdep") && words.next().map(normal)? == module;
            is_its.then_some(words)
        };
        let words = self.softdep.lines().filter_map(of).flatten();
        words.filter(|word| !word.ends_with(':'))
    }

    /// The modules that a name stands for: itself, or those that have it as an alias.
    fn named(&self, wanted: &'a str) -> Vec<Line<'a>> {
        if let Some(line) = self.index.find(wanted) {
            return vec![line];
        }
        let aliases = self.alias.lines().filter_map(|line| {
            let rest = line.strip_prefix("alias ")?.strip_prefix(wanted)?;
            self.index.find(rest.strip_prefix(' ')?)
        });
        aliases.collect()
    }
}

fn dep_lines(index: &Index<'_>, kept: &BTreeSet<&str>) -> String {
    let mut lines: Vec<Line<'_>> = index.lines().filter(|line| kept.contains(line.path)).collect();
    lines.sort_by_key(|line| line.path);
    let text = |line: &Line<'_>| {
        let needs: String = line.needs().map(|path| format!(" {path}")).collect();
        format!("{}:{needs}\n", line.path)
    };
    lines.iter().map(text).collect()
}

/// `alias PATTERN MODULE`
fn alias_lines(alias: &str, kept: &BTreeSet<&str>) -> String {
    let names: BTreeSet<_> = kept.iter().map(|path| name(path)).collect();
    let is_kept =
        |line: &&str| line.rsplit(' ').next().is_some_and(|module| names.contains(&normal(module)));
    alias.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz kernel/net/llc/llc.ko.xz
kernel/net/bridge/bridge.ko.xz: kernel/net/llc/llc.ko.xz
kernel/net/llc/llc.ko.xz:
kernel/drivers/char/virtio-rng.ko.xz:
kernel/fs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz
kernel/lib/libcrc32c.ko.xz:
kernel/crypto/crc32c_generic.ko.xz:
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
        put(
            "modules.alias",
            "alias net-pf-x llc\nalias pci:v*d* e1000\nalias crc32c crc32c_generic\n",
        );
        put(
            "modules.softdep",
            "# soft\nsoftdep libcrc32c pre: crc32c no-such post: br_netfilter\n",
        );
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
            "modules.alias",
            "modules.builtin",
            "modules.dep",
            "modules.softdep",
        ];
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_module_comes_with_what_it_wants_by_another_name() {
        let kept = kept(&["erofs"]).unwrap();
        for name in ["erofs", "libcrc32c", "crc32c_generic", "br_netfilter", "llc"] {
            let file = format!("/{name}.ko.xz");
            assert!(kept.iter().any(|path| path.ends_with(&file)), "{name}: {kept:?}");
        }
    }

    #[test]
    fn an_alias_comes_with_its_module() {
        let mut tree = sample();
        keep(&mut tree, &["llc".to_owned()]).unwrap();
        let alias = text(&tree, "usr/lib/modules/6.12/modules.alias").unwrap();
        assert_eq!(alias, "alias net-pf-x llc\n");
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
