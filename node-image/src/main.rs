//! `node-image`: the command line. What it does is in the library.

#![forbid(unsafe_code)]

mod verb;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// A program was called wrongly, in the convention of s6.
const USAGE: u8 = 100;

const START: &str = "\
Start here:
  node-image list targets                          what machines a disk can be made for
  node-image build disk --target n100 --authorized-key id.pub -o n100.img
  node-image inspect n100.img                      what is on it
  node-image build oci -o cooper.tar               the base image of containers
  node-image build netboot --target n100 -o DIR    for PXE and iPXE

`node-image build disk --help` has the rest.
Exit status: 0 done, 1 failed, 100 wrong command line.";

/// Builds images of nodes, and boots them.
#[derive(Parser)]
#[command(version, after_help = START)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build a whole image
    #[command(subcommand)]
    Build(verb::build::Build),
    /// Show what is in an image
    Inspect(verb::inspect::Inspect),
    /// List what an image can be made for
    List {
        #[arg(value_enum)]
        kind: verb::list::Kind,
    },
    /// List what profiles and a hardware target need, a word and a value on each line
    Needs(verb::needs::Needs),
    /// Make one image of files that are laid over each other
    #[command(subcommand)]
    Pack(verb::pack::Pack),
    /// Boot an initramfs in QEMU: on a terminal to its console, else to run the commands given
    Boot(verb::boot::Boot),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that was asked for is no error.
            let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
            let _ = error.print();
            return code;
        }
    };
    match run(arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads it has seen enough: `node-image inspect IMAGE | head`.
        Err(error) if is_unread(&error) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing can be said where standard error is closed.
            let _ = writeln!(io::stderr(), "node-image: fatal: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_unread(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    error.to_string() == verb::STDOUT_FAILED
        && cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Build(build) => verb::build::run(build),
        Verb::Inspect(inspect) => verb::inspect::run(&inspect),
        Verb::List { kind } => verb::list::run(kind),
        Verb::Needs(needs) => verb::needs::run(&needs),
        Verb::Pack(pack) => verb::pack::run(pack),
        Verb::Boot(boot) => verb::boot::run(boot),
    }
}
