//! The tree as a container's entrypoint: our real programs, in namespaces of the test's own, and
//! in containers of real runc, crun and containerd.

#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod containerd;
mod ending;
mod engine;
mod health;
#[cfg(feature = "static")]
mod image;
mod namespace;
mod services;
mod signals;
