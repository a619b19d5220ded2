//! Images appear by a rename, when they are whole: what was there before stays until then.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Writes a file.
pub fn file(path: &Path, writer: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let unfinished = beside(path, ".new");
    let mut output = BufWriter::new(File::create(&unfinished).with_context(failed)?);
    writer(&mut output)?;
    output.flush().with_context(failed)?;
    fs::rename(&unfinished, path).with_context(failed)
}

/// Makes a directory, which is not there yet or is empty.
pub fn directory(path: &Path, writer: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let unfinished = beside(path, ".new");
    if unfinished.exists() {
        // Of a run that was broken off.
        fs::remove_dir_all(&unfinished).with_context(failed)?;
    }
    fs::create_dir(&unfinished).with_context(failed)?;
    writer(&unfinished)?;
    fs::rename(&unfinished, path).with_context(failed)
}

/// Bytes as text: how every format here writes a digest.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path with more at the end of its name: `root` and `.packages` is `root.packages`.
#[must_use]
pub fn beside(path: &Path, more: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(more);
    path.into()
}
