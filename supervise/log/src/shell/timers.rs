//! When to look at which service again. Nothing is ever looked at in between.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

/// What a timer is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// The beginning of a line has waited for its end long enough.
    Partial,
    /// A disk that could not be written is tried again.
    Retry,
    /// Lines were dropped for their rate; the second is over.
    Rate,
    /// A file becomes too old.
    Age,
}

/// Due times, the next one first.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, usize, Timer)>>,
}

impl Timers {
    pub(super) fn set(&mut self, after: Duration, service: usize, timer: Timer) {
        // A century from now is never.
        let century = Duration::from_secs(3_155_760_000);
        if let Some(at) = Instant::now().checked_add(after.min(century)) {
            self.heap.push(Reverse((at, service, timer)));
        }
    }

    /// How long until the next one.
    pub(super) fn wait(&self) -> Option<Duration> {
        let Reverse((at, _, _)) = self.heap.peek()?;
        // Rounded up to epoll's milliseconds: waking too early would be waking twice.
        let left = at.saturating_duration_since(Instant::now());
        Some(left.saturating_add(Duration::from_micros(999)))
    }

    /// One that is due.
    pub(super) fn due(&mut self) -> Option<(usize, Timer)> {
        let Reverse((at, _, _)) = self.heap.peek()?;
        if *at > Instant::now() {
            return None;
        }
        self.heap.pop().map(|Reverse((_, service, timer))| (service, timer))
    }
}
