//! init, as a real process: PID 1 of a namespace, or the head of a subtree. What needs a machine
//! (mounts, reboot) is in the virtual machine's test.

#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test may fail loudly"
)]

mod binary;
mod end;
mod held;
mod reaping;
mod survival;
mod tree;
