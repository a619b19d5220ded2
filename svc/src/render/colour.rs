//! Colours, by what they mean.

use wire::varlink::State;

/// What a piece of text says about the world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colour {
    /// Nothing in particular.
    Plain,
    /// All is well.
    Good,
    /// On its way.
    Busy,
    /// Somebody should look.
    Bad,
    /// Of little interest.
    Dim,
    /// A heading, or the one thing to look at.
    Strong,
}

impl Colour {
    /// What a service's state says.
    pub const fn of(state: State) -> Self {
        match state {
            State::Ready | State::Done => Self::Good,
            State::Waiting
            | State::Starting
            | State::Running
            | State::Stopping
            | State::Undoing => Self::Busy,
            State::Degraded | State::Backoff | State::Failed => Self::Bad,
            State::Down | State::Ended | State::Skipped => Self::Dim,
        }
    }

    /// `text` between the terminal's codes. The eight oldest colours only: they are what people
    /// adapt to their eyes and their background.
    pub fn paint(self, text: &str, colours: bool) -> String {
        let code = match self {
            Self::Plain => return text.into(),
            Self::Good => 32,
            Self::Busy => 33,
            Self::Bad => 31,
            Self::Dim => 2,
            Self::Strong => 1,
        };
        if colours && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }
}
