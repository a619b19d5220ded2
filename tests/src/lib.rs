//! Tests that cross rooms: what they share.

#![forbid(unsafe_code)]
