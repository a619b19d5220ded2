//! What `node-image` does, a file for each verb.

mod apk;
pub mod boot;
pub mod build;
mod files;
pub mod inspect;
pub mod list;
pub mod needs;
pub mod pack;

/// What an error of the output says.
pub const STDOUT_FAILED: &str = "cannot write to standard output";
