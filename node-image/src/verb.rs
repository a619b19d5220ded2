//! What `node-image` does, a file for each verb.

pub mod boot;
pub mod build;
mod files;
pub mod inspect;
pub mod list;
pub mod pack;
