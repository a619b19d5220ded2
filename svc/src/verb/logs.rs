//! `svc logs`: read, follow, filter, merge.

use std::{borrow::Cow, time::Duration};

use cooper_log::{
    Stamp,
    read::{Line, Query, Reader, parse_time, render},
};
use serde::Serialize;

use crate::{
    args::Logs,
    context::Context,
    error::Error,
    exit::Exit,
    model::Snapshot,
    paths::Paths,
    render::{Colour, Screen},
};

/// So many lines, unless the command line says otherwise.
const LINES: usize = 50;
/// Names of services stand in a column of this width.
const NAME_WIDTH: usize = 16;

/// One line for programs.
#[derive(Serialize)]
struct JsonLine<'a> {
    service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    text: Cow<'a, str>,
}

/// Prints what is there, and with `follow` what comes.
pub fn run(args: &Logs, context: &mut Context) -> Result<Exit, Error> {
    let query = query(args, &context.paths)?;
    let one = args.names.len() == 1;
    let reader = Reader::open(&context.paths.logs, query).map_err(|error| failed(&error))?;
    if !args.follow {
        for line in reader {
            let line = line.map_err(|error| failed(&error))?;
            print(&line, one, args.json, &mut context.screen)?;
        }
        return Ok(Exit::Ok);
    }
    let mut follow = reader.follow().map_err(|error| failed(&error))?;
    loop {
        while let Some(line) = follow.next_line().map_err(|error| failed(&error))? {
            print(&line, one, args.json, &mut context.screen)?;
        }
        context.screen.flush()?;
        follow.wait(None::<Duration>).map_err(|error| failed(&error))?;
    }
}

/// The last lines of one log; none where it cannot be read, for that is not what was asked.
pub fn last(name: &str, count: usize, paths: &Paths) -> Vec<String> {
    let query = Query { services: vec![name.into()], last: Some(count), ..Query::default() };
    let Ok(reader) = Reader::open(&paths.logs, query) else { return Vec::new() };
    reader.flatten().map(|line| text(&line)).collect()
}

fn query(args: &Logs, paths: &Paths) -> Result<Query, Error> {
    let now = Stamp::now();
    let moment = |text: &Option<String>| {
        let parsed = text.as_deref().map(|text| parse_time(text, now)).transpose();
        parsed.map_err(|error| Error::Usage(error.to_string()))
    };
    let since = moment(&args.since)?;
    let until = moment(&args.until)?;
    let bounded = since.is_some() || until.is_some();
    Ok(Query {
        services: args.names.iter().map(|name| known(name, paths)).collect::<Result<_, _>>()?,
        since,
        until,
        last: args.lines.or((!bounded).then_some(LINES)),
        follow: args.follow,
    })
}

/// The log of a service or alias. One that the graph does not know may still have a log: of a
/// service that was removed, or of init and supervise themselves.
fn known(name: &str, paths: &Paths) -> Result<String, Error> {
    if paths.logs.join(name).is_dir() && !name.contains('/') {
        return Ok(name.into());
    }
    let Ok(snapshot) = Snapshot::load(paths) else { return Ok(name.into()) };
    let id = snapshot.find(name)?;
    Ok(snapshot.definition(id).map_or_else(|| name.into(), |service| service.name.clone()))
}

fn failed(error: &cooper_log::read::Error) -> Error {
    use cooper_log::read::Error as Log;
    match error {
        Log::NoLog { .. } => Error::Failed(error.to_string()),
        Log::Read { path, source } => Error::file("read", path, source),
        Log::Watch { path, source } => Error::file("watch", path, source),
    }
}

fn text(line: &Line) -> String {
    let text = render(&line.text);
    match line.stamp {
        Some(stamp) => format!("{} {text}", stamp_text(stamp)),
        None => text.into_owned(),
    }
}

fn stamp_text(stamp: Stamp) -> String {
    stamp.text().iter().map(|byte| char::from(*byte)).collect()
}

fn print(line: &Line, one: bool, json: bool, screen: &mut Screen) -> Result<(), Error> {
    if json {
        let time = line.stamp.map(stamp_text);
        let text = String::from_utf8_lossy(&line.text);
        return screen.json_line(&JsonLine { service: &line.service, time, text });
    }
    let text = render(&line.text);
    let time = line.stamp.map(|stamp| stamp_text(stamp) + " ").unwrap_or_default();
    let time = screen.paint(Colour::Dim, &time);
    if one {
        return screen.line(format_args!("{time}{text}"));
    }
    let name = format!("{:NAME_WIDTH$}", line.service);
    let name = screen.paint(Colour::Strong, &name);
    screen.line(format_args!("{time}{name} {text}"))
}
