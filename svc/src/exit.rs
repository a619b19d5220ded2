//! How `svc` ends. These numbers are a promise to scripts.

use std::process::ExitCode;

/// What the exit status says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It is as was asked for.
    Ok,
    /// What was asked for failed, was refused, or is not so.
    Failed,
    /// It has not happened in time; it goes on.
    TimedOut,
    /// No service has this name.
    Unknown,
    /// The service files have mistakes; nothing was changed.
    Invalid,
    /// `doctor`: nothing is wrong, and something may become so.
    Warned,
    /// The command line is wrong.
    Usage,
    /// A system call failed: a file, the disk, the control socket.
    System,
}

impl Exit {
    /// All of them; 101, which is a bug in `svc` (a panic), is the language's own.
    #[cfg(test)]
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failed,
        Self::TimedOut,
        Self::Unknown,
        Self::Invalid,
        Self::Warned,
        Self::Usage,
        Self::System,
    ];

    /// The exit status.
    pub const fn status(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::TimedOut => 2,
            Self::Unknown => 3,
            Self::Invalid => 4,
            Self::Warned => 5,
            Self::Usage => 100,
            Self::System => 111,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}
