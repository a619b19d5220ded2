//! The texts that come with Cooper.
//!
//! Written by `UPDATE=1 cargo test -p facts --test built_in` from what is in the directories.

/// `node-image/profiles`: name and text.
pub(super) const PROFILES: &[(&str, &str)] = &[];

/// `node-image/hardware`: name and text.
pub(super) const HARDWARE: &[(&str, &str)] = &[];
