//! `svc`, the command line: what an admin types, and what a script calls.
//!
//! It reads the state table and the graph in force by itself, so that `status`, `explain`, `boot`
//! and `logs` answer without privileges and without `supervise`; it asks `supervise`, over
//! Varlink, for everything that changes something; and it compiles service files (`apply`,
//! `check`, `compile`). It is *not* a second place for decisions: why a service is in its state
//! is said by `wire::describe`, what an order reaches by `supervise`.
//!
//! **Invariant:** standard output is data, standard error is talk, and the exit status is one of
//! [`exit::Exit`], which `docs/svc.md` lists.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions))]

mod applet;
mod args;
mod client;
mod completions;
mod context;
mod error;
mod exit;
mod files;
#[cfg(test)]
mod fixture;
mod model;
#[cfg(test)]
mod page;
mod paths;
mod render;
#[cfg(test)]
mod scratch;
mod verb;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Svc, context::Context, error::Error, exit::Exit};

fn main() -> ExitCode {
    let exit = match applet::called_as(std::env::args_os()) {
        Some(applet) => end(&mut Context::new(false), |context| applet.run(context)),
        None => match Svc::try_parse() {
            Ok(svc) => end(&mut Context::new(svc.user), |context| verb::run(&svc.verb, context)),
            Err(help) => explain_usage(&help),
        },
    };
    ExitCode::from(exit)
}

/// Runs a verb, says what went wrong, and makes it an exit status.
fn end(context: &mut Context, verb: impl FnOnce(&mut Context) -> Result<Exit, Error>) -> Exit {
    let ended = verb(context).and_then(|exit| context.screen.flush().map(|()| exit));
    match ended {
        Ok(exit) => exit,
        // Whoever read our output has read enough.
        Err(Error::BrokenPipe) => Exit::Ok,
        Err(error) => {
            // What was printed before the error comes first; it may fail for the same reason.
            let _ = context.screen.flush();
            context.screen.complain(&error);
            error.exit()
        }
    }
}

/// Help that was asked for is data; the rest of what clap says is about a wrong command line.
fn explain_usage(help: &clap::Error) -> Exit {
    let printed = help.print();
    match (help.use_stderr(), printed) {
        (true, _) => Exit::Usage,
        (false, Ok(())) => Exit::Ok,
        (false, Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Ok,
        (false, Err(_)) => Exit::System,
    }
}
