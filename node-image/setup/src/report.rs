//! What a run says: a line for each change, a line for each thing that it could not do, and a sum.
//!
//! Each line is written when it happens, so that a run that hangs has said how far it came.

use std::fmt::Display;
use std::io::Write;

use wire::state::STATUS_MAX;

use crate::{DONE, FAILED, Need};

/// The lines of one run, and how it ends.
pub struct Report<'a> {
    section: &'static str,
    out: &'a mut dyn Write,
    held: usize,
    changed: usize,
    failed: usize,
    /// What a run has failed for.
    needed: Vec<String>,
}

impl<'a> Report<'a> {
    /// The report of a section.
    pub fn new(section: &'static str, out: &'a mut dyn Write) -> Self {
        Self { section, out, held: 0, changed: 0, failed: 0, needed: Vec::new() }
    }

    /// An entry holds: it is only counted.
    pub fn holds(&mut self) {
        self.held = self.held.saturating_add(1);
    }

    /// An entry was made true.
    ///
    /// `net.ipv4.ip_forward: 0 → 1 (routing between pods; k3s-server)`
    pub fn changed(&mut self, subject: &str, from: &str, to: &str, need: &Need) {
        self.changed = self.changed.saturating_add(1);
        self.line(&format_args!("{subject}: {from} → {to}{need}"));
    }

    /// An entry could not be made true: "cannot VERB OBJECT: reason". A run in which that
    /// happened to an entry that is not optional has failed.
    pub fn failed(&mut self, what: &dyn Display, need: &Need) {
        self.failed = self.failed.saturating_add(1);
        let level = if need.is_optional { "info" } else { "warning" };
        if !need.is_optional {
            self.needed.push(what.to_string());
        }
        self.line(&format_args!("{level}: {what}{need}"));
    }

    /// Something that is worth a line and nobody's fault.
    pub fn note(&mut self, what: &dyn Display) {
        self.line(&format_args!("info: {what}"));
    }

    /// What the run has failed for, as short as `supervise` keeps it: by name, and with the reason
    /// if it is one thing only.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let what =
            |text: &String| text.split_once(": ").map_or(text.as_str(), |it| it.0).to_owned();
        match self.needed.as_slice() {
            [] => None,
            [one] => Some(short(one)),
            many => Some(short(&many.iter().map(what).collect::<Vec<_>>().join("; "))),
        }
    }

    /// Says the sum. The exit code.
    #[must_use]
    pub fn finish(mut self) -> u8 {
        let Self { held, changed, failed, .. } = self;
        self.line(&format_args!("{changed} changed, {held} already so, {failed} could not"));
        if self.needed.is_empty() { DONE } else { FAILED }
    }

    fn line(&mut self, text: &dyn Display) {
        // One write for each line. Whoever reads it no longer does not stop the set-up.
        let _ = self.out.write_all(format!("{}: {text}\n", self.section).as_bytes());
    }
}

/// What is cut off is seen to be.
fn short(text: &str) -> String {
    const CUT: &str = "…";
    if text.len() <= STATUS_MAX {
        return text.to_owned();
    }
    let mut end = STATUS_MAX.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(is_optional: bool) -> Need {
        let by = vec!["k3s-server".into(), "cilium".into()];
        Need { why: "routing between pods".into(), source: String::new(), by, is_optional }
    }

    fn said(run: impl FnOnce(&mut Report<'_>)) -> (u8, String) {
        let mut out = Vec::new();
        let mut report = Report::new("sysctl", &mut out);
        run(&mut report);
        let code = report.finish();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_change_says_what_why_and_for_whom() {
        let (code, text) = said(|report| {
            report.holds();
            report.changed("net.ipv4.ip_forward", "0", "1", &need(false));
        });
        let expected = "sysctl: net.ipv4.ip_forward: 0 → 1 (routing between pods; k3s-server, \
                        cilium)\nsysctl: 1 changed, 1 already so, 0 could not\n";
        assert_eq!((code, text.as_str()), (DONE, expected));
    }

    #[test]
    fn only_what_is_needed_fails_a_run() {
        let what = "cannot set a.b: no such key";
        let (code, text) = said(|report| report.failed(&what, &need(true)));
        assert_eq!(code, DONE);
        assert!(text.starts_with("sysctl: info: cannot set a.b: no such key (rou"), "{text}");
        let (code, text) = said(|report| report.failed(&what, &need(false)));
        assert_eq!(code, FAILED);
        assert!(text.starts_with("sysctl: warning: cannot set a.b: no such key (rou"), "{text}");
    }

    #[test]
    fn a_failure_is_told_in_one_line() {
        let mut out = Vec::new();
        let mut report = Report::new("modules", &mut out);
        report.failed(&"cannot load a: whatever", &need(true));
        assert_eq!(report.failure(), None);
        report.failed(&"cannot load b: it is not there", &need(false));
        assert_eq!(report.failure().unwrap(), "cannot load b: it is not there");
        report.failed(&"cannot load c: nor is it", &need(false));
        assert_eq!(report.failure().unwrap(), "cannot load b; cannot load c");
        report.failed(&"ä".repeat(50), &need(false));
        let failure = report.failure().unwrap();
        assert!(failure.len() <= STATUS_MAX && failure.ends_with("ä…"), "{failure}");
    }
}
