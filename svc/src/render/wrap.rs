//! Prose for a terminal of some width.

/// The lines; with `width`, none is longer unless a single word is. Line breaks of the text stay.
pub fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width else { return text.lines().map(str::to_owned).collect() };
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut used = 0_usize;
        for word in paragraph.split_whitespace() {
            let length = word.chars().count();
            let with = used.saturating_add(1).saturating_add(length);
            if used == 0 {
                used = length;
            } else if with <= width {
                line.push(' ');
                used = with;
            } else {
                lines.push(std::mem::take(&mut line));
                used = length;
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(wrapped("one two three", None), ["one two three"]);
        assert_eq!(wrapped("a\nb c", Some(3)), ["a", "b c"]);
        assert_eq!(wrapped("unbreakable x", Some(4)), ["unbreakable", "x"]);
        assert!(wrapped("", Some(4)).is_empty());
    }
}
