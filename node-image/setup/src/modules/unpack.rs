//! The bytes of a module's file, unpacked: gzip (Alpine), xz (Debian), zstd (Arch, NixOS).

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// How a module's file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// `.gz`
    Gzip,
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
}

impl Packing {
    /// By the end of the file's name, as depmod and modprobe do.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Self::Gzip,
            Some("xz") => Self::Xz,
            Some("zst") => Self::Zstd,
            Some(_) | None => Self::None,
        }
    }

    /// As `/sys/module/compression` names it, where the kernel unpacks by itself.
    #[must_use]
    pub const fn kernel_name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Xz => Some("xz"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The module in a file.
///
/// # Errors
/// If it cannot be read, or is not packed as its name says.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    match Packing::of(path) {
        Packing::None => file.read_to_end(&mut bytes)?,
        Packing::Gzip => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes)?,
        Packing::Xz => xz4rust::XzReader::new(file).read_to_end(&mut bytes)?,
        Packing::Zstd => ruzstd::decoding::StreamingDecoder::new(BufReader::new(file))
            .map_err(io::Error::other)?
            .read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::process::{Command, Stdio};

    /// `command` applied to bytes that pack to less and to more than themselves.
    fn packed_by(command: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("input");
        fs::write(&input, bytes).unwrap();
        let input = File::open(input).unwrap();
        let output = Command::new(command[0])
            .args(&command[1..])
            .stdin(input)
            .stderr(Stdio::inherit())
            .output();
        output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
    }

    fn sample() -> Vec<u8> {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u8::try_from(state >> 24).unwrap()
        });
        noise.take(100_000).chain(b"the same ".iter().copied().cycle().take(300_000)).collect()
    }

    #[test]
    fn what_the_real_tools_pack_is_unpacked() {
        // As kbuild calls them, and as they are by themselves.
        let directory = tempfile::tempdir().unwrap();
        let sample = sample();
        let mut seen = 0;
        for (ending, command) in [
            ("ko", &["cat"][..]),
            ("ko.gz", &["gzip", "-n"]),
            ("ko.xz", &["xz", "--check=crc32", "--lzma2=dict=1MiB"]),
            ("ko.xz", &["xz", "--x86", "--lzma2"]),
            ("ko.zst", &["zstd", "-q", "-19"]),
        ] {
            // A machine may lack one of the tools, but not all.
            let Some(packed) = packed_by(command, &sample) else { continue };
            let path = directory.path().join(format!("a.{ending}"));
            fs::write(&path, packed).unwrap();
            assert!(read(&path).unwrap() == sample, "{command:?}");
            seen += 1;
        }
        assert!(seen >= 3, "only {seen} of the tools are here");
    }

    #[test]
    fn what_is_not_packed_as_its_name_says_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        for ending in ["gz", "xz", "zst"] {
            let path = directory.path().join(format!("a.ko.{ending}"));
            fs::write(&path, b"\x7fELF and so on").unwrap();
            assert!(read(&path).is_err(), "{ending}");
        }
    }
}
