//! The daemon: one thread, one poll(2). It sleeps until somebody calls, lets go or stalls.
//!
//! It decides nothing: [`Manager`] does. It touches only the run directory. Killed, it starts anew
//! with the locks that are held; its clients connect again by themselves (kubelet: each second).

mod connection;
mod listen;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::lock::{Lock, LockId};
use crate::manager::{Action, Client, Event, Manager};
use crate::node::now_us;
use crate::store::{Held, Store};
use crate::talk::{notify, say};
use crate::{Error, record};

use connection::{Connection, Heard};
use listen::Listener;

pub use listen::SOCKET;

/// After a failure to accept, for want of descriptors or memory, it waits this long.
const ACCEPT_PAUSE_US: u64 = 1_000_000;

/// See the module's head.
#[derive(Debug)]
pub struct Daemon {
    listener: Listener,
    store: Store,
    manager: Manager,
    connections: BTreeMap<Client, Connection>,
    /// The reading ends of all locks.
    ends: BTreeMap<LockId, OwnedFd>,
    next_client: u32,
    /// Nobody is let in before then.
    pause_until_us: Option<u64>,
    guid: String,
    status: String,
}

/// What poll(2) is asked about, in the same order.
#[derive(Clone, Copy, Debug)]
enum Watched {
    Listener,
    Client(Client),
    Lock(LockId),
}

impl Daemon {
    /// Opens the socket in this run directory.
    ///
    /// # Errors
    /// When that fails, or another daemon has it.
    pub fn new(run: &Path, delay_max_us: u64) -> Result<Self, Error> {
        let store = Store::new(run);
        store.create()?;
        let listener = Listener::bind(run)?;
        let held = store.sweep()?;
        // Any 128 bits that no other daemon has.
        let guid: String = record::boot_id()?.chars().filter(|c| *c != '-').collect();
        for Held { lock, .. } in &held {
            say(format_args!("info: {} is still held", describe(lock)));
        }
        let locks = held.iter().map(|held| held.lock.clone());
        Ok(Self {
            listener,
            manager: Manager::new(delay_max_us, guid.clone(), locks),
            store,
            connections: BTreeMap::new(),
            ends: held.into_iter().map(|held| (held.lock.id, held.end)).collect(),
            next_client: 0,
            pause_until_us: None,
            guid,
            status: String::new(),
        })
    }

    /// Runs until it is killed.
    pub fn run(mut self) -> ! {
        notify("READY=1");
        // From now on, we must not die.
        loop {
            self.tell_status();
            let now = now_us();
            self.expire(now);
            for watched in self.wait(now) {
                match watched {
                    Watched::Listener => self.accept(),
                    Watched::Client(client) => self.hear(client),
                    Watched::Lock(id) => self.released(id),
                }
            }
        }
    }

    /// Sleeps until something is to be done.
    fn wait(&self, now_us: u64) -> Vec<Watched> {
        let mut watched = Vec::new();
        let mut fds = Vec::new();
        if self.pause_until_us.is_none() {
            watched.push(Watched::Listener);
            fds.push(PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN));
        }
        for (client, connection) in &self.connections {
            watched.push(Watched::Client(*client));
            fds.push(PollFd::from_borrowed_fd(connection.as_fd(), connection.interest()));
        }
        for (id, end) in &self.ends {
            // Nothing but its hanging up: whatever is written into it is of no interest.
            watched.push(Watched::Lock(*id));
            fds.push(PollFd::from_borrowed_fd(end.as_fd(), PollFlags::empty()));
        }
        let timeout = self.deadline().map(|at| timespec(at.saturating_sub(now_us)));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Vec::new(),
            Err(errno) => say(format_args!("warning: cannot wait: {errno}")),
        }
        let ready = fds.iter().map(|fd| !fd.revents().is_empty());
        watched.into_iter().zip(ready).filter(|(_, ready)| *ready).map(|(who, _)| who).collect()
    }

    fn deadline(&self) -> Option<u64> {
        let stalls = self.connections.values().filter_map(Connection::deadline_us);
        stalls.chain(self.manager.deadline_us()).chain(self.pause_until_us).min()
    }

    /// What is due is done.
    fn expire(&mut self, now_us: u64) {
        self.pause_until_us = self.pause_until_us.filter(|until| *until > now_us);
        if self.manager.deadline_us().is_some_and(|at| at <= now_us) {
            self.step(&Event::Due);
        }
        let stalled: Vec<Client> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.deadline_us().is_some_and(|at| at <= now_us))
            .map(|(client, _)| *client)
            .collect();
        for client in stalled {
            self.close(client, "it takes too long");
        }
    }

    fn accept(&mut self) {
        match self.listener.accept(self.connections.len()) {
            Ok(Some((socket, peer))) => {
                let client = Client(self.next_client);
                self.next_client = self.next_client.wrapping_add(1);
                let connection = Connection::new(socket, peer, self.guid.clone(), now_us());
                self.connections.insert(client, connection);
            }
            Ok(None) => {}
            Err(error) => {
                say(format_args!("warning: {error}"));
                self.pause_until_us = Some(now_us().saturating_add(ACCEPT_PAUSE_US));
            }
        }
    }

    /// A client has something to say, can take what is said to it, or has hung up.
    fn hear(&mut self, client: Client) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        if let Err(why) = connection.transfer(now_us()) {
            return self.close(client, why);
        }
        while let Some(connection) = self.connections.get_mut(&client) {
            let heard = connection.next(now_us());
            let (pid, uid) = (connection.peer.pid, connection.peer.uid);
            match heard {
                Heard::Nothing => break,
                Heard::Begin => self.step(&Event::Connected { client, pid, uid }),
                Heard::Message(message) => self.step(&Event::Said(client, &message)),
                Heard::Nonsense(why) => self.close(client, why),
            }
        }
        // What was just answered goes out at once, if it can.
        let flushed = self.connections.get_mut(&client).map(|c| c.flush(now_us()));
        if let Some(Err(why)) = flushed {
            self.close(client, why);
        }
    }

    fn released(&mut self, id: LockId) {
        if let Some(lock) = self.manager.locks().find(|lock| lock.id == id) {
            say(format_args!("info: {} is released", describe(lock)));
        }
        self.step(&Event::Released(id));
        // Also if nobody knew it.
        self.ends.remove(&id);
    }

    fn step(&mut self, event: &Event<'_>) {
        let actions = self.manager.step(now_us(), event);
        for action in actions {
            match action {
                Action::Send(client, message) => self.send(client, message, None),
                Action::Grant { client, lock, granted, refused } => {
                    self.grant(client, &lock, granted, refused);
                }
                Action::Forget(id) => {
                    self.ends.remove(&id);
                    self.store.remove(id);
                }
                Action::Close(client, why) => self.close(client, why),
            }
        }
    }

    fn grant(&mut self, client: Client, lock: &Lock, granted: Vec<u8>, refused: Vec<u8>) {
        match self.store.take(lock) {
            Ok((read, write)) => {
                say(format_args!("info: {} is taken: {}", describe(lock), lock.why));
                self.ends.insert(lock.id, read);
                // Our copy of the writing end goes away once it is sent, or cannot be.
                self.send(client, granted, Some(write));
            }
            Err(error) => {
                say(format_args!("warning: {error}"));
                self.step(&Event::Released(lock.id));
                self.send(client, refused, None);
            }
        }
    }

    fn send(&mut self, client: Client, message: Vec<u8>, descriptor: Option<OwnedFd>) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        connection.send(message, descriptor);
        if let Err(why) = connection.flush(now_us()) {
            self.close(client, why);
        }
    }

    fn close(&mut self, client: Client, why: &str) {
        let Some(connection) = self.connections.remove(&client) else { return };
        if connection.is_suspicious(why) {
            say(format_args!("warning: process {} is hung up on: {why}", connection.peer.pid));
        }
        self.step(&Event::Gone(client));
    }

    /// What `svc status` shows, when it changes.
    fn tell_status(&mut self) {
        let who: Vec<&str> = self
            .manager
            .locks()
            .filter(|lock| lock.delays_shutdown())
            .map(|lock| lock.who.as_str())
            .collect();
        let status = match (self.manager.is_preparing(), who.is_empty()) {
            (_, true) => "nobody delays a shutdown".into(),
            (false, false) => format!("a shutdown waits for {}", who.join(", ")),
            (true, false) => format!("the shutdown waits for {}", who.join(", ")),
        };
        if status != self.status {
            notify(&format!("STATUS={}", status.replace('\n', " ")));
            self.status = status;
        }
    }
}

fn describe(lock: &Lock) -> String {
    format!("the lock of {} (process {}) on {}", lock.who, lock.pid, lock.what)
}

pub(crate) fn timespec(us: u64) -> Timespec {
    let nanoseconds = us.checked_rem(1_000_000).unwrap_or(0).saturating_mul(1000);
    Timespec {
        tv_sec: i64::try_from(us / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    }
}
