//! What `supervise` says: one line for each event to standard error, which is init's console
//! first and the catch-all log later.
//!
//! **Invariant:** talking never blocks and never fails: a line that nobody can take is dropped.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The finest events that are told: one of `LEVELS`, by index.
static FINEST: AtomicUsize = AtomicUsize::new(1);
const LEVELS: [Level; 3] = [Level::WARN, Level::INFO, Level::DEBUG];

/// Sets up the subscriber.
pub fn begin() {
    // Only a second call could fail.
    let _ = tracing::subscriber::set_global_default(Lines);
}

/// From now on tells finer events, too, if it is to `debug`; in a container, whose output is its
/// command's, only what is wrong.
pub fn choose(debug: bool, container: bool) {
    let finest = if debug { 2 } else { usize::from(!container) };
    FINEST.store(finest, Ordering::Relaxed);
}

/// `supervise NAME: warning: cannot …`, to standard error. We open no spans.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        let finest = LEVELS.get(FINEST.load(Ordering::Relaxed));
        if finest.is_some_and(|finest| event.metadata().level() > finest) {
            return;
        }
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = match *event.metadata().level() {
            Level::ERROR => "fatal",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG | Level::TRACE => "debug",
        };
        let Parts { service, message } = parts;
        let space = if service.is_empty() { "" } else { " " };
        let line = format!("supervise{space}{service}: {level}: {message}\n");
        // Whatever becomes of it. (`eprintln!` panics when it fails.)
        if takes_a_line() {
            let _ = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A pipe that takes anything takes a line of usual length as a whole. (In a container standard
/// error is somebody else's, and writing to it may wait.)
fn takes_a_line() -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let error = rustix::stdio::stderr();
    let mut fds = [PollFd::from_borrowed_fd(error, PollFlags::OUT)];
    poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
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
