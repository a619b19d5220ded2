//! Text that is safe to show: what a service writes must not be able to move the cursor, hide a
//! line or pretend to be another one.

use std::{borrow::Cow, fmt::Write};

/// The text with everything visible: control characters and bytes that are not UTF-8 as `\x1b`,
/// characters that reorder or break lines as `\u{202e}`. Tabs and all other text stay; a carriage
/// return at the end, which daemons write that think of terminals, does nothing there and goes.
#[must_use]
pub fn render(text: &[u8]) -> Cow<'_, str> {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if let Ok(text) = core::str::from_utf8(text) {
        if !text.chars().any(is_unsafe) {
            return Cow::Borrowed(text);
        }
    }
    let mut shown = String::with_capacity(text.len().saturating_add(16));
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            show(character, &mut shown);
        }
        for byte in chunk.invalid() {
            hexadecimal(u32::from(*byte), &mut shown);
        }
    }
    Cow::Owned(shown)
}

fn show(character: char, shown: &mut String) {
    let code = u32::from(character);
    if !is_unsafe(character) {
        shown.push(character);
    } else if code < 0x80 {
        hexadecimal(code, shown);
    } else {
        // Writing to a String cannot fail.
        let _ = write!(shown, "\\u{{{code:x}}}");
    }
}

fn hexadecimal(code: u32, shown: &mut String) {
    let _ = write!(shown, "\\x{code:02x}");
}

fn is_unsafe(character: char) -> bool {
    match character {
        '\t' => false,
        // Zero-width and direction marks, line and paragraph separators, embeddings, isolates,
        // the byte order mark, and the tags that no font shows.
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_acts_on_it() {
        // Escapes, C1 controls, direction overrides, NUL, broken UTF-8; tabs and letters stay.
        for (text, shown) in [
            (&b"plain \t text"[..], "plain \t text"),
            ("été 🦀".as_bytes(), "été 🦀"),
            (b"\x1b[2Jgone", "\\x1b[2Jgone"),
            (b"a\0b\x7f\rc", "a\\x00b\\x7f\\x0dc"),
            (b"two at the end\r\r", "two at the end\\x0d"),
            ("x\u{9b}31m".as_bytes(), "x\\u{9b}31m"),
            ("user\u{202e}txt".as_bytes(), "user\\u{202e}txt"),
            (b"\xff\xc3(", "\\xff\\xc3("),
        ] {
            assert_eq!(render(text), shown);
        }
        assert!(matches!(render("été".as_bytes()), Cow::Borrowed(_)));
    }
}
