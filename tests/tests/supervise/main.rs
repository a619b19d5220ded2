//! The tree as it is: real init, real `supervise`, real processes, a graph compiled from text.

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
mod client;
mod control;
mod crash;
mod notify;
mod ready;
mod restart;
mod shutdown;
mod start;
mod stop;
mod tree;
