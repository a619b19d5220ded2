//! One line of `tmpfiles.d`: `TYPE PATH MODE USER GROUP AGE ARGUMENT`, as tmpfiles.d(5) has it.

use std::fmt;

use crate::Root;

/// What a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `f`, `f+`, `F`: a file.
    File,
    /// `w`, `w+`: write to what is there.
    Write,
    /// `d`, `v`, `q`, `Q`: a directory.
    Directory,
    /// `D`: a directory, emptied at boot.
    EmptyDirectory,
    /// `e`: mode and owner of a directory that is there.
    Existing,
    /// `L`: a link.
    Link,
    /// `p`: a FIFO.
    Fifo,
    /// `c`: a character device.
    Character,
    /// `b`: a block device.
    Block,
    /// `C`: a copy.
    Copy,
    /// `z`, `m`: mode and owner.
    Attributes,
    /// `Z`: the same, and below.
    AttributesBelow,
    /// `r`: not there.
    Remove,
    /// `R`: not there, with all that is below.
    RemoveBelow,
    /// `x`, `X`: not to be cleaned. We clean nothing by its age.
    Keep,
}

/// A line, its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What for.
    pub kind: Kind,
    /// `+`: what is there is replaced, or appended to.
    pub plus: bool,
    /// `?`: a link only if what it leads to is there.
    pub if_target: bool,
    /// `!`: while the machine boots, and never later.
    pub boot_only: bool,
    /// `-`: it may fail.
    pub may_fail: bool,
    /// Absolute, without `.` and `..`; a pattern for some kinds.
    pub path: String,
    /// None: the kind's own for what is made, and left for what is there.
    pub mode: Option<Mode>,
    /// Name or number.
    pub user: Option<Owner>,
    /// Name or number.
    pub group: Option<Owner>,
    /// The rest of the line.
    pub argument: String,
    /// `FILE:LINE`.
    pub place: String,
}

/// Bits of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Octal.
    pub bits: u32,
    /// `~`: no more than what is there has of each kind.
    pub masked: bool,
    /// `:`: for what is made only.
    pub new_only: bool,
}

/// Whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Name or number.
    pub name: String,
    /// `:`: for what is made only.
    pub new_only: bool,
}

/// Why a line counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `FILE:LINE`.
    pub place: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot obey {}: {}", self.place, self.reason)
    }
}

impl Kind {
    fn of(letter: char) -> Result<Self, String> {
        Ok(match letter {
            'f' | 'F' => Self::File,
            'w' => Self::Write,
            'd' | 'v' | 'q' | 'Q' => Self::Directory,
            'D' => Self::EmptyDirectory,
            'e' => Self::Existing,
            'L' => Self::Link,
            'p' => Self::Fifo,
            'c' => Self::Character,
            'b' => Self::Block,
            'C' => Self::Copy,
            'z' | 'm' => Self::Attributes,
            'Z' => Self::AttributesBelow,
            'r' => Self::Remove,
            'R' => Self::RemoveBelow,
            'x' | 'X' => Self::Keep,
            't' | 'T' | 'h' | 'H' | 'a' | 'A' => {
                return Err(format!(
                    "`{letter}` (extended attributes, access lists) takes systemd-tmpfiles"
                ));
            }
            other => return Err(format!("there is no type `{other}`")),
        })
    }

    /// Its path may be a pattern.
    #[must_use]
    pub fn takes_pattern(self) -> bool {
        match self {
            Self::Write
            | Self::Existing
            | Self::Attributes
            | Self::AttributesBelow
            | Self::Remove
            | Self::RemoveBelow
            | Self::Keep => true,
            Self::File
            | Self::Directory
            | Self::EmptyDirectory
            | Self::Link
            | Self::Fifo
            | Self::Character
            | Self::Block
            | Self::Copy => false,
        }
    }

    /// It brings something into being, so that two for one path contradict each other.
    #[must_use]
    pub fn makes(self) -> bool {
        !self.takes_pattern()
    }
}

/// Reads a file's text.
pub fn parse(text: &str, path: &str, root: &Root) -> Vec<Result<Line, Refused>> {
    let mut lines = Vec::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{path}:{number}");
        lines.push(one(line, &place, root).map_err(|reason| Refused { place, reason }));
    }
    lines
}

fn one(text: &str, place: &str, root: &Root) -> Result<Line, String> {
    let mut rest = text;
    let mut next = || word(&mut rest);
    let kind = next()?.unwrap_or_default();
    let path = next()?.ok_or("it has no path")?;
    let (mode, user, group, _age) = (next()?, next()?, next()?, next()?);
    let mut letters = kind.chars();
    let letter = letters.next().unwrap_or_default();
    let mut line = Line {
        kind: Kind::of(letter)?,
        plus: letter == 'F',
        if_target: false,
        boot_only: false,
        may_fail: false,
        path: absolute(&expanded(&path, root)?)?,
        mode: given(mode).map(|text| as_mode(&text)).transpose()?,
        user: given(user).map(|text| as_owner(&text)),
        group: given(group).map(|text| as_owner(&text)),
        argument: String::new(),
        place: place.to_owned(),
    };
    for modifier in letters {
        match modifier {
            '+' => line.plus = true,
            '?' => line.if_target = true,
            '!' => line.boot_only = true,
            '-' => line.may_fail = true,
            // What is purged or cleaned, we leave.
            '$' | '=' => {}
            other => return Err(format!("the modifier `{other}` takes systemd-tmpfiles")),
        }
    }
    let argument = rest.trim();
    line.argument = if argument == "-" { String::new() } else { expanded(argument, root)? };
    Ok(line)
}

/// `-` is nothing.
fn given(field: Option<String>) -> Option<String> {
    field.filter(|text| text != "-" && !text.is_empty())
}

fn as_mode(text: &str) -> Result<Mode, String> {
    let digits = text.trim_start_matches(['~', ':']);
    let prefix = text.strip_suffix(digits).unwrap_or_default();
    let bits = u32::from_str_radix(digits, 8).ok().filter(|bits| *bits <= 0o7777);
    let bits = bits.ok_or_else(|| format!("`{text}` is no mode"))?;
    Ok(Mode { bits, masked: prefix.contains('~'), new_only: prefix.contains(':') })
}

fn as_owner(text: &str) -> Owner {
    let name = text.strip_prefix(':');
    Owner { name: name.unwrap_or(text).to_owned(), new_only: name.is_some() }
}

fn absolute(path: &str) -> Result<String, String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if !path.starts_with('/') || parts.contains(&"..") {
        return Err(format!("`{path}` is no absolute path"));
    }
    Ok(format!("/{}", parts.join("/")))
}

/// The next word: quotes keep blanks, a backslash the next character.
fn word(rest: &mut &str) -> Result<Option<String>, String> {
    let text = rest.trim_start();
    let (mut word, mut quote, mut end) = (String::new(), None, text.len());
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (letter, quote) {
            (blank, None) if blank.is_ascii_whitespace() => {
                end = at;
                break;
            }
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('\\', _) => word.push(letters.next().map_or('\\', |(_, escaped)| escaped)),
            (letter, _) => word.push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    let is_there = end > 0;
    *rest = text.get(end..).unwrap_or_default();
    Ok(is_there.then_some(word))
}

/// Puts in what `%` stands for.
fn expanded(text: &str, root: &Root) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let file = |path: &str| root.line(path).ok_or_else(|| format!("there is no {path}"));
        match letters.next() {
            Some('%') => out.push('%'),
            Some('t') => out.push_str("/run"),
            Some('S') => out.push_str("/var/lib"),
            Some('C') => out.push_str("/var/cache"),
            Some('L') => out.push_str("/var/log"),
            Some('T') => out.push_str("/tmp"),
            Some('V') => out.push_str("/var/tmp"),
            Some('h') => out.push_str("/root"),
            Some('u' | 'g') => out.push_str("root"),
            Some('U' | 'G') => out.push('0'),
            Some('H') => out.push_str(&file("/proc/sys/kernel/hostname")?),
            Some('v') => out.push_str(&file("/proc/sys/kernel/osrelease")?),
            Some('m') => out.push_str(&file("/etc/machine-id")?),
            Some('b') => out.push_str(&file("/proc/sys/kernel/random/boot_id")?.replace('-', "")),
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(format!("`%{other}` is not known here"));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Machine;

    fn parsed(text: &str) -> Result<Line, String> {
        let machine = Machine::new(&[("/etc/machine-id", "77\n")]);
        let mut lines = parse(text, "a.conf", &machine.root());
        assert_eq!(lines.len(), 1, "{text}");
        lines.remove(0).map_err(|refused| refused.to_string())
    }

    #[test]
    fn fields_and_their_defaults() {
        let line = parsed("d /run//sshd/ 0755 root :adm 10d -").unwrap();
        assert_eq!((line.kind, line.path.as_str()), (Kind::Directory, "/run/sshd"));
        assert_eq!(line.mode.unwrap().bits, 0o755);
        assert_eq!(line.user.unwrap(), Owner { name: "root".into(), new_only: false });
        assert_eq!(line.group.unwrap(), Owner { name: "adm".into(), new_only: true });
        let line = parsed("L+! /a - - - - ../b c").unwrap();
        assert!(line.plus && line.boot_only && line.mode.is_none() && line.user.is_none());
        assert_eq!(line.argument, "../b c");
        let line = parsed("C \"/a b/%m\" ~0755").unwrap();
        assert_eq!((line.path.as_str(), line.argument.as_str()), ("/a b/77", ""));
        assert!(line.mode.unwrap().masked);
        assert!(parsed("F /a").unwrap().plus);
        assert_eq!(parsed("w- /x - - - - 100%%").unwrap().argument, "100%");
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        for (text, why) in [
            ("a /x - - - - u:x:r", "takes systemd-tmpfiles"),
            ("y /x", "no type `y`"),
            ("f~ /x", "the modifier `~`"),
            ("d x", "no absolute path"),
            ("d /a/../b", "no absolute path"),
            ("d", "no path"),
            ("d /a 9", "is no mode"),
            ("d /%z", "`%z` is not known"),
            ("d \"/a", "quote"),
        ] {
            let refused = parsed(text).unwrap_err();
            assert!(refused.starts_with("cannot obey a.conf:1: "), "{refused}");
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

    #[test]
    fn comments_and_empty_lines_are_none() {
        let machine = Machine::new(&[]);
        assert_eq!(parse("\n  # d /a\n\n", "a.conf", &machine.root()), []);
    }
}
