//! Values out of a message.

use super::Malformed;

/// Reads one value after the other; each begins at a multiple of its size.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    /// Of bytes that begin at a multiple of eight in their message.
    #[must_use]
    pub const fn new(bytes: &'a [u8], big_endian: bool) -> Self {
        Self { bytes, at: 0, big_endian }
    }

    /// How far it has come.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Everything was read.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Skips the padding in front of a value.
    ///
    /// # Errors
    /// When there is none.
    pub fn align(&mut self, to: usize) -> Result<(), Malformed> {
        let padded = self.at.checked_next_multiple_of(to).ok_or(Malformed("no alignment"))?;
        let padding = padded.saturating_sub(self.at);
        let zeros = self.take(padding)?;
        if zeros.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            Err(Malformed("padding that is not zero"))
        }
    }

    /// A byte (`y`).
    ///
    /// # Errors
    /// At the end.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    /// `u`, and every length.
    ///
    /// # Errors
    /// At the end.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.align(4)?;
        let bytes = self.array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// `s`, and `o`.
    ///
    /// # Errors
    /// At the end, without a NUL behind it, with one within, or when it is no UTF-8.
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u32()?;
        self.text(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// `g`.
    ///
    /// # Errors
    /// As for [`Reader::string`].
    pub fn signature(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u8()?;
        self.text(length.into())
    }

    /// So many bytes.
    ///
    /// # Errors
    /// When there are not so many.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed("a length beyond all bounds"))?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed("it ends in the middle"))?;
        self.at = end;
        Ok(taken)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, Malformed> {
        let text = self.take(length)?;
        if self.u8()? != 0 || text.contains(&0) {
            return Err(Malformed("a string that does not end where it says"));
        }
        core::str::from_utf8(text).map_err(|_| Malformed("a string that is no UTF-8"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Malformed("it ends in the middle"))
    }
}
