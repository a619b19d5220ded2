//! `svc watch`: one line for each change.

use std::time::Duration;

use wire::varlink::{ListReply, Method, WatchParameters};

use crate::{
    args::Watch,
    client::{BREAKS_MAX, Client, Fault},
    context::Context,
    error::Error,
    exit::Exit,
    render::{Colour, utc_clock},
};

/// Waiting for ever, in pieces.
const LONG: Duration = Duration::from_secs(3600);

/// Prints until it is interrupted; a `supervise` that is replaced is connected to again.
pub fn run(args: &Watch, context: &mut Context) -> Result<Exit, Error> {
    let names = (!args.names.is_empty()).then(|| args.names.clone());
    let parameters = WatchParameters { names };
    let mut breaks = 0_u32;
    loop {
        match stream(&parameters, args.json, &mut breaks, context) {
            Ok(never) => match never {},
            Err(Stop::Told(error)) => return Err(error),
            Err(Stop::Fault(Fault::Broken)) if breaks < BREAKS_MAX => {
                breaks = breaks.saturating_add(1);
            }
            Err(Stop::Fault(fault)) => return Err(fault.into()),
        }
    }
}

/// Why a stream ended.
enum Stop {
    Fault(Fault),
    Told(Error),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

fn stream(
    parameters: &WatchParameters,
    json: bool,
    breaks: &mut u32,
    context: &mut Context,
) -> Result<std::convert::Infallible, Stop> {
    let mut client = Client::connect(&context.paths)?;
    client.send(Method::Watch, parameters, true)?;
    loop {
        let Some(list) = client.reply::<ListReply>(LONG)? else { continue };
        *breaks = 0;
        for service in &list.services {
            if json {
                context.screen.json_line(service)?;
                continue;
            }
            let word = format!("{:8}", service.state.word());
            let word = context.screen.paint(Colour::of(service.state), &word);
            let line = format!("{} {:20} {word} {}", utc_clock(), service.name, service.why);
            context.screen.line(line.trim_end())?;
        }
        context.screen.flush()?;
    }
}
