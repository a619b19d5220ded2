//! The end, as far as it is agreed upon: what was asked of `supervise`, and by when init acts
//! without it.

use wire::link::{Request, Role};

use crate::Instant;

/// A `supervise` that serves takes a request within milliseconds; one that was just killed is
/// back within [`crate::keeper::DELAY_MAX_MS`]. After this, init acts alone.
pub const TAKE_MS: u64 = 10_000;
/// When init acts alone, nobody has stopped the services in order: they get this long.
pub const ALONE_GRACE_MS: u32 = 10_000;
/// So many Ctrl-Alt-Del ...
pub const INSIST_TIMES: u32 = 7;
/// ... within this time mean: at once.
pub const INSIST_MS: u64 = 2_000;
/// The exit status when only `supervise` knew a better one: as if SIGTERM had ended us.
pub const ALONE_STATUS: u8 = 143;

/// How everything ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ending {
    /// What is done when nothing is left.
    pub request: Request,
    /// For a container or a subtree.
    pub exit_status: u8,
    /// Time between SIGTERM and SIGKILL.
    pub grace_ms: u32,
}

/// All zero: no end in sight. Requests are kept by number, 0 for none, for the sake of
/// [`crate::State`]'s bit patterns.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Shutdown {
    /// Asked of `supervise`, not taken yet.
    asked: u8,
    /// Agreed: the end comes at `by`, if not earlier.
    agreed: u8,
    /// Begun: the final phase.
    begun: u8,
    exit_status: u8,
    grace_ms: u32,
    /// What must be acknowledged for `asked` to be taken.
    asked_seq: u64,
    take_by: Instant,
    by: Instant,
    /// Ctrl-Alt-Del, and when the first of the present series came.
    insisted: u32,
    unused: u32,
    insisting_since: Instant,
}

impl Shutdown {
    /// `supervise` is asked, with the message of this number.
    pub fn ask(&mut self, now: Instant, request: Request, seq: u64) {
        if request == Request::Reload {
            return;
        }
        if Request::from_byte(self.asked).is_none() {
            self.take_by = now.plus_ms(TAKE_MS);
        }
        self.asked = request.byte();
        self.asked_seq = seq;
    }

    /// `supervise` has dealt with everything up to this number.
    pub fn acked(&mut self, seq: u64) {
        if seq >= self.asked_seq {
            self.asked = 0;
        }
    }

    /// `supervise` has begun to shut down. What ends, the last word decides; when, the earliest:
    /// a `supervise` that is replaced on the way must not put the end off each time.
    pub fn agree(&mut self, now: Instant, request: Request, after_ms: u32) {
        let by = now.plus_ms(u64::from(after_ms));
        let is_first = Request::from_byte(self.agreed).is_none();
        self.by = if is_first { by } else { self.by.min(by) };
        self.agreed = request.byte();
    }

    /// Ctrl-Alt-Del: whether whoever presses it means it.
    pub fn insists(&mut self, now: Instant, role: Role) -> bool {
        if now.ms_since(self.insisting_since) > INSIST_MS {
            self.insisting_since = now;
            self.insisted = 0;
        }
        self.insisted = self.insisted.saturating_add(1);
        role == Role::Machine && self.insisted >= INSIST_TIMES
    }

    /// The final phase begins: remembered, should a fatal signal interrupt it.
    pub fn begin(&mut self, ending: Ending) {
        self.exit_status = ending.exit_status;
        self.grace_ms = ending.grace_ms;
        self.begun = ending.request.byte();
    }

    /// The final phase that has begun.
    #[must_use]
    pub fn begun(&self) -> Option<Ending> {
        let request = Request::from_byte(self.begun)?;
        Some(Ending { request, exit_status: self.exit_status, grace_ms: self.grace_ms })
    }

    /// When init acts alone.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let asked = Request::from_byte(self.asked).map(|_| self.take_by);
        let agreed = Request::from_byte(self.agreed).map(|_| self.by);
        match (asked, agreed) {
            (Some(asked), Some(agreed)) => Some(asked.min(agreed)),
            (one, other) => one.or(other),
        }
    }

    /// What init does then.
    #[must_use]
    pub fn alone(&self) -> Option<Ending> {
        let request = Request::from_byte(self.agreed).or(Request::from_byte(self.asked))?;
        Some(Self::now(request))
    }

    /// An end that nobody prepared.
    #[must_use]
    pub fn now(request: Request) -> Ending {
        Ending { request, exit_status: ALONE_STATUS, grace_ms: ALONE_GRACE_MS }
    }
}
