//! Unified kernel images: one program for UEFI that is kernel, initramfs and command line.
//!
//! It is systemd's stub with more sections, as `ukify` makes it; so whatever boots programs boots
//! the node, and nothing of the three can be another version than the others.
//! <https://uapi-group.org/specifications/specs/unified_kernel_image/>; the form is that of PE:
//! <https://learn.microsoft.com/en-us/windows/win32/debug/pe-format>.

use anyhow::{Context, Result, bail};

/// Offsets from the beginning of the file, of the COFF header, and of the optional header.
const PE_OFFSET: usize = 0x3c;
const SECTIONS: usize = 2;
const TIME: usize = 4;
const OPTIONAL_SIZE: usize = 16;
const COFF_SIZE: usize = 20;
const INITIALIZED_SIZE: usize = 8;
const SECTION_ALIGNMENT: usize = 32;
const FILE_ALIGNMENT: usize = 36;
const IMAGE_SIZE: usize = 56;
const HEADERS_SIZE: usize = 60;
const CHECKSUM: usize = 64;
const PE32_PLUS: u16 = 0x20b;
const SECTION_HEADER: usize = 40;
const NAME_MAX: usize = 8;

/// `IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ`, and code for the kernel.
const DATA: u32 = 0x4000_0040;
const CODE: u32 = 0x4000_0020;
const KERNEL: &str = ".linux";

/// `stub` with more sections: `.osrel`, `.cmdline`, `.initrd`, `.linux` and the like. The same ones
/// give the same bytes.
///
/// # Errors
///
/// The stub is no such program, or has no room for them.
pub fn build(stub: &[u8], sections: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let mut program = Program::read(stub)?;
    for (name, content) in sections {
        program.add(name, content).with_context(|| format!("cannot add the section {name}"))?;
    }
    program.finish()
}

/// What a program's sections hold, by name.
///
/// # Errors
///
/// It is no such program.
pub fn sections(program: &[u8]) -> Result<Vec<(String, &[u8])>> {
    let read = Program::read(program)?;
    let mut found = Vec::new();
    for at in read.headers() {
        let header = program.get(at..at.saturating_add(SECTION_HEADER)).unwrap_or_default();
        let name = String::from_utf8_lossy(header.get(..NAME_MAX).unwrap_or_default());
        let number = |at: usize| usize::try_from(word(header, at)?).context("too large");
        // What is beyond the content is the padding of the file.
        let (size, from) = (number(8)?.min(number(16)?), number(20)?);
        let content =
            program.get(from..from.saturating_add(size)).context("a section lies outside")?;
        found.push((name.trim_end_matches('\0').to_owned(), content));
    }
    Ok(found)
}

/// A program of PE, with the places of what changes.
struct Program {
    bytes: Vec<u8>,
    coff: usize,
    optional: usize,
    table: usize,
    count: usize,
}

impl Program {
    fn read(bytes: &[u8]) -> Result<Self> {
        let what = "it is no program for UEFI";
        let pe = usize::try_from(word(bytes, PE_OFFSET).context(what)?)?;
        if bytes.get(pe..pe.saturating_add(4)) != Some(b"PE\0\0") {
            bail!(what);
        }
        let coff = pe.saturating_add(4);
        let optional = coff.saturating_add(COFF_SIZE);
        if half(bytes, optional)? != PE32_PLUS {
            bail!("it is no program of 64 bits");
        }
        let table =
            optional.saturating_add(half(bytes, coff.saturating_add(OPTIONAL_SIZE))?.into());
        let count = half(bytes, coff.saturating_add(SECTIONS))?.into();
        Ok(Self { bytes: bytes.to_vec(), coff, optional, table, count })
    }

    /// Where the headers of the sections are.
    fn headers(&self) -> impl Iterator<Item = usize> {
        let table = self.table;
        (0..self.count).map(move |n| table.saturating_add(n.saturating_mul(SECTION_HEADER)))
    }

    fn optional(&self, field: usize) -> Result<u32> {
        word(&self.bytes, self.optional.saturating_add(field))
    }

    /// Where the last section ends in memory.
    fn end(&self) -> Result<u32> {
        let mut end = 0;
        for at in self.headers() {
            let size = word(&self.bytes, at.saturating_add(8))?;
            end = word(&self.bytes, at.saturating_add(12))?.saturating_add(size).max(end);
        }
        Ok(end)
    }

    fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        if content.is_empty() || name.len() > NAME_MAX {
            bail!("it is empty, or its name is too long");
        }
        let header = self.table.saturating_add(self.count.saturating_mul(SECTION_HEADER));
        let headers_end = usize::try_from(self.optional(HEADERS_SIZE)?)?;
        if header.saturating_add(SECTION_HEADER) > headers_end {
            bail!("the stub has no room for its header: take systemd's, 254 or newer");
        }
        let alignment = self.optional(FILE_ALIGNMENT)?;
        let address = align(self.end()?, self.optional(SECTION_ALIGNMENT)?)?;
        let length = u32::try_from(content.len()).context("it is larger than 4 GiB")?;
        // A kernel needs more in memory than it has in the file.
        let memory = if name == KERNEL { length.max(image_size(content)?) } else { length };
        self.pad(alignment)?;
        let from = u32::try_from(self.bytes.len())?;
        self.bytes.extend_from_slice(content);
        self.pad(alignment)?;
        let raw = u32::try_from(self.bytes.len())?.saturating_sub(from);

        let mut text = [0; NAME_MAX];
        for (to, byte) in text.iter_mut().zip(name.bytes()) {
            *to = byte;
        }
        put(&mut self.bytes, header, &text)?;
        let kind = if name == KERNEL { CODE } else { DATA };
        let fields = [(8, memory), (12, address), (16, raw), (20, from), (36, kind)];
        for (field, value) in fields {
            put(&mut self.bytes, header.saturating_add(field), &value.to_le_bytes())?;
        }
        self.count = self.count.saturating_add(1);
        let all = self.optional(INITIALIZED_SIZE)?.saturating_add(memory);
        put(&mut self.bytes, self.optional.saturating_add(INITIALIZED_SIZE), &all.to_le_bytes())
    }

    fn pad(&mut self, alignment: u32) -> Result<()> {
        let length = align(u32::try_from(self.bytes.len())?, alignment)?;
        self.bytes.resize(usize::try_from(length)?, 0);
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u8>> {
        let size = align(self.end()?, self.optional(SECTION_ALIGNMENT)?)?;
        let count = u16::try_from(self.count)?;
        let at = |field: usize| self.optional.saturating_add(field);
        let (image_size, checksum) = (at(IMAGE_SIZE), at(CHECKSUM));
        put(&mut self.bytes, image_size, &size.to_le_bytes())?;
        // UEFI does not look at it.
        put(&mut self.bytes, checksum, &[0; 4])?;
        put(&mut self.bytes, self.coff.saturating_add(TIME), &[0; 4])?;
        put(&mut self.bytes, self.coff.saturating_add(SECTIONS), &count.to_le_bytes())?;
        Ok(self.bytes)
    }
}

/// How much memory a kernel, which is such a program as well, says that it needs.
fn image_size(kernel: &[u8]) -> Result<u32> {
    Program::read(kernel).context("the kernel has no stub for UEFI")?.optional(IMAGE_SIZE)
}

fn align(value: u32, to: u32) -> Result<u32> {
    value.checked_next_multiple_of(to.max(1)).context("it is larger than 4 GiB")
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let four = bytes.get(at..at.saturating_add(4)).context("it ends too early")?;
    Ok(u32::from_le_bytes(four.try_into()?))
}

fn half(bytes: &[u8], at: usize) -> Result<u16> {
    let two = bytes.get(at..at.saturating_add(2)).context("it ends too early")?;
    Ok(u16::from_le_bytes(two.try_into()?))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Result<()> {
    let to = bytes.get_mut(at..at.saturating_add(value.len())).context("it ends too early")?;
    to.copy_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: usize = 0x400;

    /// A program with one section, and room for the headers of more.
    #[expect(clippy::arithmetic_side_effects, reason = "its numbers are small")]
    fn stub() -> Vec<u8> {
        let mut bytes = vec![0; HEADERS + 0x200];
        let mut put = |at: usize, value: &[u8]| super::put(&mut bytes, at, value).unwrap();
        put(PE_OFFSET, &[0x80]);
        put(0x80, b"PE\0\0");
        let (coff, optional) = (0x84, 0x84 + COFF_SIZE);
        put(coff + SECTIONS, &[1]);
        put(coff + TIME, &[1, 2, 3, 4]);
        put(coff + OPTIONAL_SIZE, &240_u16.to_le_bytes());
        put(optional, &PE32_PLUS.to_le_bytes());
        for (field, value) in [
            (SECTION_ALIGNMENT, 0x1000),
            (FILE_ALIGNMENT, 0x200),
            (IMAGE_SIZE, 0x2000),
            (HEADERS_SIZE, 0x400_u32),
        ] {
            put(optional + field, &value.to_le_bytes());
        }
        let section = optional + 240;
        put(section, b".text");
        for (field, value) in [(8, 0x10), (12, 0x1000), (16, 0x200), (20, 0x400_u32)] {
            put(section + field, &value.to_le_bytes());
        }
        put(HEADERS, b"program");
        bytes
    }

    #[test]
    fn what_is_added_can_be_read_back() {
        let kernel = stub();
        let image = build(&stub(), &[(".cmdline", b"root=x quiet"), (".linux", &kernel)]).unwrap();
        let sections = sections(&image).unwrap();
        let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [".text", ".cmdline", ".linux"]);
        assert_eq!(sections[1].1, b"root=x quiet");
        assert_eq!(sections[2].1, kernel);
        let program = Program::read(&image).unwrap();
        // Each in pages of its own, the kernel with as much memory as it wants.
        assert_eq!(program.end().unwrap(), 0x3000 + 0x2000);
        assert_eq!(program.optional(IMAGE_SIZE).unwrap(), 0x5000);
        assert_eq!(word(&image, program.coff + TIME).unwrap(), 0, "a date");
        assert_eq!(image.len() % 0x200, 0);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [&b""[..], b"#!/bin/sh\n", &[0; 4096]] {
            assert!(build(bytes, &[(".cmdline", b"x")]).is_err());
        }
        let error = build(&stub(), &[(".linux", b"not a kernel")]).unwrap_err();
        assert!(format!("{error:#}").contains("no stub for UEFI"), "{error:#}");
    }

    #[test]
    fn a_stub_without_room_is_refused() {
        let content: (&str, &[u8]) = (".cmdline", b"x");
        let error = build(&stub(), &[content; 20]).unwrap_err();
        assert!(format!("{error:#}").contains("no room"), "{error:#}");
    }
}
