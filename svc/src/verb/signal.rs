//! `svc signal`: any signal to a service's processes.

use wire::varlink::{Method, Nothing, SignalParameters};

use crate::{args::Signal, client::Client, context::Context, error::Error, exit::Exit};

/// Has `supervise` send it, which knows that the process is still the service's.
pub fn run(args: &Signal, context: &mut Context) -> Result<Exit, Error> {
    let mut client = Client::connect(&context.paths)?;
    let parameters = SignalParameters {
        name: args.name.clone(),
        signal: args.signal,
        all: args.all.then_some(true),
    };
    // Not repeated when the connection breaks: a signal that arrives twice may do harm.
    let Nothing {} = client.call(Method::Signal, &parameters)?;
    Ok(Exit::Ok)
}
