//! `svc names`: what completion scripts ask.

use crate::{context::Context, error::Error, exit::Exit, model::Snapshot};

/// Prints every service's name.
pub fn run(context: &mut Context) -> Result<Exit, Error> {
    let snapshot = Snapshot::load(&context.paths)?;
    for service in &snapshot.graph.services {
        context.screen.line(&service.name)?;
    }
    Ok(Exit::Ok)
}
