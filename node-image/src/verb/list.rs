//! `node-image list`: what an image can be made for.

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::ValueEnum;
use facts::Library;

use crate::verb::STDOUT_FAILED;

/// Of which kind.
#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    /// Hardware targets
    Targets,
    /// Profiles
    Profiles,
}

/// Prints a line for each: its name, and what it is.
pub fn run(kind: Kind) -> Result<()> {
    let library = Library::built_in();
    let lines: Vec<(&str, String)> = match kind {
        Kind::Targets => library
            .hardware
            .iter()
            .map(|(name, it)| (name.as_str(), format!("{} ({})", it.description, it.architecture)))
            .collect(),
        Kind::Profiles => {
            let all = library.profiles.iter();
            all.map(|(name, it)| (name.as_str(), it.description.clone())).collect()
        }
    };
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut out = io::stdout().lock();
    for (name, description) in lines {
        writeln!(out, "{name:width$}  {description}").context(STDOUT_FAILED)?;
    }
    Ok(())
}
