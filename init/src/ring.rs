//! What init has to tell `supervise` and must not lose: a fixed ring of numbered messages, each
//! kept until it is acknowledged.
//!
//! The message with number `n` sits in slot `n % CAPACITY`, so the ring needs no head and no
//! length: the kept ones are those after [`Ring::acked`], and at most the last `CAPACITY`. When
//! it overflows the oldest exit is lost, and the next `Hello` says so; a request never is.

use wire::link::{FromInit, Request};

/// So many messages are kept: more than one for each service of a big node.
pub const CAPACITY: usize = 2048;

/// A request that `supervise` has been sent and has not acknowledged is sent again when it comes
/// again, but not more often than this: whoever signals in a loop must not push exits out.
const REPEATS_MAX: usize = 8;

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exit {
    /// Its process id.
    pub pid: u32,
    /// The kernel's wait status.
    pub status: i32,
    /// User and system time, microseconds.
    pub cpu_us: u64,
    /// Peak resident memory, KiB.
    pub maxrss_kib: u64,
}

/// The ring. All zero: empty.
#[derive(Debug)]
#[repr(C)]
pub struct Ring {
    slots: [Slot; CAPACITY],
    /// Number of the newest message.
    last: u64,
    /// Up to this number, the present `supervise` has been sent everything.
    sent: u64,
    /// Up to this number, everything has been dealt with.
    acked: u64,
    /// The highest number that fell out unacknowledged.
    lost: u64,
}

/// One message. `kind` is 0 for an exit, `PING`, `FORWARD`, or a request's number.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Slot {
    cpu_us: u64,
    maxrss_kib: u64,
    pid: u32,
    status: i32,
    kind: u64,
}

const EXIT: u64 = 0;
const PING: u64 = 0x100;
/// A signal for the main service; its number is in `status`.
const FORWARD: u64 = 0x101;

impl Slot {
    const EMPTY: Self = Self { cpu_us: 0, maxrss_kib: 0, pid: 0, status: 0, kind: EXIT };

    fn request(self) -> Option<Request> {
        let kind = u8::try_from(self.kind).ok()?;
        Request::from_byte(kind)
    }

    /// Whether it must not fall out.
    fn is_kept(self) -> bool {
        self.kind == FORWARD || self.request().is_some()
    }

    fn is_same(self, other: Self) -> bool {
        (self.kind, self.status) == (other.kind, other.status)
    }
}

impl Ring {
    /// An empty ring, for tests; the program's own begins as zeroed memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: [Slot::EMPTY; CAPACITY], last: 0, sent: 0, acked: 0, lost: 0 }
    }

    /// Keeps an exit.
    pub fn push_exit(&mut self, exit: Exit) {
        let Exit { pid, status, cpu_us, maxrss_kib } = exit;
        self.push(Slot { cpu_us, maxrss_kib, pid, status, kind: EXIT });
    }

    /// Keeps a request; returns the number whose acknowledgement means that it was taken.
    pub fn push_request(&mut self, request: Request) -> u64 {
        self.push_kept(Slot { kind: u64::from(request.byte()), ..Slot::EMPTY })
    }

    /// The same for a signal that the main service may get.
    pub fn push_forward(&mut self, signal: u8) -> u64 {
        self.push_kept(Slot { kind: FORWARD, status: i32::from(signal), ..Slot::EMPTY })
    }

    fn push_kept(&mut self, slot: Slot) -> u64 {
        let mut waiting = 0_usize;
        for number in self.kept() {
            if self.slot(number).is_same(slot) {
                waiting = waiting.saturating_add(1);
                if number > self.sent || waiting >= REPEATS_MAX {
                    return number;
                }
            }
        }
        self.push(slot);
        self.last
    }

    /// Asks for a sign of life, unless something is waiting to be acknowledged already.
    pub fn push_ping(&mut self) {
        if self.is_empty() {
            self.push(Slot { kind: PING, ..Slot::EMPTY });
        }
    }

    /// Whether there is nothing that was not acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept().is_empty()
    }

    /// There is a new `supervise`: it has been sent nothing.
    pub fn reconnect(&mut self) {
        self.sent = self.acked;
    }

    /// The next message to send, if there is one. Call [`Ring::mark_sent`] once it is sent.
    #[must_use]
    pub fn unsent(&self) -> Option<FromInit> {
        let seq = self.sent.max(self.floor()).saturating_add(1);
        if seq > self.last {
            return None;
        }
        let slot = self.slot(seq);
        Some(match (slot.kind, slot.request()) {
            (PING, _) => FromInit::Ping { seq },
            (FORWARD, _) => {
                FromInit::Forwarded { seq, signal: u8::try_from(slot.status).unwrap_or(0) }
            }
            (_, Some(request)) => FromInit::Signalled { seq, request },
            (_, None) => FromInit::Exited {
                seq,
                pid: slot.pid,
                status: slot.status,
                cpu_us: slot.cpu_us,
                maxrss_kib: slot.maxrss_kib,
            },
        })
    }

    /// What [`Ring::unsent`] returned is on its way.
    pub fn mark_sent(&mut self) {
        self.sent = self.sent.max(self.floor()).saturating_add(1).min(self.last);
    }

    /// Everything up to `seq` has been dealt with. Whether that was news: a number that was never
    /// sent, or has been acknowledged before, is none.
    pub fn ack(&mut self, seq: u64) -> bool {
        let news = seq > self.acked && seq <= self.sent;
        if news {
            self.acked = seq;
        }
        news
    }

    /// Exits are missing that were never in here.
    pub fn lose(&mut self) {
        self.push(Slot { kind: PING, ..Slot::EMPTY });
        self.lost = self.last;
    }

    /// Up to this number, everything has been dealt with.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Whether something has been sent and not acknowledged.
    #[must_use]
    pub fn is_outstanding(&self) -> bool {
        self.sent > self.acked
    }

    /// Whether exits have been lost that no `supervise` has made up for yet.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.lost > self.acked
    }

    /// The number before the oldest one kept.
    fn floor(&self) -> u64 {
        self.acked.max(self.last.saturating_sub(CAPACITY_U64))
    }

    fn kept(&self) -> core::ops::Range<u64> {
        self.floor().saturating_add(1)..self.last.saturating_add(1)
    }

    fn slot(&self, number: u64) -> Slot {
        self.slots.get(index(number)).copied().unwrap_or(Slot::EMPTY)
    }

    /// Puts a message in. A request that falls out goes in again under a new number; there are
    /// few of them among `CAPACITY` messages, so this ends.
    fn push(&mut self, slot: Slot) {
        let mut incoming = slot;
        for _ in 0..CAPACITY {
            let number = self.last.saturating_add(1);
            let Some(place) = self.slots.get_mut(index(number)) else { return };
            let old = core::mem::replace(place, incoming);
            let fallen = number.checked_sub(CAPACITY_U64).filter(|fallen| *fallen > self.acked);
            // The slot is whole before the number makes it visible: a fatal signal between the
            // two loses nothing but the message itself, which was not yet reaped.
            self.last = number;
            let Some(fallen) = fallen else { return };
            if !old.is_kept() {
                self.lost = fallen;
                return;
            }
            incoming = old;
        }
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

const CAPACITY_U64: u64 = 2048;
const _: () = assert!(CAPACITY.is_power_of_two() && CAPACITY == 2048);

fn index(number: u64) -> usize {
    usize::try_from(number % CAPACITY_U64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(pid: u32) -> Exit {
        Exit { pid, status: 0, cpu_us: 0, maxrss_kib: 0 }
    }

    /// Sends all there is; returns the pids of exits and the requests in between.
    fn send_all(ring: &mut Ring, mut seen: impl FnMut(FromInit)) {
        while let Some(message) = ring.unsent() {
            seen(message);
            ring.mark_sent();
        }
    }

    fn count(ring: &mut Ring) -> usize {
        let mut count = 0_usize;
        send_all(ring, |_| count = count.saturating_add(1));
        count
    }

    #[test]
    fn each_exit_is_sent_once_and_in_order() {
        let mut ring = Ring::new();
        for pid in 1..=100 {
            ring.push_exit(exit(pid));
        }
        let mut next = 1;
        send_all(&mut ring, |message| {
            let FromInit::Exited { seq, pid, .. } = message else { panic!("{message:?}") };
            assert_eq!((seq, pid), (u64::from(next), next));
            next += 1;
        });
        assert_eq!(next, 101);
        assert_eq!(ring.unsent(), None);
    }

    #[test]
    fn a_new_supervise_is_sent_what_the_last_one_did_not_acknowledge() {
        let mut ring = Ring::new();
        for pid in 1..=10 {
            ring.push_exit(exit(pid));
        }
        assert_eq!(count(&mut ring), 10);
        assert!(ring.ack(4));
        ring.reconnect();
        assert!(matches!(ring.unsent(), Some(FromInit::Exited { seq: 5, pid: 5, .. })));
        assert_eq!(count(&mut ring), 6);
        assert!(ring.ack(10));
        ring.reconnect();
        assert_eq!(ring.unsent(), None);
        assert!(!ring.is_outstanding());
    }

    #[test]
    fn an_acknowledgement_of_what_was_not_sent_is_no_news() {
        let mut ring = Ring::new();
        ring.push_exit(exit(1));
        assert!(!ring.ack(1));
        assert!(!ring.ack(u64::MAX));
        assert_eq!(count(&mut ring), 1);
        assert!(ring.ack(1));
        assert!(!ring.ack(1));
        assert!(!ring.ack(0));
    }

    #[test]
    fn overflow_loses_the_oldest_and_says_so_until_made_up_for() {
        let mut ring = Ring::new();
        let all = u32::try_from(CAPACITY).unwrap() + 5;
        for pid in 1..=all {
            assert_eq!(ring.has_lost(), pid > u32::try_from(CAPACITY).unwrap() + 1);
            ring.push_exit(exit(pid));
        }
        assert!(matches!(ring.unsent(), Some(FromInit::Exited { seq: 6, pid: 6, .. })));
        assert_eq!(count(&mut ring), CAPACITY);
        assert!(ring.has_lost());
        assert!(ring.ack(u64::from(all)));
        assert!(!ring.has_lost());
    }

    #[test]
    fn requests_never_fall_out() {
        let mut ring = Ring::new();
        ring.push_request(Request::Poweroff);
        for pid in 0..u32::try_from(3 * CAPACITY).unwrap() {
            ring.push_exit(exit(pid));
        }
        let mut requests = 0;
        send_all(&mut ring, |message| {
            if let FromInit::Signalled { request: Request::Poweroff, .. } = message {
                requests += 1;
            }
        });
        assert_eq!(requests, 1);
    }

    #[test]
    fn a_request_that_was_not_sent_yet_is_not_repeated() {
        let mut ring = Ring::new();
        let first = ring.push_request(Request::Reload);
        assert_eq!(ring.push_request(Request::Reload), first);
        assert_eq!(count(&mut ring), 1);
        // It may have been acted upon by now: this one asks for more.
        assert_ne!(ring.push_request(Request::Reload), first);
        assert_eq!(count(&mut ring), 1);
    }

    #[test]
    fn signals_are_repeated_each_by_its_number() {
        let mut ring = Ring::new();
        let hangup = ring.push_forward(1);
        assert_eq!(ring.push_forward(1), hangup, "not sent yet: one is enough");
        assert_ne!(ring.push_forward(15), hangup);
        for pid in 0..u32::try_from(3 * CAPACITY).unwrap() {
            ring.push_exit(exit(pid));
        }
        let mut signals = [0; 2];
        send_all(&mut ring, |message| {
            if let FromInit::Forwarded { signal, .. } = message {
                signals = [signals[1], signal];
            }
        });
        assert_eq!(signals, [1, 15]);
    }

    #[test]
    fn a_flood_of_requests_pushes_nothing_out() {
        let mut ring = Ring::new();
        ring.push_exit(exit(7));
        for _ in 0..3 * CAPACITY {
            ring.push_request(Request::Reload);
            count(&mut ring);
        }
        ring.reconnect();
        assert_eq!(count(&mut ring), 1 + REPEATS_MAX);
        assert!(!ring.has_lost());
    }

    #[test]
    fn a_ping_is_sent_only_if_nothing_else_waits() {
        let mut ring = Ring::new();
        ring.push_ping();
        ring.push_ping();
        assert_eq!(ring.unsent(), Some(FromInit::Ping { seq: 1 }));
        assert_eq!(count(&mut ring), 1);
        assert!(ring.ack(1));
        ring.push_exit(exit(1));
        ring.push_ping();
        assert_eq!(count(&mut ring), 1);
    }

    #[test]
    fn what_was_lost_elsewhere_is_lost_until_made_up_for() {
        let mut ring = Ring::new();
        ring.lose();
        assert!(ring.has_lost());
        assert_eq!(count(&mut ring), 1);
        assert!(ring.ack(1));
        assert!(!ring.has_lost());
    }

    #[test]
    fn messages_that_fall_out_while_sent_do_not_block_the_rest() {
        let mut ring = Ring::new();
        ring.push_exit(exit(1));
        assert_eq!(count(&mut ring), 1);
        for pid in 2..u32::try_from(CAPACITY).unwrap() + 100 {
            ring.push_exit(exit(pid));
        }
        assert_eq!(count(&mut ring), CAPACITY);
    }
}
