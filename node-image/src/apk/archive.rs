//! A tar archive in gzip, as `apk` wants its members.

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha1::{Digest, Sha1};
use std::io::Write;

/// Two empty blocks end an archive; `apk` reads members as one archive, so only the last has them.
const END_BYTES: usize = 1024;

/// Whether another member goes on where this one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It does.
    Open,
    /// It does not.
    Marked,
}

/// A member in the making. Everything belongs to root.
pub struct Archive {
    tar: tar::Builder<Vec<u8>>,
    date: u64,
}

impl Archive {
    pub fn new(date: u64) -> Self {
        Self { tar: tar::Builder::new(Vec::new()), date }
    }

    pub fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = self.header(tar::EntryType::Regular, mode)?;
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.tar.append_data(&mut header, path, bytes).with_context(|| cannot_add(path))
    }

    /// A file that is installed: with its hash before it, by which `apk audit` and an upgrade tell
    /// whether it was changed.
    pub fn hashed_file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.hash(path, bytes)?;
        self.file(path, mode, bytes)
    }

    pub fn link(&mut self, path: &str, to: &str) -> Result<()> {
        self.hash(path, to.as_bytes())?;
        let mut header = self.header(tar::EntryType::Symlink, 0o777)?;
        self.tar.append_link(&mut header, path, to).with_context(|| cannot_add(path))
    }

    pub fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        let mut header = self.header(tar::EntryType::Directory, mode)?;
        let data = &[][..];
        self.tar
            .append_data(&mut header, format!("{path}/"), data)
            .with_context(|| cannot_add(path))
    }

    pub fn finish(self, end: End) -> Result<Vec<u8>> {
        let failed = "cannot write the end of an archive";
        let mut bytes = self.tar.into_inner().context(failed)?;
        if end == End::Open {
            bytes.truncate(bytes.len().saturating_sub(END_BYTES));
        }
        // The header of flate2 holds no name, and zero for the date.
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&bytes).context(failed)?;
        gzip.finish().context(failed)
    }

    fn hash(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let hash = crate::output::hex(&Sha1::digest(bytes));
        let record = pax_record(&format!("APK-TOOLS.checksum.SHA1={hash}"));
        // Not by tar's own way to do it: its header has no name, which ends the archive for apk.
        let mut header = self.header(tar::EntryType::XHeader, 0o644)?;
        header.set_size(u64::try_from(record.len()).unwrap_or(u64::MAX));
        self.tar
            .append_data(&mut header, "PaxHeader", record.as_bytes())
            .with_context(|| cannot_add(path))
    }

    fn header(&self, kind: tar::EntryType, mode: u32) -> Result<tar::Header> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root").context("cannot name the owner")?;
        header.set_groupname("root").context("cannot name the owner")?;
        header.set_mtime(self.date);
        header.set_size(0);
        Ok(header)
    }
}

/// `text` as pax has it, after the length of all, which counts its own digits.
fn pax_record(text: &str) -> String {
    let rest = format!(" {text}\n");
    let mut length = rest.len();
    loop {
        let record = format!("{length}{rest}");
        if record.len() <= length {
            return record;
        }
        length = record.len();
    }
}

fn cannot_add(path: &str) -> String {
    format!("cannot add {path} to the package")
}
