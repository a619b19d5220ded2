//! Who is waited for, since when, and for how long yet.
//!
//! **Invariant:** it ends: after its patience at the latest, whoever comes and goes meanwhile.

use std::collections::BTreeMap;

use crate::lock::{Lock, LockId};
use crate::record::Holder;

/// See the module's head.
#[derive(Clone, Debug)]
pub struct Waiting {
    began_us: u64,
    until_us: u64,
    holders: BTreeMap<LockId, Holder>,
}

/// Something worth telling.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Somebody is waited for.
    Waits(Lock),
    /// Somebody has let go.
    Released(Holder),
}

impl Waiting {
    /// Begins now.
    pub const fn new(now_us: u64, patience_us: u64) -> Self {
        let until_us = now_us.saturating_add(patience_us);
        Self { began_us: now_us, until_us, holders: BTreeMap::new() }
    }

    /// These locks are held now, and no others.
    pub fn seen(&mut self, now_us: u64, locks: &[&Lock]) -> Vec<Change> {
        let mut changes = Vec::new();
        let after_ms = self.waited_us(now_us) / 1000;
        for (id, holder) in &mut self.holders {
            if holder.released_ms.is_none() && !locks.iter().any(|lock| lock.id == *id) {
                holder.released_ms = Some(after_ms);
                changes.push(Change::Released(holder.clone()));
            }
        }
        for lock in locks {
            self.holders.entry(lock.id).or_insert_with(|| {
                changes.push(Change::Waits((*lock).clone()));
                let (who, why) = (lock.who.clone(), lock.why.clone());
                Holder { who, why, pid: lock.pid, released_ms: None, died: false }
            });
        }
        changes
    }

    /// Nobody is waited for any more, or not any longer.
    pub fn is_over(&self, now_us: u64) -> bool {
        let all_released = self.holders.values().all(|holder| holder.released_ms.is_some());
        all_released || self.left_us(now_us) == 0
    }

    /// So long yet.
    pub const fn left_us(&self, now_us: u64) -> u64 {
        self.until_us.saturating_sub(now_us)
    }

    /// So long already.
    pub const fn waited_us(&self, now_us: u64) -> u64 {
        now_us.saturating_sub(self.began_us)
    }

    /// All of them, for the record. One that has let go and does not live any more has not let go
    /// because it was done; those that have are stopped later.
    pub fn holders(&self, is_alive: impl Fn(u32) -> bool) -> Vec<Holder> {
        let judged = self.holders.values().cloned().map(|holder| Holder {
            died: holder.released_ms.is_some() && holder.pid != 0 && !is_alive(holder.pid),
            ..holder
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn lock(id: u32) -> Lock {
        let (what, who, why) = ("shutdown".into(), format!("who{id}"), "why".into());
        Lock { id: LockId(id), what, who, why, pid: id, uid: 0, since_us: 0 }
    }

    #[test]
    fn nobody_is_waited_for_if_nobody_holds_anything() {
        let mut waiting = Waiting::new(5, 10);
        assert!(waiting.seen(5, &[]).is_empty() && waiting.is_over(5));
    }

    #[test]
    fn it_waits_for_all_and_notes_when_each_let_go() {
        let (a, b) = (lock(1), lock(2));
        let mut waiting = Waiting::new(1_000_000, 60_000_000);
        let waits = [Change::Waits(a.clone()), Change::Waits(b.clone())];
        assert_eq!(waiting.seen(1_000_000, &[&a, &b]), waits);
        assert!(waiting.seen(2_000_000, &[&a, &b]).is_empty());
        assert_eq!(waiting.seen(3_000_000, &[&b]).len(), 1);
        assert!(!waiting.is_over(3_000_000));
        waiting.seen(9_500_000, &[]);
        assert!(waiting.is_over(9_500_000));
        let holders = waiting.holders(|pid| pid == 1);
        let released: Vec<_> = holders.iter().map(|h| (h.released_ms, h.died)).collect();
        assert_eq!(released, [(Some(2000), false), (Some(8500), true)]);
    }

    #[test]
    fn who_takes_a_lock_meanwhile_is_waited_for_too() {
        // kubelet, when it connects again: the new lock first, then it drops the old one.
        let (old, new) = (lock(1), lock(2));
        let mut waiting = Waiting::new(0, 60);
        waiting.seen(0, &[&old]);
        waiting.seen(1, &[&new]);
        assert!(!waiting.is_over(1));
        waiting.seen(2, &[]);
        assert!(waiting.is_over(2));
    }

    proptest! {
        #[test]
        fn it_ends_with_its_patience_and_never_before_everyone_has_let_go(
            rounds in vec((0_u64..20, btree_set(0_u32..5, 0..4)), 1..20)
        ) {
            let mut waiting = Waiting::new(0, 100);
            let mut now = 0_u64;
            for (pause, ids) in rounds {
                now = now.saturating_add(pause);
                let locks: Vec<Lock> = ids.iter().map(|id| lock(*id)).collect();
                let fresh: Vec<&Lock> = locks.iter().filter(|lock| {
                    // A lock that was released never comes back: numbers are not used twice.
                    waiting.holders.get(&lock.id).is_none_or(|h| h.released_ms.is_none())
                }).collect();
                let _ = waiting.seen(now, &fresh);
                prop_assert_eq!(waiting.is_over(now), fresh.is_empty() || now >= 100);
            }
        }
    }
}
