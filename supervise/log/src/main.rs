//! cooper-log: every service's output, from its FIFO in `RUN/log` to rotated files in `LOGS`.
//!
//! One thread, one buffer, no conversation with anybody: which logs there are is what FIFOs there
//! are, how much is kept says the graph. It may be killed at any instruction: what it had not
//! finished is in the FIFO and in the journal (`shell/journal.rs`), and its successor goes on.

#![forbid(unsafe_code)]

mod shell;

use std::process::ExitCode;

use shell::{Daemon, Paths, say};

const USAGE: &str = "usage: cooper-log [--help | --version]

Writes what services say, from the FIFOs in /run/cooper/log, to files in /var/log/cooper.
COOPER_RUN and COOPER_LOGS name other places. Signals: TERM drains and ends, HUP opens files
anew, USR1 rotates now. docs/logs.md tells more.
";

/// Wrong usage; as all our programs (docs/glossary.md).
const EXIT_USAGE: u8 = 100;
/// A system call failed before the loop began.
const EXIT_SYSTEM: u8 = 111;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (None, _) => run(),
        (Some(flag), None) if flag == "--help" => show(USAGE),
        (Some(flag), None) if flag == "--version" => {
            show(concat!("cooper-log ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        (Some(_), _) => {
            say(USAGE);
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run() -> ExitCode {
    match Daemon::new(Paths::from_environment()) {
        Ok(daemon) => {
            daemon.run();
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("cooper-log: fatal: {error}\n"));
            ExitCode::from(EXIT_SYSTEM)
        }
    }
}

/// A reader that has gone away is no failure.
fn show(text: &str) -> ExitCode {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
