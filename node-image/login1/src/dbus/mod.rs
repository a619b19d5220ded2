//! D-Bus, version 1, as much of it as a private connection needs: the handshake, messages, and
//! match rules.
//!
//! It is *not* a bus: nothing is routed. **Invariant:** pure, total over any bytes, and bounded:
//! nothing here allocates more than it was given.

mod auth;
mod message;
mod read;
mod rule;
mod write;

pub use auth::{Auth, LINE_MAX, Step};
pub use message::{Header, Kind, MESSAGE_MAX, Message, length};
pub use read::Reader;
pub use rule::{Rule, Signal};
pub use write::Writer;

/// Bytes that are no D-Bus; with what is wrong with them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);
