//! Finding a place in a log file without reading all of it.

use std::{fs::File, io, os::unix::fs::FileExt};

use crate::{Stamp, WRITTEN_MAX, lost::count};

/// Bytes looked at, at once: more than the longest line.
const BLOCK: usize = 2 * WRITTEN_MAX;

/// The stamp that a line begins with.
pub(super) fn stamp_of(line: &[u8]) -> Option<Stamp> {
    match line.get(Stamp::LEN) {
        None | Some(b' ' | b'\n') => Stamp::parse(line.get(..Stamp::LEN)?),
        Some(_) => None,
    }
}

/// A line's beginning, before which every line is earlier than `since`, and after which at most a
/// few are. Where lines have no stamps it finds the beginning of the file.
pub(super) fn first_since(file: &File, size: u64, since: Stamp) -> io::Result<u64> {
    let (mut early, mut late) = (0, size);
    while late.saturating_sub(early) > count(BLOCK) {
        let middle = early.midpoint(late);
        match next_stamped(file, middle)? {
            Some((at, stamp)) if stamp < since => early = at,
            Some(_) | None => late = middle,
        }
    }
    Ok(early)
}

/// Where the last `wanted` lines begin, and how many they are if there are fewer. What follows the
/// last newline is a line.
pub(super) fn last_lines(file: &File, size: u64, wanted: usize) -> io::Result<(u64, usize)> {
    if wanted == 0 || size == 0 {
        return Ok((size, 0));
    }
    let mut found: usize = 0;
    // The last byte ends the last line, or is part of it.
    let mut end = size.saturating_sub(1);
    let mut buffer = vec![0; BLOCK];
    while end > 0 {
        let begin = end.saturating_sub(count(BLOCK));
        let length = usize::try_from(end.saturating_sub(begin)).unwrap_or(BLOCK);
        let block = buffer.get_mut(..length).unwrap_or_default();
        file.read_exact_at(block, begin)?;
        for place in memchr::memrchr_iter(b'\n', block) {
            found = found.saturating_add(1);
            if found == wanted {
                return Ok((begin.saturating_add(count(place)).saturating_add(1), found));
            }
        }
        end = begin;
    }
    Ok((0, found.saturating_add(1)))
}

/// The first line that begins after `from` and has a stamp, if there is one within a block.
fn next_stamped(file: &File, from: u64) -> io::Result<Option<(u64, Stamp)>> {
    let mut buffer = vec![0; BLOCK];
    let mut length = 0;
    while let Some(space) = buffer.get_mut(length..).filter(|space| !space.is_empty()) {
        let got = file.read_at(space, from.saturating_add(count(length)))?;
        if got == 0 {
            break;
        }
        length = length.saturating_add(got);
    }
    let block = buffer.get(..length).unwrap_or_default();
    for newline in memchr::memchr_iter(b'\n', block) {
        let start = newline.saturating_add(1);
        let line = block.get(start..).unwrap_or_default();
        let line = line.get(..=Stamp::LEN).unwrap_or(line);
        if let Some(stamp) = stamp_of(line) {
            return Ok(Some((from.saturating_add(count(start)), stamp)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &[u8]) -> (File, u64) {
        let fd = rustix::fs::memfd_create("log", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = File::from(fd);
        file.write_all(text).unwrap();
        (file, u64::try_from(text.len()).unwrap())
    }

    #[test]
    fn last_lines_are_counted_from_the_end() {
        // With and without a last newline; more than there are; none.
        for (text, wanted, place, found) in [
            ("a\nb\nc\n", 1, 4, 1),
            ("a\nb\nc\n", 2, 2, 2),
            ("a\nb\nc\n", 3, 0, 3),
            ("a\nb\nc\n", 9, 0, 3),
            ("a\nb\nc", 1, 4, 1),
            ("a\nb\n\n", 1, 4, 1),
            ("\n", 1, 0, 1),
            ("", 1, 0, 0),
            ("a\n", 0, 2, 0),
        ] {
            let (file, size) = file(text.as_bytes());
            assert_eq!(
                last_lines(&file, size, wanted).unwrap(),
                (place, found),
                "{text:?} {wanted}"
            );
        }
        let long = "x".repeat(100).add_newline().repeat(2000);
        let (file, size) = file(long.as_bytes());
        assert_eq!(last_lines(&file, size, 1500).unwrap(), (101 * 500, 1500));
    }

    trait AddNewline {
        fn add_newline(self) -> Self;
    }

    impl AddNewline for String {
        fn add_newline(mut self) -> Self {
            self.push('\n');
            self
        }
    }

    #[test]
    fn first_since_is_at_most_a_block_too_early() {
        // Every position of 20,000 lines of different lengths, some without a stamp.
        let mut text = Vec::new();
        let mut starts = Vec::new();
        for n in 0..20_000_u64 {
            starts.push(text.len());
            if n % 7 != 3 {
                text.extend_from_slice(&Stamp(n * 1000).text());
                text.push(b' ');
            }
            text.resize(text.len() + usize::try_from(n % 91).unwrap(), b'x');
            text.push(b'\n');
        }
        let (file, size) = file(&text);
        for n in (0..20_000_usize).step_by(37) {
            let place = first_since(&file, size, Stamp(n as u64 * 1000)).unwrap();
            let exact = count(starts[n]);
            assert!(place <= exact && exact - place <= 2 * count(BLOCK), "{n}: {place} {exact}");
            assert!(starts.binary_search(&usize::try_from(place).unwrap()).is_ok());
        }
    }
}
