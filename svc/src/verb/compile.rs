//! `svc compile`: service files into a graph, on a machine where they need not run.

use graph::View;

use super::switch;
use crate::{args::Compile, context::Context, error::Error, exit::Exit, files};

/// Writes the graph; nothing else is changed.
pub fn run(args: &Compile, context: &mut Context) -> Result<Exit, Error> {
    let graph = files::compile_dirs(&args.dirs, args.node.as_deref(), context)?;
    let bytes = graph::encode(&graph);
    // The reader's own checks: what it would refuse at boot is refused here.
    View::open(&bytes).map_err(|error| Error::Invalid(error.to_string()))?;
    switch::write_whole(&args.output, &bytes)?;
    Ok(Exit::Ok)
}
