//! `svc container`, and `/init` of an image: what a container begins with.
//!
//! It is process 1, or whatever the engine makes it, for as long as it takes to compile the
//! container's service files, if there are any; then init takes its place, under the same process
//! id. Nothing that lives long has read a text.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use graph::Kind;
use source::MAIN;
use wire::{
    paths,
    rewrite::{GROUP, Rewrites, VARIABLE},
};

use crate::{args::Container, context::Context, error::Error, exit::Exit, files};

/// The graph that is made for init's `supervise`, below the run directory.
const GRAPH: &str = "container-graph";
const GRAPH_MODE: u32 = 0o600;

/// Does not return if all goes well.
pub fn run(args: &Container, context: &mut Context) -> Result<Exit, Error> {
    let command = texts(&args.command)?;
    let rewrites = rewrites(args)?;
    let run = run_dir()?;
    context.paths.run.clone_from(&run);
    let mut start = Start { command, graph: None };
    let health = health()?;
    if has_services(&context.paths.services) || !health.is_empty() {
        start = compile(start, health, &run, context)?;
    }
    if start.command.is_empty() && start.graph.is_none() {
        return Err(Error::Usage(
            "nothing to run: give the container a command, or services in /etc/cooper/services"
                .into(),
        ));
    }
    let libexec =
        std::env::var_os("COOPER_LIBEXEC").map_or_else(|| paths::LIBEXEC.into(), PathBuf::from);
    let program = libexec.join("init");
    let mut init = Command::new(&program);
    init.env("COOPER_RUN", &run).env("COOPER_CONTAINER", "1").env(VARIABLE, rewrites);
    init.envs(args.group.then_some((GROUP, "1")));
    init.envs(start.graph.map(|graph| ("COOPER_GRAPH", graph)));
    if std::process::id() != 1 {
        init.arg("--subtree");
    }
    if !start.command.is_empty() {
        init.arg("--").args(start.command);
    }
    let error = init.exec();
    Err(Error::file("execute", &program, &error))
}

/// What init is started with.
struct Start {
    /// Empty: there is no main service.
    command: Vec<String>,
    graph: Option<PathBuf>,
}

fn texts(command: &[OsString]) -> Result<Vec<String>, Error> {
    let text = |word: &OsString| {
        let text = word.to_str().map(String::from);
        text.ok_or_else(|| Error::Usage(format!("{word:?} is not UTF-8")))
    };
    command.iter().map(text).collect()
}

/// Those of the command line after those of the environment, as one text.
fn rewrites(args: &Container) -> Result<String, Error> {
    let own = std::env::var(VARIABLE).ok();
    let all: Vec<&str> = own.iter().chain(&args.rewrite).map(String::as_str).collect();
    let all = all.join(",");
    if let Err(rule) = Rewrites::parse(&all) {
        let wrong = format!("`{rule}` rewrites no signal: write TERM:QUIT, or HUP:0 for none");
        return Err(Error::Usage(wrong));
    }
    Ok(all)
}

fn run_dir() -> Result<PathBuf, Error> {
    match std::env::var_os("COOPER_RUN").map(PathBuf::from) {
        Some(run) => match fs::create_dir_all(&run) {
            Ok(()) => Ok(run),
            Err(error) => Err(Error::file("make", &run, &error)),
        },
        None => {
            sys::run_dir::make().map_err(|error| Error::file("make", Path::new(paths::RUN), &error))
        }
    }
}

/// Whether there is a service file, so that there is something to compile.
fn has_services(dirs: &[PathBuf]) -> bool {
    let is_service = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|ending| ending == "toml"))
    };
    dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).any(|mut dir| dir.any(is_service))
}

/// The command that tells how the services are, if the environment asks for it; else nothing.
fn health() -> Result<Vec<String>, Error> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let addresses = variable("COOPER_HEALTH_LISTEN").unwrap_or_default();
    let addresses = addresses.split(',').map(str::trim).filter(|address| !address.is_empty());
    let addresses = addresses.flat_map(|address| ["--listen".into(), address.into()]);
    let file = variable("COOPER_HEALTH_FILE").map(|path| ["--file".into(), path]);
    let options: Vec<String> = addresses.chain(file.into_iter().flatten()).collect();
    if options.is_empty() {
        return Ok(options);
    }
    let own = std::env::current_exe().map_err(|error| Error::system("find svc", &error))?;
    let begin = [own.display().to_string(), "health".into()];
    Ok(begin.into_iter().chain(options).collect())
}

fn compile(
    start: Start,
    health: Vec<String>,
    run: &Path,
    context: &mut Context,
) -> Result<Start, Error> {
    let container = source::Container { command: start.command, health };
    let graph = files::compile_container(&container, context)?;
    let main = graph.services.iter().find(|service| service.name == MAIN);
    let command = match main.map(|service| &service.kind) {
        Some(Kind::Longrun(process)) => process.exec.clone(),
        Some(Kind::Oneshot(_) | Kind::Bundle(_)) | None => Vec::new(),
    };
    let path = run.join(GRAPH);
    sys::file::replace(&path, &graph::encode(&graph), GRAPH_MODE)
        .map_err(|error| Error::file("write", &path, &error))?;
    Ok(Start { command, graph: Some(path) })
}
