//! Log files: how they are named, cut into lines, rotated and read.
//!
//! The pure half of `cooper-log` (which adds the loop, the FIFOs and the disk), and the whole of
//! reading, for `svc logs`. It is *not* told anything by `supervise`: a log is a directory.
//!
//! **Invariant:** a log file is only ever appended to, whole lines at a time, and a rotated file
//! never changes again.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::unwrap_used
    )
)]

mod cut;
mod lost;
pub mod names;
mod record;
mod rotate;
mod stamp;

pub mod read;

pub use cut::{Cut, LINE_MAX, Rate, Rules, Stop, WRITTEN_MAX, cut};
pub use lost::{Lost, loss_line};
pub use record::Record;
pub use rotate::{Limits, Past};
pub use stamp::Stamp;
