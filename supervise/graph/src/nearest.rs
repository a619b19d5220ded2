//! The known word, or the service, that somebody probably meant.

use alloc::{string::String, vec, vec::Vec};

/// The candidate that is nearest to `word`, if one is near enough to be worth saying.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| -> String { word.to_lowercase().replace('_', "-") };
    let wanted = plain(word);
    // One letter of three may be wrong; of a word of two letters every other one is near.
    let limit = wanted.chars().count().div_euclid(3);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(wanted.len()) <= limit)
        .map(|candidate| (distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, remove, replace or swap with their neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            let next = j.saturating_add(1);
            let replaced = at(&last, j).saturating_add(usize::from(x != y));
            let removed = at(&last, next).saturating_add(1);
            let inserted = at(&row, j).saturating_add(1);
            let mut best = replaced.min(removed).min(inserted);
            // The last two letters, the other way round.
            let swapped = j.checked_sub(1).filter(|left| b.get(*left) == Some(&x));
            if let Some(left) = swapped.filter(|_| previous == Some(y)) {
                best = best.min(at(&before_last, left).saturating_add(1));
            }
            row.push(best);
        }
        before_last = core::mem::replace(&mut last, row);
        previous = Some(x);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_single_mistakes() {
        for (a, b, expected) in [
            ("exec", "exec", 0),
            ("exce", "exec", 1),
            ("exe", "exec", 1),
            ("execs", "exec", 1),
            ("ecec", "exec", 1),
            ("", "exec", 4),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let keys = ["exec", "requires", "wants", "description"];
        assert_eq!(nearest("exce", keys), Some("exec"));
        assert_eq!(nearest("require", keys), Some("requires"));
        assert_eq!(nearest("Descripton", keys), Some("description"));
        assert_eq!(nearest("banana", keys), None);
        let services = ["containerd", "kubelet", "sshd", "seatd", "chronyd"];
        assert_eq!(nearest("contianerd", services), Some("containerd"));
        assert_eq!(nearest("container", services), Some("containerd"));
        assert_eq!(nearest("ssh", services), Some("sshd"));
        assert_eq!(nearest("nginx", services), None);
        assert_eq!(nearest("", services), None);
    }
}
