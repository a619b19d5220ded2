//! `svc check`: look for mistakes, change nothing.

use crate::{args::Check, context::Context, error::Error, exit::Exit, files};

/// Checks this node's files, or those that are named.
pub fn run(args: &Check, context: &mut Context) -> Result<Exit, Error> {
    let graph = if args.paths.is_empty() {
        files::compile_node(context)?
    } else {
        files::compile_with(&args.paths, context)?
    };
    let count = graph.services.len();
    context.screen.say(format_args!("svc: no mistakes in {count} services"));
    Ok(Exit::Ok)
}
