//! What can be wrong with a cgroup, in words that say what to do about it.

use std::fmt;
use std::path::PathBuf;

use crate::Errno;

/// See each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Error {
    /// The directory cannot be opened.
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// The directory is not one of a v2 hierarchy.
    NotV2 {
        /// Which.
        path: PathBuf,
    },
    /// The group cannot be made.
    Make {
        /// Which.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// The group cannot be removed.
    Remove {
        /// Which.
        path: PathBuf,
        /// Why; EBUSY: it has processes.
        errno: Errno,
    },
    /// A setting belongs to a controller that is not enabled here, or that the kernel has not.
    Controller {
        /// `memory.max`.
        key: String,
        /// `memory`.
        controller: String,
    },
    /// The kernel does not take a setting.
    Setting {
        /// `memory.max`.
        key: String,
        /// What it was to be.
        value: String,
        /// Why; EINVAL, ERANGE: the value is no value for this key.
        errno: Errno,
    },
}

impl Error {
    /// The kernel's error number; ENOENT for a controller that is missing.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Open { errno, .. }
            | Self::Make { errno, .. }
            | Self::Remove { errno, .. }
            | Self::Setting { errno, .. } => *errno,
            Self::NotV2 { .. } => Errno::OPNOTSUPP,
            Self::Controller { .. } => Errno::NOENT,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, errno } => {
                write!(formatter, "cannot open cgroup {}: {errno}", path.display())
            }
            Self::NotV2 { path } => {
                write!(formatter, "cannot use {}: not a cgroup v2 directory", path.display())
            }
            Self::Make { path, errno } => {
                write!(formatter, "cannot make cgroup {}: {errno}", path.display())
            }
            Self::Remove { path, errno } => {
                write!(formatter, "cannot remove cgroup {}: {errno}", path.display())
            }
            Self::Controller { key, controller } => {
                write!(formatter, "cannot set {key}: no controller {controller} here")
            }
            Self::Setting { key, value, errno } => {
                write!(formatter, "cannot set {key} to {value}: {errno}")
            }
        }
    }
}

impl std::error::Error for Error {}
