//! Trees as container images: an OCI layout, as a directory or in one tar file.
//!
//! One layer for each image. Images of several architectures go below one index, and have one name.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::packing::{Packing, gzip};
use crate::tree::{Entry, Tree};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image has no date of its own; some tools want one.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What an image says about itself.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// The architecture, in the words of OCI: `amd64`, `arm64`.
    pub architecture: String,
    /// The program that a container of it runs.
    pub entrypoint: Vec<String>,
    /// What it is given, unless the user says otherwise.
    pub command: Vec<String>,
    /// The variables that it runs with: `NAME=VALUE`.
    pub environment: Vec<String>,
    /// Labels, which are the manifest's annotations as well.
    pub labels: BTreeMap<String, String>,
}

/// Where the files of a layout go.
pub trait Sink {
    /// Takes a file: its path, relative, and what is in it.
    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()>;
}

/// A directory.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// A directory that is made now.
    pub fn make(path: &Path) -> Result<Self> {
        let blobs = path.join("blobs/sha256");
        fs::create_dir_all(&blobs).with_context(|| format!("cannot make {}", blobs.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Sink for Directory {
    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let path = self.0.join(path);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A layout in the making.
#[derive(Debug)]
pub struct Layout<S: Sink> {
    sink: S,
    packing: Packing,
    /// A digest that is there already, as that of a layer two images share, is not written again.
    written: Vec<String>,
}

/// What speaks of a blob.
#[derive(Debug, Clone)]
pub struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    /// Of an image: its architecture.
    architecture: Option<String>,
}

impl Descriptor {
    /// `sha256:…`
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn json(&self) -> Value {
        let mut json =
            json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size });
        if let (Some(architecture), Some(object)) = (&self.architecture, json.as_object_mut()) {
            let platform = json!({ "architecture": architecture, "os": "linux" });
            object.insert("platform".into(), platform);
        }
        json
    }
}

impl<S: Sink> Layout<S> {
    /// An empty one, whose layers are packed in this way.
    pub fn new(sink: S, packing: Packing) -> Self {
        Self { sink, packing, written: Vec::new() }
    }

    /// Adds the image of a tree.
    pub fn image(&mut self, tree: &Tree, image: &Image) -> Result<Descriptor> {
        let bytes = layer(tree)?;
        let diff_id = digest(&bytes);
        let layer = match self.packing {
            Packing::None => self.blob(LAYER, &bytes)?,
            Packing::Gzip => self.blob(LAYER_GZIP, &gzip(&bytes)?)?,
        };
        let mut config = json!({
            "Entrypoint": image.entrypoint,
            "Env": image.environment,
            "Labels": image.labels,
        });
        if let (false, Some(object)) = (image.command.is_empty(), config.as_object_mut()) {
            object.insert("Cmd".into(), json!(image.command));
        }
        let config = self.json(
            CONFIG,
            &json!({
                "architecture": image.architecture,
                "os": "linux",
                "created": CREATED,
                "config": config,
                "rootfs": { "type": "layers", "diff_ids": [diff_id] },
                "history": [{ "created": CREATED, "created_by": "node-image" }],
            }),
        )?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.json(),
            "layers": [layer.json()],
            "annotations": image.labels,
        });
        let mut manifest = self.json(MANIFEST, &manifest)?;
        manifest.architecture = Some(image.architecture.clone());
        Ok(manifest)
    }

    /// Adds an index of images for several architectures.
    pub fn index(&mut self, images: &[Descriptor]) -> Result<Descriptor> {
        self.json(INDEX, &index(images.iter().map(Descriptor::json).collect()))
    }

    /// Names what was added, and writes the end; what names are: `example.org/hello:1`. Gives the
    /// sink back.
    pub fn finish(mut self, named: &[(&str, Descriptor)]) -> Result<S> {
        let manifests = named.iter().map(|(name, descriptor)| {
            let mut json = descriptor.json();
            if let Some(object) = json.as_object_mut() {
                let names = json!({
                    "io.containerd.image.name": name,
                    "org.opencontainers.image.ref.name": tag(name),
                });
                object.insert("annotations".into(), names);
            }
            json
        });
        let index = index(manifests.collect());
        self.sink.file("index.json", index.to_string().as_bytes())?;
        let version = json!({ "imageLayoutVersion": "1.0.0" });
        self.sink.file("oci-layout", version.to_string().as_bytes())?;
        Ok(self.sink)
    }

    fn json(&mut self, media_type: &'static str, value: &Value) -> Result<Descriptor> {
        self.blob(media_type, value.to_string().as_bytes())
    }

    fn blob(&mut self, media_type: &'static str, bytes: &[u8]) -> Result<Descriptor> {
        let digest = digest(bytes);
        if !self.written.contains(&digest) {
            self.sink.file(&format!("blobs/{}", digest.replace(':', "/")), bytes)?;
            self.written.push(digest.clone());
        }
        Ok(Descriptor { media_type, digest, size: bytes.len(), architecture: None })
    }
}

/// Writes one image as a tar file. Not packed: it is read once, from the same machine.
pub fn write(tree: &Tree, name: &str, image: &Image, output: impl Write) -> Result<()> {
    let mut layout = Layout::new(Archive::new(output), Packing::None);
    let manifest = layout.image(tree, image)?;
    layout.finish(&[(name, manifest)])?.finish()
}

fn digest(bytes: &[u8]) -> String {
    let hash = crate::output::hex(&Sha256::digest(bytes));
    format!("sha256:{hash}")
}

fn index(manifests: Vec<Value>) -> Value {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
}

fn tag(name: &str) -> &str {
    name.rsplit_once(':').map_or("latest", |(_, tag)| tag)
}

/// A tree as a layer, uncompressed.
fn layer(tree: &Tree) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut tar = Archive::new(&mut bytes);
    for (path, entry) in tree.iter() {
        tar.entry(path, entry)?;
    }
    tar.finish()?;
    Ok(bytes)
}

/// A tar archive without owners and dates.
pub struct Archive<W: Write>(tar::Builder<W>);

impl<W: Write> Sink for Archive<W> {
    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let mut header = header(tar::EntryType::Regular, 0o644);
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.append_data(&mut header, path, bytes).with_context(|| cannot_add(path))
    }
}

impl<W: Write> Archive<W> {
    /// An empty one.
    pub fn new(output: W) -> Self {
        Self(tar::Builder::new(output))
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

    /// Writes the end.
    pub fn finish(mut self) -> Result<()> {
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

    fn sample(packing: Packing) -> Vec<u8> {
        let mut tree = Tree::default();
        let busybox = Content::Bytes(b"ELF".to_vec());
        tree.insert("bin/busybox", Entry::File { mode: 0o755, content: busybox }).unwrap();
        tree.insert("bin/sh", Entry::Symlink("busybox".into())).unwrap();
        let image = |architecture: &str| Image {
            architecture: architecture.into(),
            entrypoint: vec!["/bin/sh".into()],
            ..Image::default()
        };
        let mut bytes = Vec::new();
        let mut layout = Layout::new(Archive::new(&mut bytes), packing);
        let images = ["amd64", "arm64"].map(|it| layout.image(&tree, &image(it)).unwrap());
        let index = layout.index(&images).unwrap();
        layout.finish(&[("example.org/hello:1", index)]).unwrap().finish().unwrap();
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
        let members = members(&sample(Packing::Gzip));
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap();
            let content = &members[&format!("blobs/{}", digest.replace(':', "/"))];
            assert_eq!(super::digest(content), digest);
            assert_eq!(descriptor["size"], content.len());
            content.clone()
        };
        let json =
            |descriptor: &Value| -> Value { serde_json::from_slice(&blob(descriptor)).unwrap() };
        let top: Value = serde_json::from_slice(&members["index.json"]).unwrap();
        let named = &top["manifests"][0];
        assert_eq!(named["annotations"]["io.containerd.image.name"], "example.org/hello:1");
        let index = json(named);
        for (at, architecture) in ["amd64", "arm64"].into_iter().enumerate() {
            let image = &index["manifests"][at];
            assert_eq!(image["platform"]["architecture"], architecture);
            let manifest = json(image);
            let config = json(&manifest["config"]);
            assert_eq!(config["architecture"], architecture);
            assert_eq!(config["config"]["Entrypoint"], json!(["/bin/sh"]));
            let mut layer = Vec::new();
            let packed = blob(&manifest["layers"][0]);
            flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut layer).unwrap();
            assert_eq!(config["rootfs"]["diff_ids"][0], super::digest(&layer));
            assert!(members_of(&layer).contains(&"bin/busybox".to_owned()));
        }
    }

    fn members_of(layer: &[u8]) -> Vec<String> {
        members(layer).into_keys().collect()
    }

    #[test]
    fn the_same_tree_makes_the_same_bytes() {
        assert_eq!(sample(Packing::None), sample(Packing::None));
        assert_eq!(sample(Packing::Gzip), sample(Packing::Gzip));
    }
}
