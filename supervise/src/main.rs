//! The supervisor: it starts, watches and stops the services of one graph, in order.
//!
//! It is *not* PID 1 (that is `init`, whose children the services are), decides nothing (that is
//! `engine`), and touches no disk once it runs. It may be killed at any moment: the next one goes
//! on from the state table.

#![forbid(unsafe_code)]

mod apply;
mod cgroups;
mod clock;
mod command;
mod conditions;
mod container;
mod control;
mod empty;
mod exits;
mod link;
mod logger;
mod notify;
mod output;
mod places;
mod prepare;
mod probes;
mod publish;
mod ready;
mod shell;
mod shutdown;
mod sources;
mod start;
mod stop;
mod talk;
mod tree;
mod watchdog;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use sys::Errno;
use tracing::error;
use wire::paths::LINK_FD;

const HELP: &str = "\
supervise: the supervisor of a tree of services. It is started by init, never by hand.

usage: supervise [-- COMMAND…]
       supervise --help | --version
";

/// Exit statuses, as s6 has them.
const USAGE: u8 = 100;
const SYSTEM: u8 = 111;
const INVALID_GRAPH: u8 = 4;

/// What ends a supervisor: what it cannot begin without, and the end of init.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// It was not started by init.
    #[error("cannot find init: descriptor {LINK_FD} is not its link: {0}")]
    NoLink(Errno),
    /// The link cannot be read.
    #[error("cannot hear init: {0}")]
    Link(Errno),
    /// Init does not answer.
    #[error("init says nothing")]
    Silent,
    /// Init has closed the link.
    #[error("init is gone")]
    Gone,
    /// Init is of another version.
    #[error("cannot understand init: it speaks version {0}")]
    Version(u8),
    /// Something in the run directory cannot be made.
    #[error("cannot make {0:?}: {1}")]
    Make(PathBuf, io::Error),
    /// Something there cannot be opened.
    #[error("cannot open {0:?}: {1}")]
    Open(PathBuf, io::Error),
    /// The graph that is in force cannot be read.
    #[error("cannot read {0:?}: {1}")]
    Graph(PathBuf, graph::DecodeError),
    /// The state table cannot be used.
    #[error("cannot use the state table: {0}")]
    Table(String),
    /// There is no loop.
    #[error("cannot wait for events: {0}")]
    Poll(io::Error),
}

impl Fatal {
    fn status(&self) -> u8 {
        match self {
            Self::Graph(..) => INVALID_GRAPH,
            Self::NoLink(_)
            | Self::Link(_)
            | Self::Silent
            | Self::Gone
            | Self::Version(_)
            | Self::Make(..)
            | Self::Open(..)
            | Self::Table(_)
            | Self::Poll(_) => SYSTEM,
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command: Vec<String> = match arguments.next().as_deref() {
        None => Vec::new(),
        Some("--") => arguments.collect(),
        Some("--help" | "-h") => return print(HELP),
        Some("--version" | "-V") => {
            return print(concat!("supervise ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        Some(_) => {
            print(HELP);
            return ExitCode::from(USAGE);
        }
    };
    talk::begin();
    let socket = sys::inherit::take(LINK_FD).map_err(Fatal::NoLink);
    match socket.and_then(|socket| tree::run(socket, &command)) {
        Ok(never) => match never {},
        Err(why) => {
            error!("{why}");
            ExitCode::from(why.status())
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(SYSTEM),
    }
}
