//! What is in an image: read back from its bytes, not from what it was built from.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cpio::newc;
use flate2::read::GzDecoder;
use serde::Serialize;
use serde_json::Value;

use crate::disk::manifest;

/// The magic number of `newc`, and that of gzip.
const NEWC: &[u8] = b"070701";
const GZIP: &[u8] = &[0x1f, 0x8b];

/// An image.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Image {
    /// An OCI layout.
    Oci {
        /// Each image in it.
        images: Vec<Oci>,
    },
    /// A disk with a table of partitions.
    Disk(manifest::Image),
    /// An initramfs.
    Initramfs {
        /// What is in it.
        files: Vec<Member>,
    },
    /// What a machine boots from the network.
    Netboot {
        /// For its kernel.
        command_line: String,
        /// Bytes of the kernel.
        kernel: u64,
        /// Bytes of the initramfs, as it is packed.
        initramfs: u64,
        /// What is in that.
        files: Vec<Member>,
    },
}

/// An image of an OCI layout.
#[derive(Debug, Serialize)]
pub struct Oci {
    /// Its name.
    pub name: String,
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// Of its manifest.
    pub digest: String,
    /// Bytes of its layers, as they are packed.
    pub size: u64,
    /// What it runs: the entrypoint, and the command.
    pub runs: Vec<String>,
    /// What is in its layers.
    pub files: Vec<Member>,
}

/// A path of an image.
#[derive(Debug, Serialize)]
pub struct Member {
    /// Relative to the root.
    pub path: String,
    /// With the bits of its type, as stat(2) has them.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Reads an image of whatever kind it is.
pub fn read(path: &Path) -> Result<Image> {
    let layout = if path.join("boot.ipxe").exists() {
        return netboot(path);
    } else if path.is_dir() {
        if !path.join("index.json").exists() {
            bail!(
                "cannot tell what {} is: it has neither index.json (an OCI layout) nor boot.ipxe \
                 (node-image build netboot)",
                path.display()
            );
        }
        Layout::Directory(path)
    } else if is_disk(path) {
        let failed = || format!("cannot read {}", path.display());
        return Ok(Image::Disk(manifest::read(path).with_context(failed)?));
    } else {
        let mut bytes = Vec::new();
        let open = || format!("cannot read {}", path.display());
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).with_context(open)?;
        if bytes.starts_with(GZIP) {
            bytes = gunzip(&bytes).with_context(open)?;
        }
        if bytes.starts_with(NEWC) {
            return Ok(Image::Initramfs { files: initramfs(&bytes)? });
        }
        Layout::Members(unpack(&bytes).with_context(|| {
            format!("cannot tell what {} is: no OCI layout, no initramfs, no disk", path.display())
        })?)
    };
    Ok(Image::Oci { images: layout.images()? })
}

/// What a GPT begins with, in the second sector.
const GPT: &[u8] = b"EFI PART";

fn is_disk(path: &Path) -> bool {
    let mut begin = [0; 520];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin.ends_with(GPT)
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut unpacked).context("cannot unpack it")?;
    Ok(unpacked)
}

/// A layout that is read.
enum Layout<'a> {
    Directory(&'a Path),
    Members(BTreeMap<String, Vec<u8>>),
}

impl Layout<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        match self {
            Self::Directory(directory) => {
                let path = directory.join(path);
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
            }
            Self::Members(members) => {
                let member = members.get(path);
                Ok(member.with_context(|| format!("cannot find {path} in the image"))?.clone())
            }
        }
    }

    fn blob(&self, descriptor: &Value) -> Result<Vec<u8>> {
        let digest = text(descriptor, "digest")?;
        self.read(&format!("blobs/{}", digest.replace(':', "/")))
    }

    fn json(&self, descriptor: &Value) -> Result<Value> {
        serde_json::from_slice(&self.blob(descriptor)?).context("cannot read a blob as JSON")
    }

    fn images(&self) -> Result<Vec<Oci>> {
        let top = serde_json::from_slice(&self.read("index.json")?);
        let top: Value = top.context("cannot read index.json")?;
        let mut images = Vec::new();
        for named in list(&top, "manifests") {
            let annotations = named.get("annotations").unwrap_or(&Value::Null);
            let name = ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
                .into_iter()
                .find_map(|key| annotations.get(key)?.as_str());
            let inner = self.json(named)?;
            let platforms = list(&inner, "manifests");
            let platforms =
                if platforms.is_empty() { std::slice::from_ref(named) } else { platforms };
            for manifest in platforms {
                images.push(self.image(name.unwrap_or_default(), manifest)?);
            }
        }
        Ok(images)
    }

    fn image(&self, name: &str, descriptor: &Value) -> Result<Oci> {
        let manifest = self.json(descriptor)?;
        let config = self.json(manifest.get("config").context("cannot find the configuration")?)?;
        let mut files = Vec::new();
        let mut size = 0_u64;
        for layer in list(&manifest, "layers") {
            let bytes = self.blob(layer)?;
            size = size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            let bytes = if bytes.starts_with(GZIP) { gunzip(&bytes)? } else { bytes };
            files.append(&mut members(&bytes)?);
        }
        let run = config.get("config").unwrap_or(&Value::Null);
        let words = |key: &str| list(run, key).iter().filter_map(Value::as_str);
        Ok(Oci {
            name: name.to_owned(),
            architecture: text(&config, "architecture")?.to_owned(),
            digest: text(descriptor, "digest")?.to_owned(),
            size,
            runs: words("Entrypoint").chain(words("Cmd")).map(str::to_owned).collect(),
            files,
        })
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    let text = value.get(key).and_then(Value::as_str);
    text.with_context(|| format!("cannot find {key} in the image's description"))
}

/// A tar file's members with their content.
fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        members.insert(path, content);
    }
    if !members.contains_key("index.json") {
        bail!("there is no index.json in it");
    }
    Ok(members)
}

/// A layer's members.
fn members(bytes: &[u8]) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    for entry in tar::Archive::new(bytes).entries().context("cannot read a layer")? {
        let entry = entry.context("cannot read a layer")?;
        let header = entry.header();
        let types = [
            (tar::EntryType::Directory, 0o040_000),
            (tar::EntryType::Symlink, 0o120_000),
            (tar::EntryType::Char, 0o020_000),
        ];
        let kind = types.into_iter().find(|(kind, _)| *kind == header.entry_type());
        let kind = kind.map_or(0o100_000, |(_, bits)| bits);
        let to = entry.link_name().context("cannot read a link")?;
        members.push(Member {
            path: entry.path()?.to_string_lossy().trim_end_matches('/').to_owned(),
            mode: header.mode()? | kind,
            size: header.size()?,
            to: to.map(|to| to.to_string_lossy().into_owned()),
        });
    }
    Ok(members)
}

fn netboot(directory: &Path) -> Result<Image> {
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let size = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let (line, image) = (read("cmdline")?, read("initramfs")?);
    Ok(Image::Netboot {
        command_line: String::from_utf8_lossy(&line).trim_end().to_owned(),
        kernel: size(&read("kernel")?),
        initramfs: size(&image),
        files: initramfs(&image)?,
    })
}

/// Archives behind each other, as the kernel unpacks them: microcode is before all else, and never
/// packed.
fn initramfs(bytes: &[u8]) -> Result<Vec<Member>> {
    let mut files = Vec::new();
    let mut rest = bytes;
    loop {
        let padding = rest.iter().take_while(|byte| **byte == 0).count();
        rest = rest.get(padding..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(files);
        }
        if rest.starts_with(GZIP) {
            archive(&gunzip(rest)?, &mut files)?;
            return Ok(files);
        }
        rest = archive(rest, &mut files)?;
    }
}

/// One archive; what is behind it.
fn archive<'a>(bytes: &'a [u8], files: &mut Vec<Member>) -> Result<&'a [u8]> {
    let mut rest = bytes;
    loop {
        let mut reader = newc::Reader::new(rest).context("cannot read the archive")?;
        let entry = reader.entry().clone();
        if entry.is_trailer() {
            return reader.finish().context("cannot read the archive");
        }
        let is_link = entry.mode() & 0o170_000 == 0o120_000;
        let mut content = String::new();
        if is_link {
            reader.read_to_string(&mut content).context("cannot read a link")?;
        }
        files.push(Member {
            path: entry.name().to_owned(),
            mode: entry.mode(),
            size: u64::from(entry.file_size()),
            to: is_link.then_some(content),
        });
        rest = reader.finish().context("cannot read the archive")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initramfs;
    use crate::oci::{Archive, Image as Description, Layout};
    use crate::packing::Packing;
    use crate::tree::{Content, Entry, Tree};

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let content = Content::Bytes(b"1234".to_vec());
        tree.insert("bin/one", Entry::File { mode: 0o755, content }).unwrap();
        tree.insert("bin/two", Entry::Symlink("one".into())).unwrap();
        tree
    }

    fn lines(files: &[Member]) -> Vec<String> {
        let line = |it: &Member| format!("{:o} {} {} {:?}", it.mode, it.path, it.size, it.to);
        files.iter().map(line).collect()
    }

    const LINES: [&str; 3] =
        ["40755 bin 0 None", "100755 bin/one 4 None", "120777 bin/two 0 Some(\"one\")"];

    #[test]
    fn a_layout_is_read_back() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("image.tar");
        let mut layout = Layout::new(Archive::new(File::create(&path).unwrap()), Packing::Gzip);
        let description = Description {
            architecture: "arm64".into(),
            entrypoint: vec!["/init".into()],
            command: vec!["sh".into()],
            ..Description::default()
        };
        let image = layout.image(&tree(), &description).unwrap();
        let index = layout.index(&[image]).unwrap();
        layout.finish(&[("a/b:1", index)]).unwrap().finish().unwrap();
        let Image::Oci { images } = read(&path).unwrap() else { panic!() };
        let [image] = images.as_slice() else { panic!() };
        assert_eq!((image.name.as_str(), image.architecture.as_str()), ("a/b:1", "arm64"));
        assert_eq!(image.runs, ["/init", "sh"]);
        assert_eq!(lines(&image.files), LINES);
    }

    #[test]
    fn what_boots_from_the_network_is_read_back() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path();
        for (name, text) in [("kernel", "1234"), ("cmdline", "quiet\n"), ("boot.ipxe", "#!ipxe")] {
            fs::write(directory.join(name), text).unwrap();
        }
        // Microcode, and what the kernel unpacks after it.
        let mut image = Vec::new();
        let mut microcode = Tree::default();
        microcode.insert("kernel", Entry::Directory(0o755)).unwrap();
        initramfs::write(&microcode, Packing::None, &mut image).unwrap();
        initramfs::write(&tree(), Packing::Gzip, &mut image).unwrap();
        fs::write(directory.join("initramfs"), image).unwrap();
        let Image::Netboot { command_line, kernel, files, .. } = read(directory).unwrap() else {
            panic!()
        };
        assert_eq!((command_line.as_str(), kernel), ("quiet", 4));
        let lines = lines(&files);
        assert!(lines.iter().any(|line| line == "40755 kernel 0 None"), "{lines:?}");
        assert!(LINES[..2].iter().all(|line| lines.iter().any(|it| it == line)), "{lines:?}");
    }

    #[test]
    fn an_initramfs_is_read_back() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("initramfs");
        let output = File::create(&path).unwrap();
        crate::initramfs::write(&tree(), Packing::Gzip, output).unwrap();
        let Image::Initramfs { files } = read(&path).unwrap() else { panic!() };
        let expected = ["40755 . 0 None", LINES[0], LINES[1], "120777 bin/two 3 Some(\"one\")"];
        assert_eq!(lines(&files), expected);
    }

    #[test]
    fn what_is_no_image_is_an_error_that_names_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("notes");
        fs::write(&path, "text").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("cannot tell what") && error.contains("notes"), "{error}");
    }
}
