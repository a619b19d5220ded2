//! What was dropped, and the line that says so.

/// Lines that nobody will read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lost {
    /// Newlines dropped.
    pub lines: u64,
    /// Bytes dropped, newlines included.
    pub bytes: u64,
}

impl Lost {
    /// Nothing was lost.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.bytes == 0
    }

    /// These as well.
    pub fn add(&mut self, other: Self) {
        self.lines = self.lines.saturating_add(other.lines);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// All of this text.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let lines = memchr::memchr_iter(b'\n', text).count();
        Self { lines: count(lines), bytes: count(text.len()) }
    }
}

/// The line that stands in the log where the lost ones would, without its time.
#[must_use]
pub fn loss_line(lost: Lost, reason: &str) -> String {
    let (lines, bytes) = (lost.lines, lost.bytes);
    let (l, b) =
        (if lines == 1 { "line" } else { "lines" }, if bytes == 1 { "byte" } else { "bytes" });
    format!("cooper-log: {lines} {l} ({bytes} {b}) lost: {reason}\n")
}

/// A length as a counter.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_lines_and_bytes() {
        // A partial line is bytes, not a line.
        let mut lost = Lost::of(b"one\ntwo\nthr");
        assert_eq!(lost, Lost { lines: 2, bytes: 11 });
        lost.add(Lost::of(b"ee\n"));
        assert_eq!(
            loss_line(lost, "no space left on device"),
            "cooper-log: 3 lines (14 bytes) lost: no space left on device\n"
        );
        assert_eq!(loss_line(Lost::of(b"\n"), "x"), "cooper-log: 1 line (1 byte) lost: x\n");
    }
}
