//! The syntax of `sysctl.d`, as systemd-sysctl reads it.

use crate::glob;
use crate::modules::config::Place;

/// One line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Below `/proc/sys`, with slashes; it may be a pattern.
    pub key: String,
    /// What to write; none: no pattern touches this key (`-key` alone).
    pub value: Option<String>,
    /// Nobody wants to hear that it failed (`-key = value`).
    pub is_quiet: bool,
    /// Where it is written.
    pub place: Place,
}

impl Assignment {
    /// Its key is a pattern.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        glob::is_pattern(&self.key)
    }
}

/// The lines of a file; and those that say nothing, by number.
#[must_use]
pub fn parse(path: &str, text: &str) -> (Vec<Assignment>, Vec<Place>) {
    let (mut assignments, mut odd) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_matches(WHITE);
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let place = Place { path: path.to_owned(), line: Some(number) };
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, Some(value.trim_matches(WHITE).to_owned())),
            None if line.starts_with('-') => (line, None),
            None => {
                odd.push(place);
                continue;
            }
        };
        let (key, is_quiet) = match key.strip_prefix('-') {
            Some(key) => (key, true),
            None => (key, false),
        };
        let key = normal(key.trim_matches(WHITE));
        assignments.push(Assignment { key, value, is_quiet, place });
    }
    (assignments, odd)
}

/// What systemd takes for white space.
const WHITE: [char; 4] = [' ', '\t', '\n', '\r'];

/// A key as a path below `/proc/sys`: where the first separator is a dot, dots are slashes and
/// slashes are dots (`net.ipv4.conf.eth0/100.rp_filter`); where it is a slash, both are what they
/// are.
#[must_use]
pub fn normal(key: &str) -> String {
    let is_dotted = key.chars().find(|c| matches!(c, '.' | '/')) == Some('.');
    let key = match is_dotted {
        true => key
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect(),
        false => key.to_owned(),
    };
    let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    match parts.as_slice() {
        ["proc", "sys", rest @ ..] => rest.join("/"),
        parts => parts.join("/"),
    }
}

/// A path below `/proc/sys` as people write it.
#[must_use]
pub fn dotted(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            '/' => '.',
            '.' => '/',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_line() {
        let text = "# c\n; c\n\n kernel.panic = 10 \n-net.ipv4.conf.lxc*.rp_filter = 0\n\
                    -net/ipv4/conf/all/rp_filter\nnonsense\nkernel.core_pattern=|/bin/x = %p\n";
        let (lines, odd) = parse("f", text);
        let brief: Vec<_> = lines
            .iter()
            .map(|line| (line.key.as_str(), line.value.as_deref(), line.is_quiet))
            .collect();
        let expected = [
            ("kernel/panic", Some("10"), false),
            ("net/ipv4/conf/lxc*/rp_filter", Some("0"), true),
            ("net/ipv4/conf/all/rp_filter", None, true),
            ("kernel/core_pattern", Some("|/bin/x = %p"), false),
        ];
        assert_eq!(brief, expected);
        assert_eq!(lines[0].place.to_string(), "f:4");
        assert_eq!(odd.len(), 1);
        assert_eq!(odd[0].to_string(), "f:7");
    }

    #[test]
    fn the_first_separator_decides() {
        for (key, path) in [
            ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
            ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
            ("/proc/sys/kernel/panic", "kernel/panic"),
            ("kernel//panic/", "kernel/panic"),
            ("a", "a"),
        ] {
            assert_eq!(normal(key), path);
        }
        assert_eq!(dotted("net/ipv4/conf/eth0.100/rp_filter"), "net.ipv4.conf.eth0/100.rp_filter");
    }
}
