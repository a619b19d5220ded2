//! Compressed files, by what they begin with.

use std::io::Read;

use flate2::bufread::GzDecoder;

/// What gzip writes first.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// No kernel's configuration and no module is as large; a forged one shall not fill the memory.
const SIZE_MAX: u64 = 64 << 20;

/// The bytes, unpacked if they are gzip's; None if they are broken.
pub fn unpacked(bytes: Vec<u8>) -> Option<Vec<u8>> {
    if bytes.starts_with(&GZIP) { gunzip(&bytes) } else { Some(bytes) }
}

/// A gzip stream at the beginning of the bytes; what follows it is of no interest.
pub fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).take(SIZE_MAX).read_to_end(&mut plain).ok()?;
    Some(plain)
}
