//! The hardware watchdog, as far as it is decided: when `supervise` is asked for a sign of life,
//! when its answer gives the device more time, and when its silence counts as a hang.
//!
//! Of the timeout, a quarter passes before it is asked, half of it may be silence, and the last
//! quarter is its successor's: a `supervise` that is merely replaced resets no machine. The device
//! is given more time only for an answer, so what cannot be replaced does, and so does a machine
//! on which init itself, or the kernel, hangs.

use wire::link::{NAME_MAX, Name};

use crate::Instant;
use crate::keeper::HUNG_MS;

/// All zero: none is wanted.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Watchdog {
    /// What `supervise` has asked for.
    device: [u8; NAME_MAX],
    asked_ms: u32,
    /// The error that was said of it, so that it is said once.
    complaint: i32,
    /// What the device has made of it; 0: it is not armed.
    timeout_ms: u64,
    /// When it was last given time.
    fed: Instant,
    /// The final phase is given time until then; 0: it has not begun.
    last_until: Instant,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self {
            device: [0; NAME_MAX],
            asked_ms: 0,
            complaint: 0,
            timeout_ms: 0,
            fed: Instant(0),
            last_until: Instant(0),
        }
    }
}

impl Watchdog {
    /// Whether it is armed.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.timeout_ms != 0
    }

    /// How long it waits before it resets the machine, milliseconds.
    #[must_use]
    pub fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    /// The device that was asked for.
    #[must_use]
    pub fn device(&self) -> &[u8] {
        self.device.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// It is armed as asked here already.
    #[must_use]
    pub fn is_as_asked(&self, device: &Name, timeout_ms: u32) -> bool {
        self.is_armed() && self.is_device(device) && self.asked_ms == timeout_ms
    }

    /// This is the device that was asked for before.
    #[must_use]
    pub fn is_device(&self, device: &Name) -> bool {
        self.device() == device.as_bytes()
    }

    /// This is asked for.
    pub fn ask(&mut self, device: &Name, timeout_ms: u32) {
        if !self.is_device(device) {
            self.complaint = 0;
        }
        self.device = [0; NAME_MAX];
        for (to, from) in self.device.iter_mut().zip(device.as_bytes()) {
            *to = *from;
        }
        self.asked_ms = timeout_ms;
    }

    /// It is armed, with this timeout of the device's own.
    pub fn armed(&mut self, now: Instant, timeout_ms: u64) {
        *self = Self { timeout_ms: timeout_ms.max(1), fed: now, complaint: 0, ..*self };
    }

    /// It is not armed any more.
    pub fn disarmed(&mut self) {
        self.timeout_ms = 0;
    }

    /// It cannot be armed. Returns whether to say so.
    pub fn refused(&mut self, error: i32) -> bool {
        let is_news = self.complaint != error;
        self.complaint = error;
        is_news
    }

    /// When `supervise` is to be asked, unless it owes an answer anyway.
    #[must_use]
    pub fn ask_at(&self) -> Option<Instant> {
        self.is_armed().then(|| self.fed.plus_ms(self.every_ms()))
    }

    /// `supervise` has answered. Returns whether to give the device time.
    pub fn answered(&mut self, now: Instant) -> bool {
        let is_due = self.ask_at().is_some_and(|at| at <= now);
        if is_due {
            self.fed = now;
        }
        is_due
    }

    /// How long `supervise` may owe an answer before it counts as hung.
    #[must_use]
    pub fn patience_ms(&self) -> u64 {
        if self.is_armed() { HUNG_MS.min(self.timeout_ms / 2) } else { HUNG_MS }
    }

    /// How often the device is given time, milliseconds.
    #[must_use]
    pub fn every_ms(&self) -> u64 {
        self.timeout_ms / 4
    }

    /// The final phase begins, and must be over after so long. One that begins again (a fatal
    /// signal has interrupted it) has no more time than it had.
    pub fn begin_last(&mut self, now: Instant, limit_ms: u64) -> Instant {
        if self.last_until == Instant(0) {
            self.last_until = now.plus_ms(limit_ms);
        }
        self.last_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn armed(timeout_ms: u64) -> Watchdog {
        let mut watchdog = Watchdog::default();
        watchdog.ask(&name("/dev/watchdog"), 60_000);
        watchdog.armed(Instant(0), timeout_ms);
        watchdog
    }

    #[test]
    fn without_one_nothing_is_asked_and_nothing_is_fed() {
        let mut watchdog = Watchdog::default();
        assert_eq!(watchdog.ask_at(), None);
        assert!(!watchdog.answered(Instant(u64::MAX)));
        assert_eq!(watchdog.patience_ms(), HUNG_MS);
    }

    #[test]
    fn a_supervise_that_is_replaced_in_time_resets_nothing() {
        // Fed, asked, hung: what is left is for the successor.
        for timeout_ms in [1, 2_000, 30_000, 60_000, 600_000] {
            let watchdog = armed(timeout_ms);
            let asked = watchdog.ask_at().unwrap().ms_since(Instant(0));
            let left = timeout_ms - asked - watchdog.patience_ms();
            assert!(left >= timeout_ms / 4, "{timeout_ms}: {left}");
        }
        assert_eq!(armed(60_000).patience_ms(), HUNG_MS, "the usual rule from a minute on");
    }

    #[test]
    fn an_answer_feeds_it_and_more_answers_do_not() {
        let mut watchdog = armed(60_000);
        assert!(!watchdog.answered(Instant(0).plus_ms(14_999)));
        assert!(watchdog.answered(Instant(0).plus_ms(15_000)));
        assert!(!watchdog.answered(Instant(0).plus_ms(15_001)));
        assert_eq!(watchdog.ask_at(), Some(Instant(0).plus_ms(30_000)));
        watchdog.disarmed();
        assert!(!watchdog.answered(Instant(u64::MAX)));
    }

    #[test]
    fn what_is_armed_already_is_known() {
        let watchdog = armed(10_000);
        assert!(watchdog.is_as_asked(&name("/dev/watchdog"), 60_000), "whatever the device does");
        assert!(!watchdog.is_as_asked(&name("/dev/watchdog"), 30_000));
        assert!(!watchdog.is_as_asked(&name("/dev/watchdog0"), 60_000));
        assert_eq!(watchdog.device(), b"/dev/watchdog");
    }

    #[test]
    fn a_refusal_is_said_once() {
        let mut watchdog = Watchdog::default();
        watchdog.ask(&name("/dev/watchdog"), 60_000);
        assert!(watchdog.refused(2));
        watchdog.ask(&name("/dev/watchdog"), 30_000);
        assert!(!watchdog.refused(2));
        assert!(watchdog.refused(16));
        watchdog.ask(&name("/dev/watchdog1"), 30_000);
        assert!(watchdog.refused(16));
    }

    #[test]
    fn a_final_phase_that_begins_again_has_no_more_time() {
        let mut watchdog = armed(60_000);
        let until = watchdog.begin_last(Instant(7), 1000);
        assert_eq!(until, Instant(7).plus_ms(1000));
        assert_eq!(watchdog.begin_last(Instant(5_000_000), 1000), until);
    }

    #[test]
    fn any_bit_pattern_is_one() {
        let mut watchdog = Watchdog {
            device: [255; NAME_MAX],
            asked_ms: u32::MAX,
            complaint: -1,
            timeout_ms: u64::MAX,
            fed: Instant(u64::MAX),
            last_until: Instant(u64::MAX),
        };
        assert_eq!(watchdog.device().len(), NAME_MAX);
        assert!(watchdog.answered(Instant(u64::MAX)));
    }
}
