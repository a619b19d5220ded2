//! Profiles and hardware targets from their text.
//!
//! What a text can get wrong is found here, each mistake with its place and what to do; what is
//! wrong with a choice of profiles is `Library::node`'s business.

mod built_in;
mod validate;

use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::{hardware::Hardware, library::Library, profile::Profile};

/// A mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, in bytes of the text.
    pub span: Range<usize>,
    /// What it is: one line, lower case.
    pub message: String,
    /// What to do: one line, never empty.
    pub help: String,
}

impl Mistake {
    /// For people, as compilers do it: `FILE:LINE:COLUMN: MESSAGE`, then what to do. Lines and
    /// columns count from 1, columns in characters.
    #[must_use]
    pub fn render(&self, file: &str, text: &str) -> String {
        let before = text.get(..self.span.start).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rsplit('\n').next().unwrap_or_default();
        let column = start.chars().count().saturating_add(1);
        format!("{file}:{line}:{column}: {}\n  help: {}", self.message, self.help)
    }
}

/// A profile.
///
/// # Errors
/// Every mistake in it.
pub fn profile(text: &str) -> Result<Profile, Vec<Mistake>> {
    let profile = parse(text)?;
    let mistakes = validate::profile(&profile, text);
    if mistakes.is_empty() { Ok(profile) } else { Err(mistakes) }
}

/// A hardware target.
///
/// # Errors
/// Every mistake in it.
pub fn hardware(text: &str) -> Result<Hardware, Vec<Mistake>> {
    let target = parse(text)?;
    let mistakes = validate::hardware(&target, text);
    if mistakes.is_empty() { Ok(target) } else { Err(mistakes) }
}

impl Library {
    /// What comes with Cooper. A test reads each of the texts: what is not right is not built.
    #[must_use]
    pub fn built_in() -> Self {
        let mut library = Self::default();
        for (name, text) in built_in::PROFILES {
            if let Ok(profile) = profile(text) {
                library.profiles.insert((*name).to_string(), profile);
            }
        }
        for (name, text) in built_in::HARDWARE {
            if let Ok(target) = hardware(text) {
                library.hardware.insert((*name).to_string(), target);
            }
        }
        library
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Mistake>> {
    toml::from_str(text).map_err(|error| {
        let (message, help) = plain(error.message());
        vec![Mistake { span: error.span().unwrap_or(0..0), message, help }]
    })
}

/// The parser's message in our words, and what to do.
fn plain(message: &str) -> (String, String) {
    let message = message.lines().next().unwrap_or_default();
    if let Some((unknown, expected)) =
        message.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", expected "))
    {
        let keys = expected.trim_start_matches("one of ");
        return (format!("unknown key {unknown}"), format!("the keys here are: {keys}"));
    }
    if let Some(missing) = message.strip_prefix("missing field ") {
        let help = match missing {
            "`why`" | "`source`" => "every entry says why it is there and where that is written",
            _ => "see docs/node.md for the keys of profiles and hardware targets",
        };
        return (format!("{missing} is missing"), help.to_string());
    }
    (message.to_string(), "see docs/node.md for how profiles are written".to_string())
}
