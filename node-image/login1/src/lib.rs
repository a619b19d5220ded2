//! The part of logind that kubelet's graceful node shutdown needs, without a bus: whoever must
//! finish something before the node goes down holds a lock, and is told when that is.
//!
//! It orders no shutdown and knows no pod. The daemon gives locks out and tells their holders;
//! whoever stops the node (`login1 prepare-for-shutdown`) waits for the locks, which are FIFOs in
//! the file system: held as long as anyone has the writing end open.
//!
//! **Invariant:** who holds a lock is the kernel's word, never a process's memory: the daemon may
//! be killed at any instruction, and no lock is lost, forgotten or held for ever.

#![forbid(unsafe_code)]

pub mod daemon;
pub mod dbus;
mod error;
pub mod lock;
pub mod manager;
pub mod node;
pub mod prepare;
pub mod record;
pub mod store;
mod talk;

pub use error::Error;
