//! A lock: who must finish something first.

use serde::{Deserialize, Serialize};

/// Longer names and reasons are refused.
const TEXT_MAX: usize = 256;
/// What logind knows locks for. Only a shutdown is ever announced here.
const WHATS: [&str; 9] = [
    "shutdown",
    "sleep",
    "idle",
    "handle-power-key",
    "handle-suspend-key",
    "handle-hibernate-key",
    "handle-reboot-key",
    "handle-lid-switch",
    "handle-secure-attention-key",
];

/// Which lock.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct LockId(pub u32);

/// Somebody who wants to finish something first (logind says "inhibitor").
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lock {
    /// Which one.
    pub id: LockId,
    /// What it delays: `shutdown`, or several things with colons between them.
    pub what: String,
    /// Who holds it, in its own words.
    pub who: String,
    /// And what for.
    pub why: String,
    /// The process that took it; 0: one that we do not see.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// When it was taken; microseconds, CLOCK_MONOTONIC.
    pub since_us: u64,
}

/// Why a lock is not given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It is not understood.
    Invalid(&'static str),
    /// It is of a kind that is not given here.
    Unsupported(&'static str),
}

impl Lock {
    /// Looks at what somebody asks for.
    ///
    /// # Errors
    /// When it is not to be had.
    pub fn check(what: &str, who: &str, why: &str, mode: &str) -> Result<(), Refusal> {
        if !what.split(':').all(|what| WHATS.contains(&what)) {
            return Err(Refusal::Invalid("nothing that can be delayed"));
        }
        if who.is_empty() || [what, who, why].iter().any(|text| text.len() > TEXT_MAX) {
            return Err(Refusal::Invalid("a name or reason that is empty or too long"));
        }
        match mode {
            "delay" => Ok(()),
            "block" | "block-weak" => Err(Refusal::Unsupported(
                "a shutdown is never refused here; mode `delay` is all there is",
            )),
            _ => Err(Refusal::Invalid("a mode that is none")),
        }
    }

    /// A shutdown waits for it.
    #[must_use]
    pub fn delays_shutdown(&self) -> bool {
        self.what.split(':').any(|what| what == "shutdown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_delayed_is() {
        let ok = |what, who, why, mode| Lock::check(what, who, why, mode).is_ok();
        assert!(ok("shutdown", "kubelet", "", "delay") && ok("sleep:shutdown", "a", "b", "delay"));
        assert!(!ok("", "a", "b", "delay") && !ok("shutdown:", "a", "b", "delay"));
        assert!(!ok("shutdown", "", "b", "delay") && !ok("shutdown", "a", "b", "sometimes"));
        assert!(!ok("shutdown", "a", &"b".repeat(257), "delay"));
        let refused = Lock::check("shutdown", "a", "b", "block");
        assert!(matches!(refused, Err(Refusal::Unsupported(_))));
    }
}
