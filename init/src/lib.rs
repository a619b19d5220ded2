//! The pure half of PID 1: all that init knows and decides, without a system call.
//!
//! What it knows is one [`State`]: integers only, so that every bit pattern of it is a state and
//! all zero is the first one. That is what lets it live in shared memory and outlive the program:
//! after a fatal signal init executes itself again and goes on from it. What it decides is
//! [`State::step`]. The program around it is `src/pid1`.
//!
//! Invariant: nothing here allocates, and nothing here can panic (shown from the symbols of the
//! linked program by `tests/init_binary.rs`).

#![no_std]
#![forbid(unsafe_code)]

pub mod args;
pub mod held;
pub mod keeper;
pub mod line;
pub mod mounts;
pub mod process;
pub mod rescue;
pub mod ring;
pub mod shutdown;
pub mod signals;
pub mod state;
pub mod time;
pub mod watchdog;

pub use state::{Action, Event, State};
pub use time::Instant;
