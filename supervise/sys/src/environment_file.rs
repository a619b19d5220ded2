//! Files of `NAME=VALUE` lines, read in place: no allocation, because it is a child between clone
//! and exec that reads them. Pure.
//!
//! The form is the simple part of systemd's `EnvironmentFile=`: blank lines and lines that begin
//! with `#` or `;` say nothing; blanks around a line and around an unquoted value are cut; a value
//! may be in single quotes (taken as it is) or double quotes (where a backslash before `"`, `\`,
//! `$`, a backquote or a line's end is taken away); quotes may follow each other and plain text.
//! Nothing is expanded. Any other line is an error: a variable that a daemon silently misses is
//! worse than a daemon that says why it does not start.

use std::ffi::CStr;

/// A line that defines nothing: no `=`, a bad name, a NUL, or a quote that is never closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

/// The entries of one file, each made in place over the text that it came from.
#[derive(Debug)]
pub struct Entries<'a> {
    rest: &'a mut [u8],
}

impl<'a> Entries<'a> {
    /// `text` is the file and one more byte, whatever it holds: the last entry's end goes there
    /// when the file does not end with a line's end.
    #[must_use]
    pub fn new(text: &'a mut [u8]) -> Self {
        if let Some(last) = text.last_mut() {
            *last = b'\n';
        }
        Self { rest: text }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<&'a CStr, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = std::mem::take(&mut self.rest);
            let start = text.iter().position(|byte| !is_blank(*byte) && *byte != b'\n')?;
            let (_, text) = text.split_at_mut_checked(start)?;
            if matches!(text.first(), Some(b'#' | b';')) {
                let end = text.iter().position(|byte| *byte == b'\n')?;
                (_, self.rest) = text.split_at_mut_checked(end)?;
                continue;
            }
            let Some((length, consumed)) = rewrite(text) else { return Some(Err(Malformed)) };
            let (entry, rest) = text.split_at_mut_checked(consumed)?;
            self.rest = rest;
            let entry =
                entry.get(..=length).and_then(|entry| CStr::from_bytes_with_nul(entry).ok());
            return Some(entry.ok_or(Malformed));
        }
    }
}

/// Where the reader is within a value.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Quote {
    Plain,
    Single,
    Double,
}

/// Rewrites the definition that `text` begins with as `NAME=VALUE\0`. What is written never
/// overtakes what is read. Returns the entry's length without the NUL, and how much was read.
fn rewrite(text: &mut [u8]) -> Option<(usize, usize)> {
    let equals = text.iter().position(|byte| *byte == b'=' || *byte == b'\n')?;
    if text.get(equals) != Some(&b'=') || !is_name(text.get(..equals)?) {
        return None;
    }
    let mut write = equals.checked_add(1)?;
    let skipped = text.get(write..)?.iter().position(|byte| !is_blank(*byte))?;
    let mut read = write.checked_add(skipped)?;
    let mut quote = Quote::Plain;
    // The length up to the last byte that is not an unquoted blank.
    let mut length = write;
    loop {
        let byte = *text.get(read)?;
        read = read.checked_add(1)?;
        let (next, kept) = match (quote, byte) {
            (Quote::Plain, b'\n') => break,
            (Quote::Plain, b'\'') => (Quote::Single, None),
            (Quote::Plain, b'"') => (Quote::Double, None),
            (Quote::Single, b'\'') | (Quote::Double, b'"') => (Quote::Plain, None),
            (Quote::Plain | Quote::Double, b'\\') => {
                let escaped = *text.get(read)?;
                if quote == Quote::Double && !matches!(escaped, b'"' | b'\\' | b'$' | b'`' | b'\n')
                {
                    (quote, Some(b'\\'))
                } else {
                    read = read.checked_add(1)?;
                    (quote, if escaped == b'\n' { None } else { Some(escaped) })
                }
            }
            (_, byte) => (quote, Some(byte)),
        };
        if let Some(byte) = kept {
            *text.get_mut(write)? = byte;
            write = write.checked_add(1)?;
        }
        if quote != Quote::Plain || next != Quote::Plain || !is_blank(byte) {
            length = write;
        }
        quote = next;
    }
    // The line's end was read and not written, so there is room for this.
    *text.get_mut(length)? = 0;
    Some((length, read))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn is_name(name: &[u8]) -> bool {
    let starts = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    starts && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::{Entries, Malformed};

    fn read(text: &str) -> Result<Vec<String>, Malformed> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0xff);
        Entries::new(bytes.leak())
            .map(|entry| entry.map(|entry| entry.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn forms_that_are_understood() {
        // Each text, and the entries it makes.
        for (text, entries) in [
            ("", &[][..]),
            ("\n\n  \n", &[]),
            ("# a\n ; b = c\n", &[]),
            ("A=1", &["A=1"]),
            ("A=1\nB=2\n", &["A=1", "B=2"]),
            ("  A = 1", &[]),
            ("A=  1 2  \r\n", &["A=1 2"]),
            ("A=\nB=", &["A=", "B="]),
            ("A='x y'", &["A=x y"]),
            ("A='x \\ \"y'", &["A=x \\ \"y"]),
            ("A=\"x \\\"y\\\" \\n \\$z\"", &["A=x \"y\" \\n $z"]),
            ("A=' x '", &["A= x "]),
            ("A=a'b'\"c\"d", &["A=abcd"]),
            ("A=a\\\nb", &["A=ab"]),
            ("A=\"a\nb\"", &["A=a\nb"]),
            ("A=x # no comment", &["A=x # no comment"]),
            ("A=b=c", &["A=b=c"]),
            ("_a1=\u{fc}", &["_a1=\u{fc}"]),
        ] {
            if text == "  A = 1" {
                assert_eq!(read(text), Err(Malformed), "{text:?}");
            } else {
                assert_eq!(read(text).unwrap(), entries, "{text:?}");
            }
        }
    }

    #[test]
    fn lines_that_define_nothing_are_errors() {
        for text in ["A", "export A=1", "1A=1", "=1", "A='x", "A=\"x", "A=a\\", "A=x\0y", "A-B=1"] {
            assert_eq!(read(text), Err(Malformed), "{text:?}");
        }
    }

    #[test]
    fn no_text_leads_astray() {
        // All texts of up to five of the bytes that mean something: whatever is read is a
        // definition, and with none of the special bytes in it, it is the text itself.
        const MEANT: [u8; 9] = *b"A='\"\\\n #\0";
        for length in 0..=5_u32 {
            for number in 0..MEANT.len().pow(length) {
                let digit = |place| MEANT[number / MEANT.len().pow(place) % MEANT.len()];
                let text: Vec<u8> = (0..length).map(digit).collect();
                let mut bytes = text.clone();
                bytes.push(0xff);
                let mut previous = 0;
                for entry in Entries::new(&mut bytes).map_while(Result::ok) {
                    let entry = entry.to_bytes();
                    assert!(entry.starts_with(b"A") && entry.contains(&b'='), "{text:?}");
                    previous += entry.len();
                }
                assert!(previous <= text.len(), "{text:?}");
                let is_plain = text.iter().all(|byte| matches!(byte, b'A' | b'='));
                if is_plain && text.starts_with(b"A") && text.contains(&b'=') {
                    assert_eq!(previous, text.len(), "{text:?}");
                }
            }
        }
    }
}
