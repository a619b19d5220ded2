//! The preflight: looks at a machine, and judges it by the table of its profiles.
//!
//! The table says what is wanted, why, how bad it is if not, and what to do; this crate says what
//! is so. It changes nothing, and it is not set-up: for whatever that sees to it asks the same code
//! that set-up works with, so that the two never differ.
//!
//! **Invariant:** each entry of the table has exactly one finding, and no finding is without an
//! entry: nobody is told of a fault without its reason, its cure and who wants it.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        reason = "a test may fail loudly"
    )
)]

mod check;
mod cri;
mod finding;
mod report;
mod system;
mod tables;

pub use check::ids;
pub use finding::{Finding, Status};
pub use report::{Report, Summary, Wanted, examine, recognise};
pub use system::System;
