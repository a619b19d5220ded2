//! `[watchdog]` of `node.toml`.

use graph::Watchdog;

use crate::{reader::Typed, report::Findings};

/// No shorter: a `supervise` that hangs is replaced after three quarters of it, and what is left
/// must be enough for its successor to come up on a machine that is short of everything.
const TIMEOUT_MIN_MS: u32 = 30_000;
/// The longest path that the link to init has room for.
const DEVICE_MAX: usize = 48;

/// What init is to arm.
pub(crate) fn read(read: Typed<'_>, findings: &mut Findings) -> Option<Watchdog> {
    let at = |path| read.fields.value_at(path);
    let device = read.text("watchdog.device");
    if let Some(at) = at("watchdog.device") {
        if device.len() > DEVICE_MAX || !device.bytes().all(|byte| byte.is_ascii_graphic()) {
            let help = format!("name it by at most {DEVICE_MAX} printable characters of ASCII");
            findings.error(at, "`watchdog.device`: no device has such a name", help);
        } else if !read.fields.has("watchdog.timeout") {
            let help = "say after how long it resets the machine: `timeout = \"60s\"`";
            findings.warning(at, "the watchdog is not armed: it has no `timeout`", help);
        }
    }
    let timeout_ms = read.millis("watchdog.timeout");
    if let Some(at) = at("watchdog.timeout").filter(|_| (1..TIMEOUT_MIN_MS).contains(&timeout_ms)) {
        findings.error(
            at,
            "`watchdog.timeout`: too short to replace a `supervise` that hangs",
            "write \"30s\" or more; half of it may be silence before it is replaced",
        );
    }
    (timeout_ms > 0).then_some(Watchdog { device, timeout_ms })
}
