//! Real processes, looked at through /proc. Most need root, as `supervise` has it on a node.

mod attributes;
mod basics;
mod errors;
mod files;
mod kin;
mod mounts;
mod terminals;
mod waiting;
