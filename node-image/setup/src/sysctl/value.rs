//! When two values of a kernel parameter are as good as each other.

use facts::Sysctl;

/// The kernel separates several numbers by tabs, people by spaces.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one.split_ascii_whitespace().eq(other.split_ascii_whitespace())
}

/// What is there satisfies an entry: it is the entry's value, or one that is as good.
#[must_use]
pub fn satisfies(is: &str, entry: &Sysctl) -> bool {
    is_same(is, &entry.value)
        || entry.accept.iter().any(|accepted| is_same(is, accepted))
        || entry.at_least && is_at_least(is, &entry.value)
}

/// Each number is as large as its counterpart.
fn is_at_least(is: &str, wanted: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<i128>> {
        text.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
    };
    let (Some(is), Some(wanted)) = (numbers(is), numbers(wanted)) else { return false };
    is.len() == wanted.len() && is.iter().zip(&wanted).all(|(is, wanted)| is >= wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: &str, accept: &[&str], at_least: bool) -> Sysctl {
        let [key, why, source] = ["a.b", "", ""].map(str::to_owned);
        let accept = accept.iter().map(|it| (*it).to_owned()).collect();
        let (optional, module, by) = (false, None, Vec::new());
        Sysctl { key, value: value.into(), accept, at_least, optional, module, why, source, by }
    }

    #[test]
    fn white_space_is_no_difference() {
        assert!(is_same("4096\t87380\t6291456", "4096 87380  6291456"));
        assert!(!is_same("4096 87380", "4096 87380 6291456"));
    }

    #[test]
    fn larger_is_as_good_only_where_that_was_said() {
        assert!(satisfies("2000", &entry("1000", &[], true)));
        assert!(!satisfies("2000", &entry("1000", &[], false)));
        assert!(!satisfies("999", &entry("1000", &[], true)));
        assert!(satisfies("1 3", &entry("1 2", &[], true)));
        assert!(!satisfies("0 3", &entry("1 2", &[], true)));
        assert!(!satisfies("x", &entry("1", &[], true)));
        assert!(satisfies("18446744073709551615", &entry("9223372036854775807", &[], true)));
    }

    #[test]
    fn what_is_accepted_holds() {
        assert!(satisfies("0", &entry("2", &["0"], false)));
        assert!(!satisfies("1", &entry("2", &["0"], false)));
    }
}
