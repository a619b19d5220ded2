//! What may go wrong.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// Something that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or socket.
    #[error("cannot {what} {}: {why}", path.display())]
    Path {
        /// What was to be done with it.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Anything else that the kernel refused.
    #[error("cannot {what}: {why}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// Why not.
        why: io::Error,
    },
    /// The daemon does not do it.
    #[error("login1 refuses: {0}")]
    Refused(String),
}

impl Error {
    /// Cannot do this with that path.
    pub fn path(what: &'static str, path: &Path, why: impl Display) -> Self {
        Self::Path { what, path: path.to_owned(), why: why.to_string() }
    }

    /// Cannot do this.
    pub fn system(what: &'static str, why: impl Into<io::Error>) -> Self {
        Self::System { what, why: why.into() }
    }
}
