//! What can go wrong, with what we were doing and on what.

use std::{fmt, io, path::Path};

use wire::{describe::errno_text, varlink};

use crate::exit::Exit;

/// One error, told once, by `main`.
#[derive(Debug)]
pub enum Error {
    /// The reader of standard output is gone. Not told at all.
    BrokenPipe,
    /// A system call failed: `cannot open /run/cooper/state: permission denied`.
    System {
        /// What we wanted: `open /run/cooper/state`.
        what: String,
        /// Why not.
        why: String,
    },
    /// No service has this name.
    Unknown {
        /// What was asked for.
        name: String,
        /// One that looks like it.
        nearest: Option<String>,
    },
    /// The service files have mistakes, or the graph that was made of them is refused. The text
    /// is complete: it may be many lines.
    Invalid(String),
    /// What was asked for failed or was refused.
    Failed(String),
    /// It did not happen in time.
    TimedOut(String),
    /// The command line asks for something that makes no sense.
    Usage(String),
}

impl Error {
    /// An error of the operating system, while we wanted `verb` with `path`.
    pub fn file(verb: &str, path: &Path, error: &io::Error) -> Self {
        Self::system(&format!("{verb} {}", path.display()), error)
    }

    /// An error of the operating system, while we wanted `what`.
    pub fn system(what: &str, error: &io::Error) -> Self {
        Self::System { what: what.into(), why: io_text(error) }
    }

    /// Which exit status it makes.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::BrokenPipe => Exit::Ok,
            Self::System { .. } => Exit::System,
            Self::Unknown { .. } => Exit::Unknown,
            Self::Invalid(_) => Exit::Invalid,
            Self::Failed(_) => Exit::Failed,
            Self::TimedOut(_) => Exit::TimedOut,
            Self::Usage(_) => Exit::Usage,
        }
    }
}

/// An error of the operating system in our words, without its number where we have words.
pub fn io_text(error: &io::Error) -> String {
    match error.raw_os_error().and_then(|number| u16::try_from(number).ok()) {
        Some(number) => errno_text(number),
        None => error.to_string(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokenPipe => to.write_str("broken pipe"),
            Self::System { what, why } => write!(to, "cannot {what}: {why}"),
            Self::Unknown { name, nearest } => {
                let unknown =
                    varlink::Error::UnknownService { name: name.clone(), nearest: nearest.clone() };
                write!(to, "{unknown}")
            }
            Self::Invalid(text) | Self::Failed(text) | Self::TimedOut(text) | Self::Usage(text) => {
                to.write_str(text)
            }
        }
    }
}

impl From<varlink::Error> for Error {
    fn from(error: varlink::Error) -> Self {
        let text = error.to_string();
        match error {
            varlink::Error::UnknownService { name, nearest } => Self::Unknown { name, nearest },
            varlink::Error::InvalidGraph { .. } => Self::Invalid(text),
            varlink::Error::TimedOut { .. } => Self::TimedOut(text),
            varlink::Error::NotAllowed {}
            | varlink::Error::PermissionDenied {}
            | varlink::Error::WouldStop { .. }
            | varlink::Error::Busy { .. }
            | varlink::Error::Failed { .. } => Self::Failed(text),
            // `supervise` is of another version than we are.
            varlink::Error::InterfaceNotFound { .. }
            | varlink::Error::MethodNotFound { .. }
            | varlink::Error::MethodNotImplemented { .. }
            | varlink::Error::InvalidParameter { .. }
            | varlink::Error::ExpectedMore {} => {
                Self::System { what: "be understood by supervise".into(), why: text }
            }
        }
    }
}
