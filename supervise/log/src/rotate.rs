//! When to begin a new file, and which old ones to delete: numbers in, decisions out.

use std::time::Duration;

use crate::{Stamp, WRITTEN_MAX, lost::count};

/// What a service's files may amount to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// `current` is never longer.
    pub file_size: u64,
    /// So many rotated files are kept.
    pub files: u32,
    /// A rotated file is deleted this long after its last line.
    pub age: Option<Duration>,
    /// All files together are never longer.
    pub quota: u64,
}

/// A rotated file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Past {
    /// When it was rotated.
    pub at: Stamp,
    /// Its length.
    pub size: u64,
}

impl Limits {
    /// As configured, made possible: a file holds at least one line, and the quota two files, so
    /// that a rotation does not delete all there is. 0 means no limit of age, size and quota.
    #[must_use]
    pub fn new(file_size_max: u64, files_max: u32, age_max_s: u64, quota: u64) -> Self {
        let line = count(WRITTEN_MAX);
        let quota = if quota == 0 { u64::MAX } else { quota.max(line.saturating_mul(2)) };
        let age = (age_max_s > 0).then(|| Duration::from_secs(age_max_s));
        let size = if file_size_max == 0 { u64::MAX } else { file_size_max };
        Self { file_size: size.clamp(line, quota / 2), files: files_max, age, quota }
    }

    /// How much more may be appended to a file of this length.
    #[must_use]
    pub fn room(&self, current: u64) -> u64 {
        self.file_size.saturating_sub(current)
    }

    /// Whether a file with a first line of this time should make way for a new one: else a quiet
    /// service's old lines would never get old enough to be deleted.
    #[must_use]
    pub fn too_old(&self, first: Stamp, now: Stamp) -> bool {
        self.age.is_some_and(|age| first.after(age) <= now)
    }

    /// When the oldest of these files (sorted, the oldest first) is due to be deleted for its age.
    #[must_use]
    pub fn expiry(&self, past: &[Past]) -> Option<Stamp> {
        Some(past.first()?.at.after(self.age?))
    }

    /// How many of the oldest of these files (sorted, the oldest first) must be deleted before
    /// `incoming` bytes may be appended to a `current` of this length.
    #[must_use]
    pub fn surplus(&self, past: &[Past], current: u64, incoming: u64, now: Stamp) -> usize {
        let files = usize::try_from(self.files).unwrap_or(usize::MAX);
        let mut total = past
            .iter()
            .fold(current.saturating_add(incoming), |sum, file| sum.saturating_add(file.size));
        let mut left = past.len();
        for file in past {
            let expired = self.age.is_some_and(|age| file.at.after(age) <= now);
            if left <= files && total <= self.quota && !expired {
                break;
            }
            total = total.saturating_sub(file.size);
            left = left.saturating_sub(1);
        }
        past.len().saturating_sub(left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000;

    fn past(files: &[(u64, u64)]) -> Vec<Past> {
        files.iter().map(|(s, size)| Past { at: Stamp(s * S), size: *size }).collect()
    }

    #[test]
    fn each_limit_deletes_the_oldest_files() {
        // Count, quota and age, one at a time.
        let files = past(&[(10, 40_000), (20, 40_000), (30, 40_000)]);
        let now = Stamp(40 * S);
        let limits = Limits::new(40_000, 3, 0, 0);
        assert_eq!(limits.surplus(&files, 0, 0, now), 0);
        assert_eq!(Limits { files: 1, ..limits }.surplus(&files, 0, 0, now), 2);
        assert_eq!(Limits { files: 0, ..limits }.surplus(&files, 0, 0, now), 3);
        let limits = Limits { quota: 130_000, ..limits };
        assert_eq!(limits.surplus(&files, 9_000, 1_000, now), 0);
        assert_eq!(limits.surplus(&files, 9_000, 1_001, now), 1);
        let limits = Limits { age: Some(Duration::from_secs(20)), ..limits };
        assert_eq!(limits.surplus(&files, 0, 0, now), 2);
        assert_eq!(limits.expiry(&files), Some(Stamp(30 * S)));
        assert!(limits.too_old(Stamp(20 * S), now) && !limits.too_old(Stamp(20 * S + 1), now));
    }

    #[test]
    fn impossible_limits_are_made_possible() {
        // A file holds a line; two files fit into the quota.
        let limits = Limits::new(1, 0, 0, 1);
        assert!(limits.file_size >= count(WRITTEN_MAX) && limits.quota >= 2 * limits.file_size);
        assert_eq!(Limits::new(1 << 30, 9, 0, 1 << 20).file_size, 1 << 19);
    }

    proptest! {
        #[test]
        fn the_quota_holds_and_no_file_dies_in_vain(
            sizes in proptest::collection::vec(0_u64..50_000, 0..20),
            files in 0_u32..20, age in 0_u64..30, quota in 20_000_u64..400_000,
            room in 0_u64..100,
        ) {
            let limits = Limits::new(30_000, files, age, quota);
            let list: Vec<(u64, u64)> = (1..).zip(sizes).collect();
            let past = past(&list);
            let (now, current) = (Stamp(25 * S), limits.file_size - room);
            let n = limits.surplus(&past, current, room, now);
            let total = |files: &[Past]| files.iter().map(|f| f.size).sum::<u64>() + current + room;
            let fits = |files: &[Past]| {
                total(files) <= limits.quota
                    && files.len() <= limits.files as usize
                    && limits.expiry(files).is_none_or(|at| at > now)
            };
            prop_assert!(fits(&past[n..]));
            prop_assert!(n == 0 || !fits(&past[n - 1..]));
        }
    }
}
