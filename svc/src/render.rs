//! The one place that prints: data to standard output, talk to standard error.
//!
//! Nothing else in `svc` writes to either; `println!` would panic when the reader has gone.

mod colour;
mod progress;
mod table;
mod time;
mod wrap;

use std::{
    env,
    fmt::Display,
    io::{self, BufRead, BufWriter, IsTerminal, Write},
};

use serde::Serialize;

use crate::error::Error;

pub use colour::Colour;
pub use progress::Progress;
pub use table::{Cell, Table};
pub use time::{ago, bytes, monotonic_us, seconds, utc_clock};
pub use wrap::wrapped;

/// Narrower than this, a table is not cut to fit: nothing would be left to read.
const WIDTH_MIN: usize = 40;

/// Standard output and standard error.
pub struct Screen {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Colours on standard output.
    colours: bool,
    /// Colours on standard error.
    err_colours: bool,
    /// Standard output's width, if it is a terminal.
    width: Option<usize>,
    /// Somebody can be asked, and sees a progress line.
    interactive: bool,
}

impl Screen {
    /// This process's own.
    pub fn of_process() -> Self {
        let terminal = io::stdout().is_terminal();
        // https://no-color.org: any value but the empty one.
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            colours: terminal && !refused && !dumb,
            err_colours: io::stderr().is_terminal() && !refused && !dumb,
            width: if terminal { width() } else { None },
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// One that tests read afterwards.
    #[cfg(test)]
    pub fn of_test(out: Box<dyn Write>, err: Box<dyn Write>, width: Option<usize>) -> Self {
        Self { out, err, colours: false, err_colours: false, width, interactive: false }
    }

    /// One line of data.
    pub fn line(&mut self, line: impl Display) -> Result<(), Error> {
        writeln!(self.out, "{line}").map_err(|error| printed(&error))
    }

    /// Bytes of data, as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(|error| printed(&error))
    }

    /// A value for programs, on several lines.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(|error| unwritable(&error))?;
        self.line(text)
    }

    /// A value for programs that read a stream: one line each, at once.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value).map_err(|error| unwritable(&error))?;
        self.line(text)?;
        self.flush()
    }

    /// A table, cut to the terminal's width.
    pub fn table(&mut self, table: &Table) -> Result<(), Error> {
        let text = table.text(self.width(), self.colours);
        self.raw(text.as_bytes())
    }

    /// How wide text may be; None where nobody looks at it, or it is too narrow to be cut.
    pub fn width(&self) -> Option<usize> {
        self.width.filter(|width| *width >= WIDTH_MIN)
    }

    /// `text` in a colour, where colours are wanted.
    pub fn paint(&self, colour: Colour, text: &str) -> String {
        colour.paint(text, self.colours)
    }

    /// What was printed is there for the reader.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(|error| printed(&error))
    }

    /// One line of talk. Standard error may be closed: then nobody wants to know.
    pub fn say(&mut self, line: impl Display) {
        let _ = writeln!(self.err, "{line}");
    }

    /// Talk that only a person at a terminal wants.
    pub fn chat(&mut self, line: impl Display) {
        if self.interactive {
            self.say(line);
        }
    }

    /// An error, with our name before it; a report of many lines stands for itself.
    pub fn complain(&mut self, error: &Error) {
        let text = error.to_string();
        if text.trim_end().contains('\n') {
            self.say(text.trim_end());
        } else {
            self.say(format_args!("svc: {text}"));
        }
    }

    /// Somebody is there to be asked.
    pub const fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Talk may be coloured.
    pub const fn talks_in_colour(&self) -> bool {
        self.err_colours
    }

    /// Asks a person; only `y` and `yes` are yes.
    pub fn ask(&mut self, question: &str) -> bool {
        if self.flush().is_err() || write!(self.err, "{question} [y/N] ").is_err() {
            return false;
        }
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
    }

    /// A line on standard error that changes, for a person; nothing otherwise.
    pub fn progress(&mut self) -> Progress<'_> {
        Progress::new(&mut *self.err, self.interactive)
    }
}

/// The terminal's width; `COLUMNS` is for those who know better.
fn width() -> Option<usize> {
    let told = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.or_else(|| {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    })
}

fn printed(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Error::BrokenPipe;
    }
    Error::system("write to standard output", error)
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::System { what: "write JSON".into(), why: error.to_string() }
}
