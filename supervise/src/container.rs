//! A container's tree: what differs when everything is there for one command, or when whoever
//! looks at the output is an engine that keeps it.
//!
//! The main service is called `main`. It has the container's standard input and terminal, signals
//! to init are for it, and its end is the end.

use graph::ServiceId;
use tracing::warn;
use unit::Exit;
use wire::link::{Request, ending};
use wire::rewrite::{GROUP, Rewrites, VARIABLE};

use crate::shell::Shell;

/// The main service's name.
pub const MAIN: &str = "main";
/// Set by whoever made the graph for a container that has no command.
pub const CONTAINER: &str = "COOPER_CONTAINER";

/// The graph that was made.
pub const GRAPH: &str = "COOPER_GRAPH";

/// SIGTERM, where a stop signal is to be the one that came, and none did.
const TERMINATE: u8 = 15;
/// What shells add to the number of the signal that ended a program.
const SIGNALLED: u8 = 128;

/// What signals become on their way to the main service.
#[derive(Debug, Default)]
pub struct Signals {
    rewrites: Rewrites,
    /// They go to its process group.
    group: bool,
}

/// The variables that services have, too: all but those that are the tree's own.
pub fn inherited() -> Vec<(String, String)> {
    let own = [CONTAINER, GRAPH];
    // What is no text cannot be in a definition either.
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, _)| !own.contains(&name.as_str())).collect()
}

impl Signals {
    /// As the environment says.
    pub fn find() -> Self {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        let rewrites = Rewrites::parse(&text).unwrap_or_else(|rule| {
            warn!("{VARIABLE}: `{rule}` is no rule like TERM:QUIT: signals are not rewritten");
            Rewrites::default()
        });
        Self { rewrites, group: std::env::var(GROUP).is_ok_and(|value| value == "1") }
    }
}

impl Shell<'_> {
    /// The service that the tree is there for.
    pub fn main_service(&self) -> Option<ServiceId> {
        self.view.find(MAIN).filter(|_| self.world.places.has_main)
    }

    /// A signal came to init that is the main service's affair.
    pub fn hear_forwarded(&mut self, signal: u8) {
        let Some(signal) = self.world.signals.rewrites.of(signal) else { return };
        match ending(signal) {
            Some(request) if self.world.live.shutdown.is_none() => {
                self.begin_shutdown_by(request, signal);
            }
            // Whoever signals twice means the one that still runs.
            _ => self.forward(signal),
        }
    }

    fn begin_shutdown_by(&mut self, request: Request, signal: u8) {
        // Until its main service says better, it ended as if the signal had done it.
        self.begin_shutdown(request, signal.saturating_add(SIGNALLED), signal);
    }

    /// Sends a signal to the main service: to its process, or to the process group that it leads.
    pub fn forward(&self, signal: u8) {
        let Some(id) = self.main_service() else { return };
        let Some(pid) = self.main(id) else { return };
        if self.world.signals.group {
            self.send_group(id, pid, signal);
        } else {
            self.send(id, pid, signal);
        }
    }

    /// What a stop sends: the signal that began the shutdown, where the definition has none.
    pub fn stop_signal(&self, defined: u8) -> u8 {
        if defined != 0 {
            return defined;
        }
        let came = self.world.live.shutdown.map_or(0, |shutdown| shutdown.signal);
        if came == 0 { TERMINATE } else { came }
    }

    /// In a shutdown that a signal began, the main service's end decides the exit status.
    pub fn note_end_of_main(&mut self, id: ServiceId, exit: Option<Exit>) {
        let Some(shutdown) = &mut self.world.live.shutdown else { return };
        let (Some(exit), true) = (exit, shutdown.signal != 0) else { return };
        if self.view.find(MAIN) == Some(id) && self.world.places.has_main {
            shutdown.exit_status = status_of(exit);
            self.table.write_live(&self.world.live);
        }
    }
}

/// As shells say it.
pub fn status_of(exit: Exit) -> u8 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => signal.saturating_add(SIGNALLED),
        Exit::Lost => 1,
    }
}
