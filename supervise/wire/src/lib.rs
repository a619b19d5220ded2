//! What our processes say to each other, to the byte: the link between init and `supervise`, the
//! state table that everyone reads, and (feature `varlink`) the control protocol's types.
//!
//! It opens nothing and waits for nothing. The link and the table need no heap, so that init can
//! use them.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "varlink")]
extern crate alloc;

#[cfg(all(feature = "state", feature = "varlink"))]
pub mod describe;
pub mod link;
pub mod paths;
#[cfg(all(feature = "state", feature = "varlink"))]
pub mod rewrite;
#[cfg(feature = "state")]
pub mod state;
#[cfg(feature = "varlink")]
pub mod varlink;
