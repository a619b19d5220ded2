//! What is wrong, where, and what to do about it.
//!
//! Everything that is found is collected, sorted by place, and said once; a report is plain data,
//! so that `svc --json` and tests print the same.

use std::{collections::BTreeSet, fmt::Write};

use serde::Serialize;

use crate::text::{At, FileId, Place, Sources};

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// There is no graph.
    Error,
    /// There is a graph, and probably not the one that was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Mistake {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Mark,
    /// What it is: one line, lower case.
    pub message: String,
    /// What to do: one line, never empty.
    pub help: String,
    /// Other places that belong to it.
    pub related: Vec<Related>,
    /// Why it is so: a line each.
    pub notes: Vec<String>,
    /// What to do instead of `help`, best first: a line each.
    pub or: Vec<String>,
}

/// A place in a file; lines and columns count from 1, in characters.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Mark {
    /// The file's path.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// How many characters, within the line.
    pub length: usize,
    /// The whole line.
    pub text: String,
}

/// Another place, and what is there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Related {
    /// Where.
    pub place: Mark,
    /// What.
    pub message: String,
}

/// Everything that was found, by file, line and column.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Report {
    /// The mistakes.
    pub mistakes: Vec<Mistake>,
}

/// Whether a report is coloured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colour {
    /// By ANSI escapes.
    Ansi,
    /// Not at all.
    None,
}

impl Report {
    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.of(Severity::Error).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.of(Severity::Warning).count()
    }

    /// The same for whoever only looks: a warning in place of each error.
    #[must_use]
    pub fn as_warnings(mut self) -> Self {
        for mistake in &mut self.mistakes {
            mistake.severity = Severity::Warning;
        }
        self
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Mistake> {
        self.mistakes.iter().filter(move |mistake| mistake.severity == severity)
    }

    /// For people. Each mistake begins with `FILE:LINE:COLUMN:`, as compilers do it, so that
    /// editors find the place.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let mut out = String::new();
        for mistake in &self.mistakes {
            // Writing to a string does not fail.
            let _ = mistake.render(&mut out, colour);
        }
        out
    }
}

impl Mistake {
    fn render(&self, out: &mut String, colour: Colour) -> std::fmt::Result {
        let paint = |code: &'static str| match colour {
            Colour::Ansi => code,
            Colour::None => "",
        };
        let (bold, plain) = (paint("\x1b[1m"), paint("\x1b[0m"));
        let (name, hue) = match self.severity {
            Severity::Error => ("error", paint("\x1b[1;31m")),
            Severity::Warning => ("warning", paint("\x1b[1;33m")),
        };
        let Mark { file, line, column, length, text } = &self.place;
        writeln!(
            out,
            "{bold}{file}:{line}:{column}: {hue}{name}:{plain} {bold}{}{plain}",
            self.message
        )?;
        if !text.trim().is_empty() {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            // A tab is one column here, so it must be one wide on the screen as well.
            let shown = text.replace('\t', " ");
            writeln!(out, "  {number} | {}", shown.trim_end())?;
            let indent = " ".repeat(column.saturating_sub(1));
            writeln!(out, "  {margin} | {indent}{hue}{}{plain}", "^".repeat(*length))?;
        }
        for Related { place, message } in &self.related {
            writeln!(out, "  {}:{}:{}: {message}", place.file, place.line, place.column)?;
        }
        for note in &self.notes {
            writeln!(out, "  note: {note}")?;
        }
        let hue = paint("\x1b[1;36m");
        writeln!(out, "  {hue}help:{plain} {}", self.help)?;
        for way in &self.or {
            writeln!(out, "    {hue}or:{plain} {way}")?;
        }
        Ok(())
    }
}

/// What is found while compiling, before places are counted out.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    severity: Severity,
    /// The text could not be parsed here; see [`Findings::report`].
    syntax: bool,
    at: At,
    message: String,
    help: String,
    related: Vec<(At, String)>,
    notes: Vec<String>,
    or: Vec<String>,
}

impl Findings {
    /// Notes that a text cannot be parsed.
    pub fn syntax(&mut self, at: At, message: impl Into<String>, help: impl Into<String>) {
        self.error(at, message, help);
        if let Some(finding) = self.found.last_mut() {
            finding.syntax = true;
        }
    }

    /// Notes an error.
    pub fn error(&mut self, at: At, message: impl Into<String>, help: impl Into<String>) {
        self.note(Severity::Error, at, message.into(), help.into(), Vec::new());
    }

    /// Notes a warning.
    pub fn warning(&mut self, at: At, message: impl Into<String>, help: impl Into<String>) {
        self.note(Severity::Warning, at, message.into(), help.into(), Vec::new());
    }

    /// Notes an error that has to do with other places as well.
    pub fn error_with(
        &mut self,
        at: At,
        message: impl Into<String>,
        help: impl Into<String>,
        related: Vec<(At, String)>,
    ) {
        self.note(Severity::Error, at, message.into(), help.into(), related);
    }

    fn note(
        &mut self,
        severity: Severity,
        at: At,
        message: String,
        help: String,
        related: Vec<(At, String)>,
    ) {
        self.found.push(Finding {
            severity,
            syntax: false,
            at,
            message,
            help,
            related,
            notes: Vec::new(),
            or: Vec::new(),
        });
    }

    /// Notes what is wrong with a choice of profiles.
    pub fn problem(
        &mut self,
        severity: Severity,
        at: At,
        problem: &facts::Problem,
        related: Vec<(At, String)>,
    ) {
        let mut ways = problem.ways_out.iter().cloned();
        let help = ways.next().unwrap_or_default();
        self.note(severity, at, problem.message.clone(), help, related);
        if let Some(finding) = self.found.last_mut() {
            finding.notes.clone_from(&problem.because);
            finding.or = ways.collect();
        }
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Counts out the places, sorts, and says everything once: a mistake in a template is found
    /// with each instance, and of a line that cannot be parsed only the first mistake is real.
    pub fn report(mut self, sources: &Sources) -> Report {
        let mark = |at: At| {
            let Place { path, line, column, length, text } = sources.place(at);
            Mark { file: path, line, column, length, text }
        };
        self.found.sort_by_key(|finding| (!finding.syntax, finding.at));
        let mut unparsed: BTreeSet<(FileId, usize)> = BTreeSet::new();
        self.found.retain(|finding| {
            let line = (finding.at.file, sources.place(finding.at).line);
            if finding.syntax { unparsed.insert(line) } else { !unparsed.contains(&line) }
        });
        let related = |(at, message): (At, String)| Related { place: mark(at), message };
        let mut mistakes: Vec<Mistake> = self
            .found
            .into_iter()
            .map(|finding| Mistake {
                severity: finding.severity,
                place: mark(finding.at),
                message: finding.message,
                help: finding.help,
                related: finding.related.into_iter().map(related).collect(),
                notes: finding.notes,
                or: finding.or,
            })
            .collect();
        mistakes.sort_by(|a, b| {
            (&a.place, a.severity, &a.message).cmp(&(&b.place, b.severity, &b.message))
        });
        mistakes.dedup_by(|a, b| a.place == b.place && a.message == b.message);
        Report { mistakes }
    }
}
