//! The fence: every system call that needs `unsafe`, behind functions that cannot be misused.
//!
//! It is *not* a policy: it knows no unit, no order and no clock of its own, it says nothing to
//! anyone, and it starts no thread. One module for each concern; whoever needs a call that rustix
//! already wraps safely calls rustix.
//!
//! **Invariants:** each descriptor is typed, close-on-exec and closed by its owner; EINTR is
//! retried here, once and for all; between a clone and its exec there is no allocation, no lock
//! and no panic.

pub mod cgroup;
pub mod clock;
pub mod environment_file;
pub mod fifo;
pub mod file;
pub mod inherit;
pub mod inotify;
pub mod map;
pub mod message;
pub mod notify;
pub mod peer;
pub mod process;
pub mod random;
pub mod run_dir;
pub mod spawn;
pub mod users;

pub use rustix::io::Errno;
pub use rustix::process::Pid;

mod raw;
#[cfg(test)]
mod testing;
