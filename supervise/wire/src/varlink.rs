//! The control protocol: Varlink over a unix stream socket, as `org.cooper.Services.varlink`
//! beside this file describes it, in serde types.
//!
//! It is *not* a client or a server, opens no socket, and does not choose a JSON library.
//! **Invariant:** everything here has its counterpart in the two IDL texts; the tests of this
//! module compare them name by name.

mod call;
mod error;
mod frames;
mod service;

pub use call::{
    ApplyParameters, ApplyReply, BootTraceReply, Call, DescriptionParameters, DescriptionReply,
    ExplainParameters, ExplainReply, InfoReply, ListReply, Method, Nothing, PlanParameters,
    PlanReply, ReloadParameters, Reply, RestartParameters, ShutdownParameters, SignalParameters,
    StartParameters, StatusParameters, StopParameters, WatchParameters,
};
pub use error::Error;
pub use frames::{Frames, TooLong};
pub use service::{
    Change, End, EndCause, Ending, Goal, Kind, Link, Order, Reaction, Service, State, Steps, Trace,
};

/// The interface that this is all about.
pub const INTERFACE: &str = "org.cooper.Services";
/// Its description, word for word what `GetInterfaceDescription` answers.
pub const DESCRIPTION: &str = include_str!("org.cooper.Services.varlink");
/// The interface that every Varlink service has.
pub const SERVICE_INTERFACE: &str = "org.varlink.service";
/// Its description.
pub const SERVICE_DESCRIPTION: &str = include_str!("org.varlink.service.varlink");
/// A call longer than this ends its connection: the longest list of names fits many times over.
pub const CALL_MAX: usize = 64 * 1024;
/// A reply longer than this is not believed; 10,000 services take about 4 MiB.
pub const REPLY_MAX: usize = 16 * 1024 * 1024;
/// Crash-looping is a presentation: so many ends in a row.
pub const CRASH_LOOPING_FAILURES: u32 = 3;

#[cfg(test)]
mod tests;
