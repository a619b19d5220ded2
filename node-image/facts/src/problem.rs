//! What is wrong with a choice of profiles, in words for whoever chose them.

use crate::entry::Severity;

/// Something that keeps a table from being right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// An error leaves no table to use; a warning does.
    pub severity: Severity,
    /// The words of the choice that it comes from, the first one of node.toml first.
    pub about: Vec<About>,
    /// What it is: one line, lower case.
    pub message: String,
    /// Who wants what, and why: a line each.
    pub because: Vec<String>,
    /// What to do, best first; never empty.
    pub ways_out: Vec<String>,
}

/// A word of node.toml.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A name in `profiles`.
    Profile(String),
    /// The name in `hardware`.
    Hardware(String),
    /// A name in `settled`.
    Settled(String),
    /// A key in `[setup.sysctl]`.
    Sysctl(String),
}

impl std::fmt::Display for Problem {
    /// All of it, for a terminal: the message, then a line for each reason and way out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)?;
        for because in &self.because {
            write!(f, "\n  {because}")?;
        }
        for (index, way) in self.ways_out.iter().enumerate() {
            write!(f, "\n  {} {way}", if index == 0 { "help:" } else { "or:  " })?;
        }
        Ok(())
    }
}
