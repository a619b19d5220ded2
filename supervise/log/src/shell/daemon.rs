//! The loop: who has written gets a turn, one chunk each, round and round until all FIFOs are
//! empty; then it sleeps.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use cooper_log::{Stamp, names};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::fd::{AsFd, AsRawFd};

use super::{
    Failed, Paths,
    journal::{Journal, open_fifo},
    say,
    service::{Service, Shared, Turn},
    settings::Specs,
    signals::Signals,
    tap::Tap,
    timers::{Timer, Timers},
    watch::{Change, Watch},
};

/// Log files that stay open; with more services than that writing at once, files are opened and
/// closed in turns.
const OPEN_FILES_MAX: usize = 256;
/// A disk that cannot be written is tried again so often. Only while it cannot.
const RETRY: Duration = Duration::from_secs(1);
/// After SIGTERM, services that never stop writing keep us for so long.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// A FIFO of 1 MiB is empty by then; who still writes to one that was removed, writes to nobody.
const FINISH_TURNS_MAX: u32 = 64;

const SIGNALS: Token = Token(usize::MAX);
const WATCH: Token = Token(usize::MAX - 1);

/// See the module's head.
pub struct Daemon {
    paths: Paths,
    poll: Poll,
    signals: Signals,
    watch: Watch,
    specs: Specs,
    shared: Shared,
    /// By token; tokens are never used twice, so a late event cannot mean another service.
    services: BTreeMap<usize, Service>,
    next_token: usize,
    queue: VecDeque<usize>,
    timers: Timers,
    open_files: usize,
    turns: u64,
    /// A FIFO could not be opened: look again then.
    rescan: Option<Instant>,
}

impl Daemon {
    /// Gets ready, and completes what a killed predecessor had begun.
    ///
    /// # Errors
    /// Something is missing without which nothing can be done, or another `cooper-log` runs.
    pub fn new(paths: Paths) -> Result<Self, Failed> {
        raise_nofile_limit();
        let fifos = paths.fifos();
        fs::create_dir_all(&fifos).map_err(Failed::to("make", &fifos))?;
        let set_up = |e| Failed::to("set up", &paths.run)(e);
        let mut tap = Tap::new().map_err(set_up)?;
        let mut journal = Journal::open(&paths.journal())?;
        if let Err(error) = journal.recover(&paths, &mut tap) {
            // What it was about stays in the FIFO, and may be written twice.
            say(&format!("cooper-log: warning: {error}\n"));
        }
        let poll = Poll::new().map_err(set_up)?;
        let signals = Signals::new().map_err(set_up)?;
        let watch = Watch::new(&paths)?;
        let register = |fd: i32, token| {
            poll.registry().register(&mut SourceFd(&fd), token, Interest::READABLE)
        };
        register(signals.socket().as_raw_fd(), SIGNALS).map_err(set_up)?;
        register(watch.inotify.as_raw_fd(), WATCH).map_err(set_up)?;
        let shared =
            Shared { logs: paths.logs.clone(), journal, tap, out: Vec::with_capacity(64 * 1024) };
        let mut daemon = Self {
            paths,
            poll,
            signals,
            watch,
            specs: Specs::unclaimed(),
            shared,
            services: BTreeMap::new(),
            next_token: 0,
            queue: VecDeque::new(),
            timers: Timers::default(),
            open_files: 0,
            turns: 0,
            rescan: None,
        };
        daemon.read_specs();
        daemon.scan();
        Ok(daemon)
    }

    /// Until SIGTERM. From now on, we must not die: whatever fails is said and tried again.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(256);
        loop {
            let wait = if self.queue.is_empty() { self.wait() } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, wait) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => say(&format!("cooper-log: warning: cannot wait: {e}\n")),
            }
            // Not by its event: that may be one round late, and what is written after SIGHUP
            // belongs into the new file.
            if self.signalled() {
                return self.drain();
            }
            for event in &events {
                match event.token() {
                    SIGNALS => {}
                    WATCH => self.changed(),
                    Token(token) => self.wake(token),
                }
            }
            self.fire_timers();
            for _ in 0..self.queue.len() {
                if let Some(token) = self.queue.pop_front() {
                    self.turn(token, false);
                }
            }
        }
    }

    fn wait(&self) -> Option<Duration> {
        let rescan = self.rescan.map(|at| at.saturating_duration_since(Instant::now()));
        [self.timers.wait(), rescan].into_iter().flatten().min()
    }

    /// A service has written.
    fn wake(&mut self, token: usize) {
        let Some(service) = self.services.get_mut(&token) else { return };
        if service.is_held() {
            service.relieve(&mut self.shared.tap);
        } else if !service.queued {
            service.queued = true;
            self.queue.push_back(token);
        }
    }

    /// One service's turn, and what follows from how it ended.
    fn turn(&mut self, token: usize, flush: bool) -> Option<Turn> {
        let service = self.services.get_mut(&token)?;
        self.turns = self.turns.saturating_add(1);
        service.used = self.turns;
        let (was_open, owed) = (service.store.is_open(), service.owes_notice());
        service.queued = false;
        let turn = service.turn(&mut self.shared, flush || service.gone);
        if service.owes_notice() && !owed {
            self.timers.set(Duration::from_secs(1), token, Timer::Rate);
        }
        match turn {
            Turn::Idle if service.gone => {
                let _ = self.remove(token);
                return Some(turn);
            }
            Turn::Idle => {}
            Turn::Partial => {
                if let Some(left) = service.partial_wait().filter(|_| !service.partial_timer) {
                    service.partial_timer = true;
                    self.timers.set(left, token, Timer::Partial);
                }
            }
            Turn::More => {
                service.queued = true;
                self.queue.push_back(token);
            }
            Turn::Held => self.timers.set(RETRY, token, Timer::Retry),
        }
        let is_open = service.store.is_open();
        self.count_open(was_open, is_open);
        Some(turn)
    }

    fn fire_timers(&mut self) {
        if self.rescan.is_some_and(|at| at <= Instant::now()) {
            self.scan();
        }
        while let Some((token, timer)) = self.timers.due() {
            let Some(service) = self.services.get_mut(&token) else { continue };
            match timer {
                Timer::Partial => {
                    let left = service.partial_wait();
                    // The line that it was set for may have got its end, and another one wait.
                    service.partial_timer = left.is_some_and(|left| !left.is_zero());
                    match left {
                        Some(left) if !left.is_zero() => {
                            self.timers.set(left, token, Timer::Partial);
                        }
                        Some(_) if !service.is_held() => {
                            self.turn(token, true);
                        }
                        Some(_) | None => {}
                    }
                }
                Timer::Retry => {
                    self.turn(token, false);
                }
                Timer::Rate => {
                    if !service.is_held() {
                        self.turn(token, false);
                    }
                }
                Timer::Age => self.expire(token),
            }
        }
    }

    /// Deletes what has become too old of one log.
    fn expire(&mut self, token: usize) {
        let Some(service) = self.services.get_mut(&token) else { return };
        let was_open = service.store.is_open();
        let now = Stamp::now();
        let directory = self.paths.logs.join(&*service.name);
        let due = service.store.expire(&directory, &service.settings.limits, now);
        let age = service.settings.limits.age;
        // What cannot be deleted now, or is not there yet, is looked for when it would be due.
        let at = due.ok().flatten().or_else(|| Some(now.after(age?)));
        if let Some(at) = at {
            let left = Duration::from_micros(at.0.saturating_sub(now.0)).max(RETRY);
            self.timers.set(left, token, Timer::Age);
        }
        let is_open = service.store.is_open();
        self.count_open(was_open, is_open);
    }

    /// Keeps few files open.
    fn count_open(&mut self, was_open: bool, is_open: bool) {
        self.open_files = match (was_open, is_open) {
            (false, true) => self.open_files.saturating_add(1),
            (true, false) => self.open_files.saturating_sub(1),
            (true, true) | (false, false) => return,
        };
        if self.open_files <= OPEN_FILES_MAX {
            return;
        }
        let open = self.services.values_mut().filter(|service| service.store.is_open());
        if let Some(service) = open.min_by_key(|service| service.used) {
            service.store.close();
            self.open_files = self.open_files.saturating_sub(1);
        }
    }

    /// True: it was SIGTERM.
    fn signalled(&mut self) -> bool {
        let asked = self.signals.take();
        if asked.reopen {
            for service in self.services.values_mut() {
                service.store.forget();
            }
            self.open_files = 0;
            self.read_specs();
        }
        if asked.rotate {
            for service in self.services.values_mut() {
                if let Err(e) = service.rotate(&self.paths.logs) {
                    let (name, why) = (&service.name, super::reason(&e));
                    say(&format!("cooper-log {name}: warning: cannot rotate: {why}\n"));
                }
            }
            self.open_files = self.services.values().filter(|s| s.store.is_open()).count();
        }
        asked.end
    }

    fn changed(&mut self) {
        let changes = match self.watch.take() {
            Ok(changes) => changes,
            Err(e) => {
                say(&format!("cooper-log: warning: cannot watch: {e}\n"));
                vec![Change::Everything]
            }
        };
        for change in changes {
            match change {
                Change::Came(name) => self.add(&name),
                Change::Went(name) => self.retire(&name),
                Change::Graph => self.read_specs(),
                Change::Everything => {
                    self.read_specs();
                    self.scan();
                }
            }
        }
    }

    /// The graph was replaced, or is read for the first time.
    fn read_specs(&mut self) {
        match Specs::read(&self.paths) {
            Ok(specs) => self.specs = specs,
            Err(error) => {
                // The settings in force stay in force.
                say(&format!("cooper-log: warning: {error}\n"));
                return;
            }
        }
        for (token, service) in &mut self.services {
            let settings = self.specs.of(&service.name);
            if settings.limits.age.is_some() && settings.limits.age != service.settings.limits.age {
                self.timers.set(Duration::ZERO, *token, Timer::Age);
            }
            service.settings = settings;
        }
    }

    /// Makes the list of services that of the FIFOs.
    fn scan(&mut self) {
        self.rescan = None;
        let mut present = Vec::new();
        let entries = fs::read_dir(self.paths.fifos()).into_iter().flatten();
        for entry in entries.flatten() {
            if let Ok(name) = entry.file_name().into_string() {
                present.push(name);
            }
        }
        present.sort_unstable();
        let gone: Vec<Box<str>> = self
            .services
            .values()
            .filter(|service| present.binary_search_by(|n| (**n).cmp(&service.name)).is_err())
            .map(|service| service.name.clone())
            .collect();
        for name in gone {
            self.retire(&name);
        }
        for name in present {
            self.add(&name);
        }
    }

    /// Takes up a FIFO, if it is one and is new.
    fn add(&mut self, name: &str) {
        if !names::is_log(name) {
            return;
        }
        let (fifo, id) = match open_fifo(&self.paths.fifos().join(name)) {
            Ok(opened) => opened,
            // Gone again, or not a FIFO.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => return,
            Err(e) => {
                say(&format!("cooper-log {name}: warning: cannot open its FIFO: {e}\n"));
                self.rescan = Instant::now().checked_add(RETRY);
                return;
            }
        };
        let known = self.token_of(name);
        if known.and_then(|token| self.services.get(&token)).is_some_and(|s| s.fifo_id == id) {
            return;
        }
        let mut service = Service::new(name, fifo, id, self.specs.of(name));
        if let Some(old) = known.and_then(|token| self.finish(token)) {
            service.inherit(old);
        }
        let token = self.next_token;
        self.next_token = token.saturating_add(1);
        let fd = service.fifo.as_fd().as_raw_fd();
        let registered =
            self.poll.registry().register(&mut SourceFd(&fd), Token(token), Interest::READABLE);
        if let Err(e) = registered {
            say(&format!("cooper-log {name}: warning: cannot wait for it: {e}\n"));
            self.rescan = Instant::now().checked_add(RETRY);
            return;
        }
        if service.settings.limits.age.is_some() {
            self.timers.set(Duration::ZERO, token, Timer::Age);
        }
        // What it holds already need not be announced again.
        service.queued = true;
        self.queue.push_back(token);
        self.services.insert(token, service);
    }

    /// A FIFO was removed: once what it holds is written, we are done with it.
    fn retire(&mut self, name: &str) {
        let Some(token) = self.token_of(name) else { return };
        let present = open_fifo(&self.paths.fifos().join(name)).map(|(_, id)| id);
        let Some(service) = self.services.get_mut(&token) else { return };
        if present.is_ok_and(|id| id == service.fifo_id) {
            return;
        }
        service.gone = true;
        if !service.is_held() && !service.queued {
            service.queued = true;
            self.queue.push_back(token);
        }
    }

    /// Writes what a removed FIFO holds; what cannot be written is lost with it.
    fn finish(&mut self, token: usize) -> Option<Service> {
        self.services.get_mut(&token)?.gone = true;
        for _ in 0..FINISH_TURNS_MAX {
            if self.turn(token, true) != Some(Turn::More) {
                break;
            }
        }
        let mut service = self.remove(token)?;
        service.abandon(&mut self.shared.tap);
        Some(service)
    }

    fn remove(&mut self, token: usize) -> Option<Service> {
        let service = self.services.remove(&token)?;
        let fd = service.fifo.as_fd().as_raw_fd();
        // Our descriptor may not be the last one: the kernel would go on telling us.
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
        if service.store.is_open() {
            self.open_files = self.open_files.saturating_sub(1);
        }
        Some(service)
    }

    fn token_of(&self, name: &str) -> Option<usize> {
        let mut found = self.services.iter().filter(|(_, service)| &*service.name == name);
        found.next().map(|(token, _)| *token)
    }

    /// Writes all there is, beginnings of lines as well.
    fn drain(&mut self) {
        let end = Instant::now().checked_add(DRAIN_MAX);
        self.changed();
        let mut left: Vec<usize> = self.services.keys().copied().collect();
        while !left.is_empty() && end.is_some_and(|end| Instant::now() < end) {
            left.retain(|token| self.turn(*token, true) == Some(Turn::More));
        }
    }
}

/// Two descriptors for each service, more or less.
fn raise_nofile_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(errno) = raised {
        let why = super::reason(&io::Error::from(errno));
        say(&format!("cooper-log: warning: cannot raise its limit of open files: {why}\n"));
    }
}
