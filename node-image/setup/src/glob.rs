//! Matching of names against patterns as fnmatch(3) does, for the aliases of modules and for the
//! keys of sysctl.d.

/// Whether `text` matches `pattern`: `*` any bytes, `?` any byte, `[a-z]` one of these, `[!a-z]`
/// or `[^a-z]` none of them, `\` takes the next byte as it is.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when what followed the last star did not match: behind one byte more.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => return true,
            (Some((b'*', rest)), _) => {
                star = Some((rest, text));
                pattern = rest;
                continue;
            }
            (Some(_), Some((byte, next))) => {
                if let Some(rest) = one(pattern, *byte) {
                    (pattern, text) = (rest, next);
                    continue;
                }
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
        let Some((behind, from)) = star else { return false };
        let Some((_, from)) = from.split_first() else { return false };
        star = Some((behind, from));
        (pattern, text) = (behind, from);
    }
}

/// Whether the first element of `pattern`, which is no star, matches `byte`: what follows it then.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some(rest),
        b'[' => match class(rest, byte) {
            Some((is_in, rest)) => is_in.then_some(rest),
            // Without its end it is an ordinary bracket.
            None => (byte == b'[').then_some(rest),
        },
        b'\\' => match rest.split_first() {
            Some((escaped, rest)) => (*escaped == byte).then_some(rest),
            None => (byte == b'\\').then_some(rest),
        },
        first => (*first == byte).then_some(rest),
    }
}

/// A class behind its `[`: whether `byte` is in it, and what follows; none if it has no end.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let is_inverse = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut rest = if is_inverse { pattern.get(1..)? } else { pattern };
    let (mut is_in, mut is_first) = (false, true);
    loop {
        let (low, next) = rest.split_first()?;
        if *low == b']' && !is_first {
            return Some((is_in != is_inverse, next));
        }
        is_first = false;
        rest = next;
        match rest {
            [b'-', high, next @ ..] if *high != b']' => {
                is_in |= (*low..=*high).contains(&byte);
                rest = next;
            }
            _ => is_in |= *low == byte,
        }
    }
}

/// Whether it has a character that makes a pattern of it.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes())
    }

    #[test]
    fn stars_question_marks_and_classes() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abcbc"),
            ("lxc*", "lxc12"),
            ("?", "x"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[]]", "]"),
            ("[a-]", "-"),
            ("[", "["),
            ("\\*", "*"),
            ("pci:v*d*sv*", "pci:v00008086d00001572sv0"),
        ] {
            assert!(is(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("?", ""), ("a*c", "ab"), ("[a-c]", "d"), ("[!a]", "a"), ("\\*", "a")]
        {
            assert!(!is(pattern, text), "{pattern} {text}");
        }
    }
}
