//! From the bytes of a FIFO to the lines of a file.
//!
//! One call looks at everything that waits in a FIFO, and says how much of it becomes lines. What
//! is left (the beginning of a line) stays in the FIFO, so the cutter itself remembers nothing.
//!
//! **Invariant:** the same input, stamp, rules and rate give the same output: after a crash the
//! journal's record is enough to know which input bytes a half-written output stood for.

use crate::{Lost, Stamp, lost::count};

/// A longer line is cut; the rest becomes a line of its own. As s6-log's `-l`.
pub const LINE_MAX: usize = 8192;
/// Ends a line whose newline is ours and was not in the output.
const MARKED_END: &[u8] = b"\\\n";
/// The longest line in a file: time, space, text, mark and newline.
pub const WRITTEN_MAX: usize = 8192 + Stamp::LEN + 3;

/// How to cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    /// Each line begins with the time.
    pub timestamps: bool,
    /// Lines per second; those above are dropped. 0: no limit.
    pub rate_max: u32,
    /// The beginning of a line counts as a line: nothing more is expected.
    pub flush: bool,
    /// Stop before the output is longer than this.
    pub out_max: usize,
}

/// What a service has written in the second that is under way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rate {
    /// Which second, since 1970.
    pub second: u64,
    /// Lines that were let through in it.
    pub used: u32,
}

/// Why cutting ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Every byte is part of a line.
    End,
    /// The beginning of a line is left.
    Partial,
    /// The next line would exceed `out_max`.
    Full,
}

/// What was cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub struct Cut {
    /// So many bytes of the input are dealt with.
    pub take: usize,
    /// Of these, what the rate limit dropped.
    pub lost: Lost,
    /// Why it went no further.
    pub stop: Stop,
}

impl Rate {
    /// Whether one more line may pass.
    fn admits(self, rules: &Rules) -> bool {
        rules.rate_max == 0 || self.used < rules.rate_max
    }
}

/// Appends to `out` (which must be empty for `out_max` to mean what it says) the lines that
/// `input` begins with.
pub fn cut(input: &[u8], stamp: Stamp, rules: &Rules, rate: &mut Rate, out: &mut Vec<u8>) -> Cut {
    if rate.second != stamp.second() {
        *rate = Rate { second: stamp.second(), used: 0 };
    }
    let mut head = [b' '; Stamp::LEN + 1];
    let head: &[u8] = match (rules.timestamps, head.split_last_mut()) {
        (true, Some((_, text))) => {
            text.copy_from_slice(&stamp.text());
            &head
        }
        (_, _) => &[],
    };
    let mut lost = Lost::default();
    let mut rest = input;
    let stop = loop {
        let Some(line) = next_line(rest, rules.flush) else {
            break if rest.is_empty() { Stop::End } else { Stop::Partial };
        };
        if rate.admits(rules) {
            if out.len().saturating_add(line.written(head)) > rules.out_max {
                break Stop::Full;
            }
            rate.used = rate.used.saturating_add(1);
            out.extend_from_slice(head);
            out.extend_from_slice(line.text);
            out.extend_from_slice(line.end);
        } else {
            lost.lines = lost.lines.saturating_add(1);
            lost.bytes = lost.bytes.saturating_add(count(line.taken));
        }
        rest = rest.get(line.taken..).unwrap_or_default();
    };
    Cut { take: input.len().saturating_sub(rest.len()), lost, stop }
}

/// One line of the input.
struct Line<'a> {
    text: &'a [u8],
    /// What follows it in the file.
    end: &'static [u8],
    /// How much of the input it is.
    taken: usize,
}

impl Line<'_> {
    fn written(&self, head: &[u8]) -> usize {
        head.len().saturating_add(self.text.len()).saturating_add(self.end.len())
    }
}

/// The line that `input` begins with, if it has an end.
fn next_line(input: &[u8], flush: bool) -> Option<Line<'_>> {
    // One byte more than a line may have: a line of exactly LINE_MAX bytes is not cut.
    let window = input.get(..LINE_MAX.saturating_add(1)).unwrap_or(input);
    if let Some(end) = memchr::memchr(b'\n', window) {
        let text = window.get(..end).unwrap_or_default();
        return Some(Line { text, end: b"\n", taken: end.saturating_add(1) });
    }
    let text = if window.len() > LINE_MAX {
        whole_characters(window.get(..LINE_MAX).unwrap_or(window))
    } else if flush && !window.is_empty() {
        window
    } else {
        return None;
    };
    Some(Line { text, end: MARKED_END, taken: text.len() })
}

/// Without the beginning of a UTF-8 character at its end. What is not UTF-8 stays as it is.
fn whole_characters(text: &[u8]) -> &[u8] {
    let start = text.iter().rev().take(4).position(|byte| *byte & 0xc0 != 0x80);
    let Some((back, at)) = start.and_then(|back| Some((back, text.len().checked_sub(back)?)))
    else {
        return text;
    };
    let Some((first, before)) = text.get(..at).and_then(<[u8]>::split_last) else {
        return text;
    };
    let continuations = match first {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        0x00..=0xc1 | 0xf5..=0xff => 0,
    };
    if back < continuations { before } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { timestamps: true, rate_max: 0, flush: false, out_max: 1 << 20 };
    const PLAIN: Rules = Rules { timestamps: false, ..RULES };
    const AT: Stamp = Stamp(1_795_192_384_123_456);

    fn run(input: &[u8], rules: Rules) -> (Cut, Vec<u8>) {
        let mut out = Vec::new();
        let cut = cut(input, AT, &rules, &mut Rate::default(), &mut out);
        (cut, out)
    }

    #[test]
    fn each_line_gets_the_time_and_the_rest_stays() {
        // Empty lines are lines; a beginning is not.
        let (cut, out) = run(b"one\n\ntw", RULES);
        assert_eq!((cut.take, cut.stop), (5, Stop::Partial));
        let expected = "2026-11-20T16:33:04.123456Z one\n2026-11-20T16:33:04.123456Z \n";
        assert_eq!(out, expected.as_bytes());
        assert_eq!(run(b"a\n", RULES).0.stop, Stop::End);
        assert_eq!(run(b"", RULES).0.stop, Stop::End);
    }

    #[test]
    fn flush_ends_the_last_line_with_a_mark() {
        // The backslash says that the newline is not the service's.
        let rules = Rules { flush: true, ..PLAIN };
        assert_eq!(run(b"one\ntw", rules).1, b"one\ntw\\\n");
        assert_eq!(run(b"one\n", rules).1, b"one\n");
    }

    #[test]
    fn long_lines_are_cut_and_marked() {
        // Exactly LINE_MAX bytes fit; one more does not.
        let mut line = vec![b'x'; LINE_MAX];
        line.push(b'\n');
        assert_eq!(run(&line, PLAIN).1, line);
        line.insert(0, b'y');
        let (cut, out) = run(&line, PLAIN);
        assert_eq!(cut.take, LINE_MAX + 2);
        assert_eq!(&out[LINE_MAX..], b"\\\nx\n");
        // Without a newline in sight as well.
        let (cut, out) = run(&vec![b'z'; LINE_MAX + 1], PLAIN);
        assert_eq!((cut.take, cut.stop, out.len()), (LINE_MAX, Stop::Partial, LINE_MAX + 2));
        assert!(out.len() + Stamp::LEN < WRITTEN_MAX);
    }

    #[test]
    fn a_character_is_not_cut_in_two() {
        // Characters of two, three and four bytes across the limit.
        for character in ["é", "€", "🦀"] {
            for back in 1..character.len() {
                let mut line = vec![b'x'; LINE_MAX - back];
                line.extend_from_slice(character.as_bytes());
                line.extend_from_slice(b"tail\n");
                let (_, out) = run(&line, PLAIN);
                let text = String::from_utf8(out).unwrap();
                assert!(text.ends_with(&format!("x\\\n{character}tail\n")), "{character} {back}");
            }
        }
        assert_eq!(whole_characters(b"\x80\x80\x80\x80\x80"), b"\x80\x80\x80\x80\x80");
    }

    #[test]
    fn lines_above_the_rate_are_dropped_and_counted() {
        // Two per second pass; the next second begins anew.
        let rules = Rules { rate_max: 2, ..PLAIN };
        let (mut rate, mut out) = (Rate::default(), Vec::new());
        let first = cut(b"1\n2\n3\n4\n", AT, &rules, &mut rate, &mut out);
        assert_eq!((first.take, first.lost), (8, Lost { lines: 2, bytes: 4 }));
        let later = Stamp(AT.0 + 1_000_000);
        assert!(cut(b"5\n", later, &rules, &mut rate, &mut out).lost.is_none());
        assert_eq!(out, b"1\n2\n5\n");
    }

    #[test]
    fn output_stops_at_a_line() {
        // A full output neither counts nor takes the line that did not fit.
        let rules = Rules { out_max: 5, ..PLAIN };
        let (cut, out) = run(b"ab\ncd\n", rules);
        assert_eq!((cut.take, cut.stop, out), (3, Stop::Full, b"ab\n".to_vec()));
    }

    fn bytes_of(alphabet: &'static [u8], length: usize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(alphabet), 0..length)
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_doubled_however_it_arrives(
            text in bytes_of(b"ab\n\0\xff\xe2\x82\xac", 400),
            pieces in proptest::collection::vec(1_usize..50, 1..40),
            out_max in 60_usize..200,
        ) {
            // A FIFO that fills in pieces, and is emptied by whatever the cutter takes.
            let rules = Rules { out_max, ..PLAIN };
            let (mut fifo, mut file, mut rate) = (Vec::new(), Vec::new(), Rate::default());
            let mut left = &text[..];
            let mut sizes = pieces.iter().cycle();
            loop {
                let n = left.len().min(*sizes.next().unwrap());
                fifo.extend_from_slice(&left[..n]);
                left = &left[n..];
                let flush = left.is_empty();
                let mut out = Vec::new();
                let done = cut(&fifo, AT, &Rules { flush, ..rules }, &mut rate, &mut out);
                prop_assert!(out.len() <= out_max);
                fifo.drain(..done.take);
                file.extend_from_slice(&out);
                // A line longer than the output never fits; files are larger than lines.
                if done.stop == Stop::Full && done.take == 0 { break }
                if flush && fifo.is_empty() { break }
            }
            let mut whole = text.clone();
            whole.truncate(text.len() - left.len() - fifo.len());
            if !whole.ends_with(b"\n") && !whole.is_empty() { whole.extend_from_slice(b"\\\n") }
            prop_assert_eq!(file, whole);
        }

        #[test]
        fn a_cut_output_stands_for_the_same_input(
            text in bytes_of(b"ab\n\n", 300),
            written in 0_usize..400,
            rate_max in 0_u32..20,
        ) {
            // What recovery relies on: cutting again with `out_max` = what the file got gives a
            // prefix of what was to be written, and of what was to be taken.
            let rules = Rules { rate_max, ..RULES };
            let (whole, all) = run(&text, rules);
            let (part, some) = run(&text, Rules { out_max: written, ..rules });
            prop_assert!(all.starts_with(&some) && some.len() <= written);
            prop_assert!(part.take <= whole.take);
            let (rest, more) = {
                let mut rate = Rate::default();
                let mut out = Vec::new();
                let _ = cut(&text, AT, &Rules { out_max: written, ..rules }, &mut rate, &mut out);
                out.clear();
                (cut(&text[part.take..], AT, &rules, &mut rate, &mut out), out)
            };
            prop_assert_eq!([some, more].concat(), all);
            prop_assert_eq!(part.take + rest.take, whole.take);
        }
    }
}
