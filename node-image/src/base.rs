//! The container base image: `/init` as the entrypoint, what it needs, and nothing else; or the
//! same with busybox, for those who want a shell.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::oci::Image;
use crate::output::beside;
use crate::sbom::{self, Component};
use crate::tree::{Content, Entry, Tree};

/// Our programs in it, and where they go.
const PROGRAMS: [(&str, &str); 4] = [
    ("init", "usr/lib/cooper/init"),
    ("supervise", "usr/lib/cooper/supervise"),
    ("cooper-log", "usr/lib/cooper/cooper-log"),
    ("svc", "usr/bin/svc"),
];
/// A link to `svc`, which compiles the services and then becomes init.
const ENTRYPOINT: &str = "/init";
const SBOM: &str = "usr/share/sbom/cooper.cdx.json";
const LICENSE: &str = include_str!("../../LICENSE");

/// Where an image may write, and what a runtime mounts over.
const DIRECTORIES: [(&str, u32); 8] = [
    ("dev", 0o755),
    ("etc/cooper/services", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
    ("var/log", 0o755),
];
/// Who there is, so that `USER nobody` and files of root have names.
const FILES: [(&str, &str); 2] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
];

/// What it is made from, for one architecture.
#[derive(Debug, Clone)]
pub struct Base {
    /// The architecture, in the words of OCI.
    pub architecture: String,
    /// Where our programs are; beside it, in `NAME.crates`, the list of what they are built from.
    pub programs: PathBuf,
    /// What the variant has beside them.
    pub shell: Option<Shell>,
}

/// Programs of others.
#[derive(Debug, Clone)]
pub struct Shell {
    /// A static busybox.
    pub busybox: Program,
    /// What it can be called as.
    pub applets: Vec<String>,
    /// A static shell.
    pub shell: Program,
}

/// A program of others.
#[derive(Debug, Clone)]
pub struct Program {
    /// Where it is.
    pub file: PathBuf,
    /// Which one it is.
    pub component: Component,
}

impl Base {
    /// The files of the image.
    pub fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        for (path, mode) in DIRECTORIES {
            tree.insert(path, Entry::Directory(mode))?;
        }
        for (path, text) in FILES {
            tree.insert(path, Entry::file(text.as_bytes().to_vec()))?;
        }
        for (program, path) in PROGRAMS {
            let content = Content::Host(self.programs.join(program));
            tree.insert(path, Entry::File { mode: 0o755, content })?;
        }
        tree.insert(ENTRYPOINT, Entry::Symlink("usr/bin/svc".to_owned()))?;
        tree.insert("usr/share/doc/cooper/LICENSE", Entry::file(LICENSE.as_bytes().to_vec()))?;
        let mut components = self.crates()?;
        if let Some(Shell { busybox, applets, shell }) = &self.shell {
            for (path, program) in [("bin/busybox", busybox), ("bin/mksh", shell)] {
                let content = Content::Host(program.file.clone());
                tree.insert(path, Entry::File { mode: 0o755, content })?;
                components.push(program.component.clone());
            }
            tree.insert("bin/sh", Entry::Symlink("mksh".to_owned()))?;
            // Its own init and svc would be taken for ours.
            let is_linked = |name: &&String| !["init", "sh", "svc"].contains(&name.as_str());
            for applet in applets.iter().filter(is_linked) {
                tree.insert(&format!("bin/{applet}"), Entry::Symlink("busybox".to_owned()))?;
            }
        }
        let document = sbom::document("cooper", env!("CARGO_PKG_VERSION"), &components)?;
        tree.insert(SBOM, Entry::file(document))?;
        Ok(tree)
    }

    /// What the image says about itself.
    #[must_use]
    pub fn image(&self) -> Image {
        let labels = [
            ("org.opencontainers.image.title", "cooper"),
            ("org.opencontainers.image.description", "PID 1 and supervision tree of containers"),
            ("org.opencontainers.image.licenses", "MIT"),
            ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION")),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Image {
            architecture: self.architecture.clone(),
            entrypoint: vec![ENTRYPOINT.to_owned(), "--".to_owned()],
            command: self.shell.iter().map(|_| "/bin/sh".to_owned()).collect(),
            environment: vec!["PATH=/usr/local/bin:/usr/bin:/bin".to_owned()],
            labels: labels.into(),
        }
    }

    fn crates(&self) -> Result<Vec<Component>> {
        let path = beside(&self.programs, ".crates");
        let list = std::fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}, which node-image/build-static writes", path.display())
        })?;
        sbom::crates(&list)
    }
}
