//! Names that a node can have: those that Kubernetes takes, and everybody who looks them up.

/// Of a label of DNS, and of the value of a label of Kubernetes (`kubernetes.io/hostname`); the
/// kernel takes one byte more.
pub const NAME_MAX: usize = 63;

/// What machines are called that nobody has named.
pub const NO_NAMES: [&str; 4] = ["", "(none)", "localhost", "localhost.localdomain"];

/// What is wrong with a name, as the rest of a sentence about it.
#[must_use]
pub fn wrong(name: &str) -> Option<&'static str> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(plain)
            && label.ends_with(plain)
            && label.chars().all(|letter| plain(letter) || letter == '-')
    };
    if NO_NAMES.contains(&name) {
        Some("is the name of every machine that nobody has named")
    } else if name.len() > NAME_MAX {
        Some("is longer than 63 bytes")
    } else if name.chars().any(|letter| letter.is_ascii_uppercase()) {
        Some("has capital letters, which kubelet does not take")
    } else if !name.split('.').all(is_label) {
        Some("is no host's name: that is a-z, 0-9 and `-`, in labels parted by `.`")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_kubernetes_takes() {
        for good in ["a", "7", "n-1.b.c", &"x".repeat(NAME_MAX)] {
            assert_eq!(wrong(good), None, "{good}");
        }
        for (bad, why) in [
            ("", "nobody has named"),
            ("localhost", "nobody has named"),
            ("Web1", "capital letters"),
            ("a_b", "no host's name"),
            ("-a", "no host's name"),
            ("a-", "no host's name"),
            ("a..b", "no host's name"),
            (".a", "no host's name"),
            ("a b", "no host's name"),
            ("\u{fc}", "no host's name"),
            (&"x".repeat(64), "longer than 63"),
        ] {
            assert!(wrong(bad).is_some_and(|text| text.contains(why)), "{bad}");
        }
    }
}
