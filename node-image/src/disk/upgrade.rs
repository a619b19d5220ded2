//! An upgrade for nodes that boot from such a disk: a tar file, as `node-setup disk upgrade` reads
//! it: a list with sums, the root, and the program that boots it for each slot.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use tar::{Builder, Header};

use crate::output::{self, hex};

/// Writes it.
pub fn write(
    target: &str,
    architecture: &str,
    root: &Path,
    entry: impl Fn(&str) -> Result<Vec<u8>>,
    path: &Path,
) -> Result<()> {
    let entries = ["a", "b"].map(|slot| (format!("{slot}.efi"), entry(slot)));
    let mut files = Map::new();
    let (size, sum) = sum(root)?;
    files.insert("root.erofs".to_owned(), json!({ "size": size, "sha256": sum }));
    for (name, bytes) in &entries {
        let Ok(bytes) = bytes else { continue };
        let sum = hex(&Sha256::digest(bytes));
        files.insert(name.clone(), json!({ "size": bytes.len(), "sha256": sum }));
    }
    let list =
        json!({ "format": 1, "target": target, "architecture": architecture, "files": files });
    let list = serde_json::to_vec(&list)?;
    output::file(path, |out| {
        let mut archive = Builder::new(out);
        append(&mut archive, "upgrade.json", list.len().try_into()?, list.as_slice())?;
        append(&mut archive, "root.erofs", size, File::open(root)?)?;
        for (name, bytes) in entries {
            let bytes = bytes?;
            append(&mut archive, &name, bytes.len().try_into()?, bytes.as_slice())?;
        }
        archive.finish().context("cannot write the end of the upgrade")
    })
}

fn append(
    archive: &mut Builder<impl io::Write>,
    name: &str,
    size: u64,
    content: impl Read,
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, content).with_context(|| format!("cannot write {name}"))
}

fn sum(path: &Path) -> Result<(u64, String)> {
    let failed = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(failed)?;
    let mut digest = Sha256::new();
    let size = io::copy(&mut file, &mut digest).with_context(failed)?;
    Ok((size, hex(&digest.finalize())))
}
