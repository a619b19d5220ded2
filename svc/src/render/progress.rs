//! A line that says what we wait for, in place.

use std::io::Write;

/// Cleared when it is dropped, so that what comes next begins on an empty line.
pub struct Progress<'a> {
    to: &'a mut dyn Write,
    enabled: bool,
    shown: bool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(to: &'a mut dyn Write, enabled: bool) -> Self {
        Self { to, enabled, shown: false }
    }

    /// Somebody sees it, so it is worth being renewed while nothing happens.
    pub const fn is_seen(&self) -> bool {
        self.enabled
    }

    /// Shows `text` in place of what was there.
    pub fn show(&mut self, text: &str) {
        if self.enabled {
            // Carriage return, the text, then clear to the end of the line.
            let _ = write!(self.to, "\r{text}\x1b[K").and_then(|()| self.to.flush());
            self.shown = true;
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(self.to, "\r\x1b[K").and_then(|()| self.to.flush());
        }
    }
}
