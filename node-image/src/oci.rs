//! A tree as a container image: an OCI layout in one tar file, as `ctr image import` takes it.
//!
//! One layer, not compressed: it is read once, from the same machine. The image has no date of
//! its own.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::tree::{Entry, Tree};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What an image says about itself.
#[derive(Debug, Clone)]
pub struct Image {
    /// The name it is imported under, with its tag: `example.org/hello:1`.
    pub name: String,
    /// The architecture, in the words of OCI: `amd64`, `arm64`.
    pub architecture: String,
    /// The command that a container of it runs.
    pub entrypoint: Vec<String>,
}

/// Writes the image of `tree` to `output`.
pub fn write(tree: &Tree, image: &Image, output: impl Write) -> Result<()> {
    let mut layout = Layout { tar: Archive::new(output) };
    let layer = layout.blob(LAYER, &layer(tree)?)?;
    let config = layout.json(
        CONFIG,
        &json!({
            "architecture": image.architecture,
            "os": "linux",
            "config": { "Entrypoint": image.entrypoint, "Env": ["PATH=/bin"] },
            // The layer is stored as it is, so its digest is also that of its content.
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
        }),
    )?;
    let manifest = layout.json(
        MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.json(),
            "layers": [layer.json()],
        }),
    )?;
    let manifest = json!({
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": manifest.size,
        "platform": { "architecture": image.architecture, "os": "linux" },
        "annotations": {
            "io.containerd.image.name": image.name,
            "org.opencontainers.image.ref.name": tag(&image.name),
        },
    });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest] });
    layout.tar.file("index.json", index.to_string().as_bytes())?;
    layout
        .tar
        .file("oci-layout", json!({ "imageLayoutVersion": "1.0.0" }).to_string().as_bytes())?;
    layout.tar.finish()
}

fn tag(name: &str) -> &str {
    name.rsplit_once(':').map_or("latest", |(_, tag)| tag)
}

fn layer(tree: &Tree) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut tar = Archive::new(&mut bytes);
    for (path, entry) in tree.iter() {
        tar.entry(path, entry)?;
    }
    tar.finish()?;
    Ok(bytes)
}

/// What speaks of a blob.
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
}

impl Descriptor {
    fn json(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size })
    }
}

/// A layout in the making.
struct Layout<W: Write> {
    tar: Archive<W>,
}

impl<W: Write> Layout<W> {
    fn blob(&mut self, media_type: &'static str, bytes: &[u8]) -> Result<Descriptor> {
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.tar.file(&format!("blobs/sha256/{hash}"), bytes)?;
        Ok(Descriptor { media_type, digest: format!("sha256:{hash}"), size: bytes.len() })
    }

    fn json(&mut self, media_type: &'static str, value: &Value) -> Result<Descriptor> {
        self.blob(media_type, value.to_string().as_bytes())
    }
}

/// A tar archive without owners and dates.
struct Archive<W: Write>(tar::Builder<W>);

impl<W: Write> Archive<W> {
    fn new(output: W) -> Self {
        Self(tar::Builder::new(output))
    }

    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut header = header(tar::EntryType::Regular, 0o644);
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.append_data(&mut header, path, bytes).with_context(|| cannot_add(path))
    }

    fn entry(&mut self, path: &str, entry: &Entry) -> Result<()> {
        let failed = || cannot_add(path);
        match entry {
            Entry::Directory(mode) => {
                let mut header = header(tar::EntryType::Directory, *mode);
                self.0.append_data(&mut header, format!("{path}/"), &[][..]).with_context(failed)
            }
            Entry::File { mode, content } => {
                let bytes = content.read()?;
                let mut header = header(tar::EntryType::Regular, *mode);
                header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                self.0.append_data(&mut header, path, bytes.as_slice()).with_context(failed)
            }
            Entry::Symlink(to) => {
                let mut header = header(tar::EntryType::Symlink, 0o777);
                self.0.append_link(&mut header, path, to).with_context(failed)
            }
            Entry::Device(mode, major, minor) => {
                let mut header = header(tar::EntryType::Char, *mode);
                header.set_device_major(*major).with_context(failed)?;
                header.set_device_minor(*minor).with_context(failed)?;
                self.0.append_data(&mut header, path, &[][..]).with_context(failed)
            }
        }
    }

    fn finish(mut self) -> Result<()> {
        self.0.finish().context("cannot write the end of the archive")
    }
}

fn cannot_add(path: &str) -> String {
    format!("cannot add {path} to the archive")
}

fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;
    use crate::tree::Content;

    fn sample() -> Vec<u8> {
        let mut tree = Tree::default();
        let busybox = Content::Bytes(b"ELF".to_vec());
        tree.insert("bin/busybox", Entry::File { mode: 0o755, content: busybox }).unwrap();
        tree.insert("bin/sh", Entry::Symlink("busybox".into())).unwrap();
        let image = Image {
            name: "example.org/hello:1".into(),
            architecture: "amd64".into(),
            entrypoint: vec!["/bin/sh".into()],
        };
        let mut bytes = Vec::new();
        write(&tree, &image, &mut bytes).unwrap();
        bytes
    }

    fn members(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(bytes);
        let read = |entry: Result<tar::Entry<'_, _>, _>| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().to_string_lossy().into_owned(), content)
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[test]
    fn every_digest_leads_to_a_blob_of_that_digest_and_size() {
        let members = members(&sample());
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
            let content = &members[&format!("blobs/sha256/{digest}")];
            let found: String =
                Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, digest);
            assert_eq!(descriptor["size"], content.len());
            content.clone()
        };
        let index: Value = serde_json::from_slice(&members["index.json"]).unwrap();
        let named = &index["manifests"][0];
        assert_eq!(named["annotations"]["io.containerd.image.name"], "example.org/hello:1");
        let manifest: Value = serde_json::from_slice(&blob(named)).unwrap();
        let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
        assert_eq!(config["config"]["Entrypoint"], json!(["/bin/sh"]));
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        assert!(members_of(&blob(&manifest["layers"][0])).contains(&"bin/busybox".to_owned()));
    }

    fn members_of(layer: &[u8]) -> Vec<String> {
        members(layer).into_keys().collect()
    }

    #[test]
    fn the_same_tree_makes_the_same_bytes() {
        assert_eq!(sample(), sample());
    }
}
