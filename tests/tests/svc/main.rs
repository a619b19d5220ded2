//! The command line and `varlinkctl`, against a tree of real processes.

#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may fail loudly"
)]

mod apply;
#[allow(dead_code, reason = "shared with the tests of supervise")]
#[path = "../supervise/client.rs"]
mod client;
mod doctor;
mod graceful;
mod openrc;
mod orders;
mod program;
mod status;
#[allow(dead_code, reason = "shared with the tests of supervise")]
#[path = "../supervise/tree.rs"]
mod tree;
mod varlinkctl;
