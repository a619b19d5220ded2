//! Messages out of a stream of bytes: each ends with a NUL, which JSON never contains.

use alloc::vec::Vec;

/// Gathers what was read until a whole message is there.
#[derive(Debug)]
pub struct Frames {
    bytes: Vec<u8>,
    /// So many bytes at the front are known to hold no NUL, so that a message that comes byte
    /// by byte is not searched from its beginning each time.
    searched: usize,
    message_max: usize,
}

/// A message is longer than its receiver allows; nothing that follows can be trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooLong;

impl Frames {
    /// For messages of at most `message_max` bytes.
    #[must_use]
    pub const fn new(message_max: usize) -> Self {
        Self { bytes: Vec::new(), searched: 0, message_max }
    }

    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, without its NUL. Call it until it says `None` after each push;
    /// what is kept between two pushes is then never longer than one message and one read.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(offset) = unsearched.iter().position(|byte| *byte == 0) else {
            self.searched = self.bytes.len();
            return if self.searched > self.message_max { Err(TooLong) } else { Ok(None) };
        };
        let end = self.searched.saturating_add(offset);
        if end > self.message_max {
            return Err(TooLong);
        }
        let rest = self.bytes.split_off(end.saturating_add(1));
        let mut message = core::mem::replace(&mut self.bytes, rest);
        self.searched = 0;
        message.truncate(end);
        Ok(Some(message))
    }

    /// Part of a message is there, and the rest of it is not.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_however_the_stream_is_cut() {
        let stream = b"{\"a\":1}\0{}\0\0{\"half";
        for size in 1..=stream.len() {
            let mut frames = Frames::new(16);
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                frames.push(piece);
                while let Some(message) = frames.next_message().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, [b"{\"a\":1}".to_vec(), b"{}".to_vec(), Vec::new()], "{size}");
            assert!(frames.is_partial());
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_whole_or_in_pieces() {
        let mut whole = Frames::new(3);
        whole.push(b"1234\0");
        assert_eq!(whole.next_message(), Err(TooLong));
        let mut pieces = Frames::new(3);
        pieces.push(b"123");
        assert_eq!(pieces.next_message(), Ok(None));
        pieces.push(b"4");
        assert_eq!(pieces.next_message(), Err(TooLong));
    }
}
