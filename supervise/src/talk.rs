//! What `supervise` says: one line for each event to standard error, which is init's console
//! first and the catch-all log later.
//!
//! **Invariant:** talking never blocks and never fails: a line that nobody can take is dropped.

use std::fmt::{self, Write as _};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Finer events are told, too.
static DEBUG: AtomicBool = AtomicBool::new(false);

/// Sets up the subscriber.
pub fn begin() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .event_format(Line)
        .with_writer(|| Stderr)
        .finish();
    // Only a second call could fail.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// From now on tells finer events, too.
pub fn debug() {
    DEBUG.store(true, Ordering::Relaxed);
}

/// `supervise NAME: warning: cannot …`.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if *event.metadata().level() > Level::INFO && !DEBUG.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = match *event.metadata().level() {
            Level::ERROR => "fatal",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        to.write_str("supervise")?;
        if !parts.service.is_empty() {
            write!(to, " {}", parts.service)?;
        }
        writeln!(to, ": {level}: {}", parts.message)
    }
}

/// The fields that our events have.
#[derive(Default)]
struct Parts {
    service: String,
    message: String,
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "service" {
            value.clone_into(&mut self.service);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        }
    }
}

/// Standard error, whatever becomes of what is written to it. (`eprintln!` panics when it fails.)
struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = rustix::io::write(rustix::stdio::stderr(), bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
