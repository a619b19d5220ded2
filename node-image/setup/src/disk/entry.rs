//! Boot entries: programs in the ESP's `EFI/Linux`, `cooper-NUMBER-SLOT+LEFT-DONE.efi`.
//!
//! The number says which is newer, and the loader takes the newest; the rest is systemd-boot's
//! (systemd.io: Automatic Boot Assessment): so many attempts are left and were made. No attempts
//! left: bad, taken only if all are. No counter: good.

/// How often an entry is tried before it is bad.
pub const TRIES: u32 = 3;
const PREFIX: &str = "cooper-";
const SUFFIX: &str = ".efi";

/// One of the two places for a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `root-a`
    A,
    /// `root-b`
    B,
}

impl Slot {
    /// Of a partition's label.
    pub fn of_label(label: &str) -> Option<Self> {
        [Self::A, Self::B].into_iter().find(|slot| slot.label() == label)
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::A => "root-a",
            Self::B => "root-b",
        }
    }

    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// An entry of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file's name.
    pub file: String,
    pub number: u32,
    pub slot: Slot,
}

impl Entry {
    /// None if the file is nobody's we know.
    pub fn parse(file: &str) -> Option<Self> {
        let name = good(file)?;
        let (number, letter) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
        let slot = [Slot::A, Slot::B].into_iter().find(|slot| slot.letter() == letter)?;
        Some(Self { file: file.to_owned(), number: number.parse().ok()?, slot })
    }

    /// A new one, which is to be tried.
    pub fn new(number: u32, slot: Slot) -> Self {
        let file = format!("{PREFIX}{number}-{}+{TRIES}{SUFFIX}", slot.letter());
        Self { file, number, slot }
    }
}

/// The name of a file without its counter: what it is called once it is known to be good.
pub fn good(file: &str) -> Option<String> {
    let stem = file.strip_suffix(SUFFIX)?;
    let Some((name, counter)) = stem.rsplit_once('+') else { return Some(file.to_owned()) };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (left, done) = counter.split_once('-').unwrap_or((counter, "0"));
    (is_number(left) && is_number(done)).then(|| format!("{name}{SUFFIX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_taken_off() {
        let good = |file: &str| good(file).unwrap_or_default();
        assert_eq!(good("cooper-1-a+3.efi"), "cooper-1-a.efi");
        assert_eq!(good("cooper-1-a+0-3.efi"), "cooper-1-a.efi");
        assert_eq!(good("cooper-1-a.efi"), "cooper-1-a.efi");
        for other in ["cooper-1-a+x.efi", "cooper-1-a+3-.efi", "cooper+3.conf"] {
            assert_eq!(good(other), "", "{other}");
        }
    }

    #[test]
    fn names_say_what_they_are() {
        let entry = Entry::new(7, Slot::B);
        assert_eq!(entry.file, "cooper-7-b+3.efi");
        assert_eq!(Entry::parse(&entry.file), Some(entry));
        let tried = Entry::parse("cooper-12-a+1-2.efi").map(|it| (it.number, it.slot));
        assert_eq!(tried, Some((12, Slot::A)));
        for other in ["windows.efi", "cooper-1.efi", "cooper-1-c.efi", "cooper-x-a.efi"] {
            assert_eq!(Entry::parse(other), None, "{other}");
        }
    }
}
