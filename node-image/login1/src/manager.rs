//! The daemon's mind: who is connected, who holds a lock, and whether a shutdown is announced.
//!
//! It is *not* the daemon: it has no socket, no file and no clock. **Invariants:** a client is told
//! `PrepareForShutdown(true)` at most once, unless `false` came between (kubelet closes its lock's
//! descriptor by number each time it hears it, whatever has that number by then); what a client
//! does costs nobody but itself.

mod call;
mod session;

use std::collections::BTreeMap;

use crate::dbus::{Message, Signal, Writer};
use crate::lock::{Lock, LockId};

use call::{Call, Refused, Reply};
use session::Session;

pub use call::{INTERFACE, PATH, Private};

/// More locks than any node has holders.
const LOCKS_MAX: usize = 64;
/// godbus subscribes first and begins to listen after the reply: who subscribes while a shutdown
/// is announced is told only after this pause. Microseconds.
const TELL_LATER_US: u64 = 500_000;
/// logind's own name, which a signal comes from.
const NAMES: [&str; 2] = [call::OWN_NAME, call::LOGIN1];

/// A client.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Client(pub u32);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A client has finished its handshake.
    Connected {
        /// Which one.
        client: Client,
        /// Its process.
        pid: u32,
        /// Its user.
        uid: u32,
    },
    /// It has sent a message: all of it, and nothing else.
    Said(Client, &'a [u8]),
    /// It is gone.
    Gone(Client),
    /// A lock has no holder any more, or could not be made.
    Released(LockId),
    /// The deadline has come.
    Due,
}

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Send it this.
    Send(Client, Vec<u8>),
    /// Make this lock and send `granted` with its writing end; or `refused`, if that fails.
    Grant {
        /// Whom to.
        client: Client,
        /// Which lock.
        lock: Lock,
        /// What to send with it.
        granted: Vec<u8>,
        /// What to send instead.
        refused: Vec<u8>,
    },
    /// Remove its files.
    Forget(LockId),
    /// Hang up.
    Close(Client, &'static str),
}

/// A shutdown, and who has announced it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Announced {
    /// There is none.
    No,
    /// This client waits for the locks. If it is gone before it says what came of it, there is no
    /// shutdown.
    By(Client),
    /// It goes on: nobody is waited for any more.
    Done,
}

/// See the module's head.
#[derive(Clone, Debug)]
pub struct Manager {
    /// How long a lock delays a shutdown at most, as clients are told. Microseconds.
    delay_max_us: u64,
    guid: String,
    sessions: BTreeMap<Client, Session>,
    locks: BTreeMap<LockId, Lock>,
    next_lock: u32,
    announced: Announced,
}

impl Manager {
    /// With the locks that are held already.
    #[must_use]
    pub fn new(delay_max_us: u64, guid: String, locks: impl IntoIterator<Item = Lock>) -> Self {
        let locks: BTreeMap<LockId, Lock> = locks.into_iter().map(|lock| (lock.id, lock)).collect();
        let next_lock = locks.keys().next_back().map_or(1, |last| last.0.wrapping_add(1));
        let (sessions, announced) = (BTreeMap::new(), Announced::No);
        Self { delay_max_us, guid, sessions, locks, next_lock, announced }
    }

    /// The locks that are held.
    pub fn locks(&self) -> impl Iterator<Item = &Lock> {
        self.locks.values()
    }

    /// A shutdown is announced.
    #[must_use]
    pub fn is_preparing(&self) -> bool {
        self.announced != Announced::No
    }

    /// When [`Event::Due`] is to come.
    #[must_use]
    pub fn deadline_us(&self) -> Option<u64> {
        self.sessions.values().filter_map(|session| session.tell_at_us).min()
    }

    /// Something has happened.
    #[must_use]
    pub fn step(&mut self, now_us: u64, event: &Event<'_>) -> Vec<Action> {
        match event {
            Event::Connected { client, pid, uid } => {
                self.sessions.insert(*client, Session::new(*client, *pid, *uid));
                Vec::new()
            }
            Event::Said(client, bytes) => self.said(now_us, *client, bytes),
            Event::Gone(client) => {
                self.sessions.remove(client);
                if self.announced == Announced::By(*client) { self.cancel() } else { Vec::new() }
            }
            Event::Released(id) => {
                let known = self.locks.remove(id);
                known.map(|lock| Action::Forget(lock.id)).into_iter().collect()
            }
            Event::Due => {
                for session in self.sessions.values_mut() {
                    session.tell_at_us = session.tell_at_us.filter(|at| *at > now_us);
                }
                if self.is_preparing() { self.tell(true) } else { Vec::new() }
            }
        }
    }

    fn said(&mut self, now_us: u64, client: Client, bytes: &[u8]) -> Vec<Action> {
        let Ok(message) = Message::decode(bytes) else {
            return vec![Action::Close(client, "it sends what is no message")];
        };
        let Some(call) = Call::of(&message) else { return Vec::new() };
        let answer = match call {
            Ok(Call::Inhibit { what, who, why, mode }) => {
                let given = self.grant(now_us, client, [what, who, why, mode], &message);
                match given {
                    Ok(action) => return vec![action],
                    Err(refused) => Err(refused),
                }
            }
            Ok(call) => self.carry_out(now_us, client, &call),
            Err(refused) => Err(refused),
        };
        let (reply, then) = match answer {
            Ok((reply, then)) => (Ok(reply), then),
            Err(refused) => (Err(refused), Vec::new()),
        };
        let reply = self
            .sessions
            .get_mut(&client)
            .filter(|_| !message.header.no_reply)
            .map(|session| Action::Send(client, session.reply(&message.header, &reply)));
        reply.into_iter().chain(then).collect()
    }

    /// Everything but a lock, which takes more than a reply.
    fn carry_out(
        &mut self,
        now_us: u64,
        client: Client,
        call: &Call<'_>,
    ) -> Result<(Reply, Vec<Action>), Refused> {
        let gone = Refused::failed("the client is gone");
        let preparing = self.is_preparing();
        let session = self.sessions.get_mut(&client).ok_or(gone)?;
        let mut then = Vec::new();
        let reply = match call {
            Call::Hello => Reply::text(&session.name),
            Call::AddMatch(rule) => {
                session.subscribe(rule)?;
                if preparing && !session.is_told && session.wants(&prepare_for_shutdown()) {
                    session.tell_at_us = Some(now_us.saturating_add(TELL_LATER_US));
                }
                Reply::default()
            }
            Call::RemoveMatch(rule) => session.unsubscribe(rule)?,
            Call::Private(private) => {
                then = self.shutdown(client, *private)?;
                Reply::default()
            }
            Call::ListInhibitors => self.list(),
            Call::Get(property) => Reply::variant(|value| self.property(property, value))?,
            Call::GetAll => self.properties(),
            Call::GetId => Reply::text(&self.guid),
            Call::Fixed(reply) => reply.clone(),
            Call::Inhibit { .. } => return Err(Refused::failed("a lock comes another way")),
        };
        Ok((reply, then))
    }

    fn grant(
        &mut self,
        now_us: u64,
        client: Client,
        [what, who, why, mode]: [&str; 4],
        message: &Message<'_>,
    ) -> Result<Action, Refused> {
        Lock::check(what, who, why, mode)?;
        let gone = Refused::failed("the client is gone");
        let session = self.sessions.get_mut(&client).ok_or(gone)?;
        if self.locks.len() >= LOCKS_MAX {
            return Err(Refused::limit("there are too many locks"));
        }
        let id = LockId(self.next_lock);
        self.next_lock = self.next_lock.wrapping_add(1);
        let lock = Lock {
            id,
            what: what.into(),
            who: who.into(),
            why: why.into(),
            pid: session.pid,
            uid: session.uid,
            since_us: now_us,
        };
        let failed = Err(Refused::failed("the lock cannot be made"));
        let refused = session.reply(&message.header, &failed);
        let granted = session.reply(&message.header, &Ok(Reply::descriptor()));
        self.locks.insert(id, lock.clone());
        Ok(Action::Grant { client, lock, granted, refused })
    }

    fn shutdown(&mut self, client: Client, what: Private) -> Result<Vec<Action>, Refused> {
        match (what, self.announced) {
            (Private::Prepare, Announced::No | Announced::Done) => {
                self.announced = Announced::By(client);
                Ok(self.tell(true))
            }
            (Private::Prepare, Announced::By(other)) if other != client => {
                Err(Refused::failed("somebody else has announced a shutdown"))
            }
            (Private::Proceed, Announced::By(by)) if by == client => {
                self.announced = Announced::Done;
                Ok(Vec::new())
            }
            (Private::Proceed, _) => Err(Refused::failed("you have announced no shutdown")),
            (Private::Prepare, Announced::By(_)) => Ok(Vec::new()),
            (Private::Cancel, _) => Ok(self.cancel()),
        }
    }

    /// There is no shutdown after all.
    fn cancel(&mut self) -> Vec<Action> {
        self.announced = Announced::No;
        self.tell(false)
    }

    /// Tells all who want to hear it and do not know it, but for those that are told later.
    fn tell(&mut self, active: bool) -> Vec<Action> {
        let signal = prepare_for_shutdown();
        let mut told = Vec::new();
        for (client, session) in &mut self.sessions {
            if !active {
                session.tell_at_us = None;
            }
            let later = session.tell_at_us.is_some();
            if later || session.is_told == active || !session.wants(&signal) {
                continue;
            }
            session.is_told = active;
            let mut body = Writer::default();
            body.bool(active);
            told.push(Action::Send(*client, session.signal(&signal, "b", &body)));
        }
        told
    }

    /// `a(ssssuu)`, as logind's.
    fn list(&self) -> Reply {
        let mut body = Writer::default();
        body.array(8, |elements| {
            for lock in self.locks.values() {
                elements.align(8);
                elements.string(&lock.what).string(&lock.who).string(&lock.why).string("delay");
                elements.u32(lock.uid).u32(lock.pid);
            }
        });
        Reply { signature: "a(ssssuu)", body, descriptors: 0 }
    }

    /// `a{sv}`.
    fn properties(&self) -> Reply {
        let mut body = Writer::default();
        body.array(8, |elements| {
            for name in call::PROPERTIES {
                elements.align(8);
                elements.string(name);
                let _ = self.property(name, elements);
            }
        });
        Reply { signature: "a{sv}", body, descriptors: 0 }
    }

    /// A property's type and value.
    fn property(&self, name: &str, value: &mut Writer) -> Result<(), Refused> {
        match name {
            "InhibitDelayMaxUSec" => value.signature("t").u64(self.delay_max_us),
            "PreparingForShutdown" => value.signature("b").bool(self.is_preparing()),
            "BlockInhibited" => value.signature("s").string(""),
            "DelayInhibited" => {
                let delayed = self.locks.values().any(Lock::delays_shutdown);
                value.signature("s").string(if delayed { "shutdown" } else { "" })
            }
            _ => return Err(Refused::unknown_property()),
        };
        Ok(())
    }
}

fn prepare_for_shutdown() -> Signal<'static> {
    let (path, interface) = (call::LOGIN1_PATH, call::MANAGER);
    Signal { path, interface, member: "PrepareForShutdown", senders: NAMES }
}

#[cfg(test)]
mod tests;
