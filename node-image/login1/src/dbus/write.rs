//! Values into a message; always little-endian.

/// Writes one value after the other.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The padding in front of a value.
    pub fn align(&mut self, to: usize) {
        let length = self.0.len().checked_next_multiple_of(to).unwrap_or(self.0.len());
        self.0.resize(length, 0);
    }

    /// `y`.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// `u` and `h`.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.align(4);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// `t`.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.align(8);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// `b`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.u32(value.into())
    }

    /// `s` and `o`. A NUL ends it: D-Bus has no strings with one.
    pub fn string(&mut self, value: &str) -> &mut Self {
        let text = value.split('\0').next().unwrap_or_default();
        self.u32(u32::try_from(text.len()).unwrap_or(0));
        self.0.extend(text.as_bytes());
        self.u8(0)
    }

    /// `g`.
    pub fn signature(&mut self, value: &str) -> &mut Self {
        self.u8(u8::try_from(value.len()).unwrap_or(0));
        self.0.extend(value.as_bytes());
        self.u8(0)
    }

    /// An array whose elements are aligned to `to`: what `elements` writes.
    pub fn array(&mut self, to: usize, elements: impl FnOnce(&mut Self)) -> &mut Self {
        self.u32(0);
        let length_at = self.0.len().saturating_sub(4);
        self.align(to);
        let begin = self.0.len();
        elements(self);
        // The padding in front of the first element does not count.
        let length = u32::try_from(self.0.len().saturating_sub(begin)).unwrap_or(0);
        if let Some(place) = self.0.get_mut(length_at..length_at.saturating_add(4)) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        self
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self
    }
}
