//! A line of text for people, in a fixed buffer: what does not fit is cut off. `core::fmt` would
//! bring panics into the program.

/// The longest line, its end included. One record of the kernel's log holds it.
pub const LINE_MAX: usize = 512;

/// A line under construction.
#[derive(Debug)]
pub struct Line {
    bytes: [u8; LINE_MAX],
    len: usize,
}

impl Line {
    /// An empty line.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: [0; LINE_MAX], len: 0 }
    }

    /// Adds text. Control characters, which could end the line or move a terminal's cursor,
    /// become `?`.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        let free = self.bytes.get_mut(self.len..LINE_MAX.saturating_sub(1)).unwrap_or_default();
        for (to, from) in free.iter_mut().zip(text.as_ref()) {
            *to = if from.is_ascii_control() { b'?' } else { *from };
            self.len = self.len.saturating_add(1);
        }
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        let mut digits = [0; 20];
        let mut rest = number;
        let mut used = 0_usize;
        for digit in digits.iter_mut().rev() {
            *digit = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
            used = used.saturating_add(1);
            if rest == 0 {
                break;
            }
        }
        let (_, shown) =
            digits.split_at_checked(digits.len().saturating_sub(used)).unwrap_or_default();
        self.text(shown)
    }

    /// Adds how a process ended, from the kernel's wait status.
    #[must_use]
    pub fn ending(self, status: i32) -> Self {
        match status & 0x7f {
            0 => self.text("exit ").number(u64::from(((status >> 8) & 0xff).unsigned_abs())),
            signal => self.text("signal ").number(u64::from(signal.unsigned_abs())),
        }
    }

    /// The line with its end.
    #[must_use]
    pub fn finish(&mut self) -> &[u8] {
        self.finish_with(b'\n')
    }

    /// The text with another end: NUL, for a path.
    #[must_use]
    pub fn finish_with(&mut self, byte: u8) -> &[u8] {
        if let Some(end) = self.bytes.get_mut(self.len) {
            *end = byte;
        }
        self.bytes.get(..=self.len).unwrap_or_default()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_parts() {
        let mut line = Line::new().text("init: supervise: ").ending(0x0100).text(", ").ending(9);
        assert_eq!(line.finish(), b"init: supervise: exit 1, signal 9\n");
    }

    #[test]
    fn numbers_are_whole() {
        for (number, text) in
            [(0, &b"0\n"[..]), (7, b"7\n"), (10, b"10\n"), (u64::MAX, b"18446744073709551615\n")]
        {
            assert_eq!(Line::new().number(number).finish(), text);
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_and_the_line_still_ends() {
        let mut line = Line::new().text([b'x'; 3 * LINE_MAX]).number(5);
        let text = line.finish();
        assert_eq!(text.len(), LINE_MAX);
        assert_eq!(text.last(), Some(&b'\n'));
        assert!(text[..LINE_MAX - 1].iter().all(|byte| *byte == b'x'));
    }

    #[test]
    fn nobody_else_ends_the_line() {
        assert_eq!(Line::new().text("a\nb\x1b[c").finish(), b"a?b?[c\n");
    }
}
