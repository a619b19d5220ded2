//! The control socket: Varlink for everyone, bounded for everyone.
//!
//! **Invariant:** a client costs a descriptor, one call and one reply, whatever it sends and
//! however slowly it reads; it is answered one call at a time, and one that neither finishes its
//! call nor takes its reply is dropped.

mod answer;
mod client;
mod method;
mod wait;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use graph::ServiceId;
use mio::{Interest, Token};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
};
use sys::Errno;
use sys::peer::Peer;
use tracing::{debug, warn};
use unit::Instant;
use wire::paths;

use crate::link::Link;
use crate::places::Places;
use crate::shell::Shell;
use crate::sources::Source;
use crate::{Fatal, clock};

use client::{Client, Doing, Turn};

/// Connections, all together; root may have this many more.
const CLIENTS_MAX: usize = 128;
const CLIENTS_ROOT: usize = 32;
/// Connections of one user who is not root.
const CLIENTS_USER_MAX: usize = 32;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// What init calls the socket that it holds.
const HELD: &str = "control";

/// The server.
#[derive(Debug)]
pub struct Control {
    pub listener: OwnedFd,
    clients: BTreeMap<usize, Client>,
    /// Something has changed since calls that wait were looked at.
    is_news: bool,
}

impl Control {
    /// Takes over the socket that init holds, or makes it.
    pub fn open(link: &mut Link, places: &Places) -> Result<Self, Fatal> {
        let listener = match link.fetch(HELD)? {
            Some(listener) => listener,
            None => {
                let path = places.below(paths::CONTROL);
                let made = make(&path);
                let listener = made.map_err(|error| Fatal::Make(path, error.into()))?;
                link.hold(HELD, listener.as_fd());
                listener
            }
        };
        Ok(Self { listener, clients: BTreeMap::new(), is_news: false })
    }

    /// A service's record has changed.
    pub fn changed(&mut self, id: ServiceId) {
        self.is_news = true;
        for client in self.clients.values_mut() {
            client.changed(id);
        }
    }

    /// Another graph is in force, where services have other indices.
    pub fn switched(&mut self, moved: &dyn Fn(ServiceId) -> Option<ServiceId>) {
        self.is_news = true;
        self.clients.values_mut().for_each(|client| client.switched(moved));
    }

    /// When [`Shell::control_step`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.clients.values().filter_map(Client::deadline).min()
    }
}

impl Shell<'_> {
    /// Somebody connects.
    pub fn control_accept(&mut self) {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match accept_with(&self.world.control.listener, flags) {
                Ok(socket) => self.admit(socket),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                Err(error) => return warn!("cannot accept a connection: {error}"),
            }
        }
    }

    /// A client can be read or written, or is gone.
    pub fn control_event(&mut self, event: &mio::event::Event) {
        if let Some(client) = self.world.control.clients.get_mut(&event.token().0) {
            client.wake(event.is_write_closed());
        }
    }

    /// Gives each client its turn: one call at most.
    pub fn control_step(&mut self) {
        let now = clock::now();
        let clients = self.world.control.clients.iter();
        let awake: Vec<usize> =
            clients.filter(|(_, client)| client.is_due(now)).map(|(token, _)| *token).collect();
        for token in awake {
            // Taken out for its turn, so that the call may do anything with the rest.
            let Some(mut client) = self.world.control.clients.remove(&token) else { continue };
            match client.turn(now) {
                Turn::Nothing => self.tell_news(&mut client),
                Turn::Call(bytes) => self.answer(&mut client, &bytes),
                Turn::TimedOut => self.time_out(&mut client),
                Turn::Gone(why) => {
                    debug!("dropping the client of process {}: {why}", client.peer.id.pid);
                    self.world.sources.forget(Token(token));
                    continue;
                }
            }
            self.world.control.clients.insert(token, client);
        }
    }

    /// Answers calls whose wait is over, and tells those who watch.
    pub fn control_answers(&mut self) {
        let is_news = std::mem::take(&mut self.world.control.is_news);
        if !is_news {
            return;
        }
        let waiting: Vec<usize> = self.world.control.clients.keys().copied().collect();
        for token in waiting {
            let Some(mut client) = self.world.control.clients.remove(&token) else { continue };
            match &client.doing {
                Doing::Nothing => {}
                Doing::Waiting(_) => self.look_whether_settled(&mut client),
                Doing::Watching(_) => self.tell_news(&mut client),
            }
            self.world.control.clients.insert(token, client);
        }
    }

    fn admit(&mut self, socket: OwnedFd) {
        let peer = match Peer::of(&socket) {
            Ok(peer) => peer,
            Err(error) => return warn!("cannot tell who connects: {error}"),
        };
        let clients = &self.world.control.clients;
        let uid = peer.id.uid;
        let same = clients.values().filter(|client| client.peer.id.uid == uid).count();
        let most = if uid == 0 { CLIENTS_MAX.saturating_add(CLIENTS_ROOT) } else { CLIENTS_MAX };
        if clients.len() >= most || uid != 0 && same >= CLIENTS_USER_MAX {
            return debug!("user {uid} has too many connections");
        }
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.world.poll.registry();
        match self.world.sources.watch(registry, &socket, Source::Client, interest) {
            Ok(token) => {
                self.world.control.clients.insert(token.0, Client::new(socket, peer));
            }
            Err(error) => warn!("cannot watch a connection: {error}"),
        }
    }
}

fn make(path: &std::path::Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    // Everyone may connect and read; who may do more is asked of the kernel for each.
    rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(0o666))?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}
