//! What this node is about, from the state table: whether it shuts down.

use std::fs;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use wire::link::Request;
use wire::paths;
use wire::state::{Live, Shutdown, Table};

use crate::Error;

/// A record is being written for less time than it takes to read it so often.
const TRIES: usize = 1000;

/// The shutdown that is under way, if one is.
///
/// # Errors
/// When the state table cannot be read.
pub fn shutdown(run: &Path) -> Result<Option<Shutdown>, Error> {
    let path = run.join(paths::STATE);
    for _ in 0..TRIES {
        let bytes = fs::read(&path).map_err(|error| Error::path("read", &path, error))?;
        let table = Table::open(&*bytes).map_err(|error| Error::path("read", &path, error))?;
        if let Some(Live { shutdown, .. }) = table.live() {
            return Ok(shutdown);
        }
        // On a single processor the writer may need our turn to go on.
        std::thread::yield_now();
    }
    Err(Error::path("read", &path, "it is always being written"))
}

/// How a shutdown ends, as `svc` calls it.
#[must_use]
pub const fn ending(request: Request) -> &'static str {
    match request {
        Request::Poweroff => "poweroff",
        Request::Reboot => "reboot",
        Request::Halt => "halt",
        Request::Kexec => "kexec",
        Request::Exit => "exit",
        Request::Reload => "reload",
    }
}

/// Microseconds, CLOCK_MONOTONIC, as the state table counts them.
#[must_use]
pub fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000_000);
    seconds.saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0) / 1000)
}
