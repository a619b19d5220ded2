//! `modules.dep`, depmod's index: each module's path, and the paths of all that it needs.
//!
//! The same index serves a node that loads modules, and the building of an image that takes some
//! of a kernel's modules along.

use std::borrow::Cow;
use std::collections::HashMap;

/// The index, by names.
#[derive(Debug, Default)]
pub struct Index<'a>(HashMap<Cow<'a, str>, Line<'a>>);

/// One module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its file, below the directory of the kernel's version.
    pub path: &'a str,
    needs: &'a str,
}

impl<'a> Line<'a> {
    /// The files of all that it needs, in the order to unload them; they are loaded the other way
    /// round.
    pub fn needs(&self) -> impl DoubleEndedIterator<Item = &'a str> {
        self.needs.split_ascii_whitespace()
    }
}

/// A line that is none of `modules.dep`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read modules.dep: no colon in {0:?}")]
pub struct NoColon(pub String);

impl<'a> Index<'a> {
    /// Reads the file's text.
    ///
    /// # Errors
    /// If a line is none of it.
    pub fn parse(text: &'a str) -> Result<Self, NoColon> {
        let mut index = HashMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (path, needs) = line.split_once(':').ok_or_else(|| NoColon(line.to_owned()))?;
            index.insert(name(path), Line { path, needs });
        }
        Ok(Self(index))
    }

    /// The module called so; dash and underscore are the same.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Line<'a>> {
        self.0.get(normal(name).as_ref()).copied()
    }

    /// All of them, in no order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> {
        self.0.values().copied()
    }
}

/// The name of the module at `path`, as the kernel knows it.
#[must_use]
pub fn name(path: &str) -> Cow<'_, str> {
    let file = path.rsplit('/').next().unwrap_or(path);
    normal(file.split(".ko").next().unwrap_or(file))
}

/// The name with underscores only, as the kernel spells it.
#[must_use]
pub fn normal(name: &str) -> Cow<'_, str> {
    match name.contains('-') {
        true => Cow::Owned(name.replace('-', "_")),
        false => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz kernel/net/llc/llc.ko.xz
kernel/net/llc/llc.ko.xz:
kernel/drivers/char/virtio-rng.ko.zst:
";

    #[test]
    fn a_module_is_found_by_either_spelling_with_what_it_needs() {
        let index = Index::parse(DEP).unwrap();
        let line = index.find("br-netfilter").unwrap();
        let needs: Vec<_> = line.needs().rev().map(name).collect();
        assert_eq!(needs, ["llc", "bridge"]);
        assert_eq!(index.find("virtio_rng"), index.find("virtio-rng"));
        assert!(index.find("virtio-rng").is_some());
        assert!(index.find("overlay").is_none());
    }

    #[test]
    fn what_is_no_index_is_said() {
        assert_eq!(Index::parse("abc\n").unwrap_err(), NoColon("abc".into()));
        assert_eq!(Index::parse("").unwrap().lines().count(), 0);
    }
}
