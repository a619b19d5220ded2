//! What somebody may have meant.

use alloc::{vec, vec::Vec};

/// The candidate that takes the fewest changes of a letter to get to, if they are few enough to
/// be a slip: at most a third of the name, and never more than three.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = name.chars().count().div_ceil(3).min(3);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, deleted, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    // Rows of the usual table: the one above, the one being filled, and the one before those.
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut before = above.clone();
    let mut last = None;
    for (row, letter) in from.chars().enumerate() {
        let mut filled = vec![row.saturating_add(1)];
        for (column, other) in to.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let next = column.saturating_add(1);
            let changed = at(&above, column).saturating_add(usize::from(letter != *other));
            let shorter = at(&above, next).saturating_add(1);
            let longer = at(&filled, column).saturating_add(1);
            let mut least = changed.min(shorter).min(longer);
            let swapped = column
                .checked_sub(1)
                .filter(|previous| last == Some(*other) && to.get(*previous) == Some(&letter));
            if let Some(previous) = swapped {
                least = least.min(at(&before, previous).saturating_add(1));
            }
            filled.push(least);
        }
        before = core::mem::replace(&mut above, filled);
        last = Some(letter);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let names = ["containerd", "kubelet", "sshd", "seatd", "chronyd"];
        for (typed, meant) in [
            ("contianerd", Some("containerd")),
            ("container", Some("containerd")),
            ("kubelt", Some("kubelet")),
            ("ssh", Some("sshd")),
            ("sshdd", Some("sshd")),
            ("nginx", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }

    #[test]
    fn distances_are_right() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
