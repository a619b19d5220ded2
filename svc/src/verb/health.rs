//! `svc health`: whether all that is wanted is ready, for those who ask by running a command, by
//! looking for a file, or over HTTP.
//!
//! As a service it sleeps until somebody asks or a service changes, and remembers nothing: each
//! answer is read from the state table, as it is at that moment.

mod http;

use std::{
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, poll};
use wire::varlink::{Goal, ListReply, Method, State, WatchParameters};

use self::http::Listener;
use crate::{
    args::Health,
    client::{BREAKS_MAX, Client, Fault},
    context::Context,
    error::Error,
    exit::Exit,
    model::Snapshot,
    paths::Paths,
};

/// What a readable connection may still owe of a message that has begun.
const REST: Duration = Duration::from_millis(100);

/// Answers once, or goes on answering.
pub fn run(args: &Health, context: &mut Context) -> Result<Exit, Error> {
    if args.listen.is_empty() && args.file.is_none() {
        let report = Report::read(&context.paths)?;
        for line in &report.unready {
            context.screen.line(line)?;
        }
        return Ok(if report.unready.is_empty() { Exit::Ok } else { Exit::Failed });
    }
    let listeners: Result<Vec<Listener>, Error> =
        args.listen.iter().map(|address| Listener::open(address)).collect();
    let mut service = Service {
        paths: context.paths.clone(),
        listeners: listeners?,
        file: args.file.clone(),
        watch: None,
        breaks: 0,
    };
    loop {
        service.turn()?;
    }
}

/// What is not as it should be, one line each.
struct Report {
    /// Wanted, and not ready.
    unready: Vec<String>,
    /// Wanted, and in a state that it does not leave by itself, or with probes that fail.
    failing: Vec<String>,
}

impl Report {
    fn read(paths: &Paths) -> Result<Self, Error> {
        let snapshot = Snapshot::load(paths)?;
        let list = snapshot.list(&snapshot.ids().collect::<Vec<_>>());
        let mut report = Self::of(&list);
        if snapshot.live.shutdown.is_some() {
            report.unready.insert(0, "everything is being stopped".into());
        }
        Ok(report)
    }

    fn of(list: &ListReply) -> Self {
        let mut report = Self { unready: Vec::new(), failing: Vec::new() };
        for service in list.services.iter().filter(|service| service.goal == Goal::Up) {
            let line = || format!("{} is {}: {}", service.name, service.state.word(), service.why);
            match service.state {
                State::Ready | State::Done | State::Ended | State::Skipped => {}
                State::Failed | State::Degraded => {
                    report.unready.push(line());
                    report.failing.push(line());
                }
                State::Down
                | State::Waiting
                | State::Starting
                | State::Stopping
                | State::Backoff
                | State::Running
                | State::Undoing => report.unready.push(line()),
            }
        }
        report
    }
}

struct Service {
    paths: Paths,
    listeners: Vec<Listener>,
    /// There while all is ready.
    file: Option<PathBuf>,
    /// Tells of changes, where there is a file to keep.
    watch: Option<Client>,
    breaks: u32,
}

impl Service {
    /// Waits for one thing, and answers it.
    fn turn(&mut self) -> Result<(), Error> {
        if self.file.is_some() && self.watch.is_none() {
            self.connect()?;
        }
        let watch = self.watch.as_ref().map(AsFd::as_fd);
        let all = self.listeners.iter().map(AsFd::as_fd).chain(watch);
        let mut all: Vec<PollFd<'_>> =
            all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut all, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::system("wait", &errno.into())),
        }
        let ready: Vec<bool> = all.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (listener, _) in self.listeners.iter().zip(&ready).filter(|(_, ready)| **ready) {
            listener.answer(&self.paths);
        }
        if ready.len() > self.listeners.len() && ready.last() == Some(&true) {
            self.hear()?;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Error> {
        let connected = Client::connect(&self.paths).and_then(|mut client| {
            client.send(Method::Watch, &WatchParameters { names: None }, true)?;
            Ok(client)
        });
        match connected {
            Ok(client) => self.watch = Some(client),
            Err(Fault::Broken) if self.breaks < BREAKS_MAX => {
                self.breaks = self.breaks.saturating_add(1);
            }
            Err(fault) => return Err(fault.into()),
        }
        self.keep_file()
    }

    /// Something has changed; or `supervise` is replaced, and the next turn connects again.
    fn hear(&mut self) -> Result<(), Error> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        match watch.reply::<ListReply>(REST) {
            Ok(_) => self.breaks = 0,
            Err(Fault::Broken) if self.breaks < BREAKS_MAX => {
                self.breaks = self.breaks.saturating_add(1);
                self.watch = None;
            }
            Err(fault) => return Err(fault.into()),
        }
        self.keep_file()
    }

    fn keep_file(&self) -> Result<(), Error> {
        let Some(path) = &self.file else { return Ok(()) };
        // Who cannot tell must not say that all is well.
        let ready = Report::read(&self.paths).is_ok_and(|report| report.unready.is_empty());
        if ready { make(path) } else { remove(path) }
    }
}

fn make(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    fs::write(path, "").map_err(|error| Error::file("make", path, &error))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::file("remove", path, &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
