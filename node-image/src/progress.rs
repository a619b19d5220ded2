//! What a long piece of work says while it goes on: a line for each step, on standard error.

use std::io::{self, Write};
use std::time::Instant;

/// Says steps.
#[derive(Debug)]
pub struct Progress {
    begin: Instant,
}

impl Progress {
    /// Time counts from now.
    #[must_use]
    pub fn begin() -> Self {
        Self { begin: Instant::now() }
    }

    /// Begins a step.
    pub fn step(&self, what: &str) {
        let seconds = self.begin.elapsed().as_secs_f32();
        // Nothing can be said where standard error is closed, and the image is no worse for it.
        let _ = writeln!(io::stderr(), "node-image: info: {seconds:5.1} s  {what}");
    }
}
