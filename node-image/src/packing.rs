//! How an image is compressed.

use std::io::Write;

use anyhow::{Context, Result};

/// Uncompressed is fastest where reading costs nothing; gzip is read by everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    None,
    /// With gzip, its header without name and date.
    Gzip,
}

/// Compresses bytes with gzip, as well as it can.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut output = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    output.write_all(bytes).and_then(|()| output.finish()).context("cannot compress")
}
