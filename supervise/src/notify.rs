//! sd_notify: what services say of themselves, on one datagram socket for all of them.
//!
//! **Invariant:** only the main process of a service is heard (the kernel says who sent a
//! datagram), because NOTIFY_SOCKET stays in the environment of containers' shims and shells.

use std::sync::atomic::Ordering;

use graph::{Readiness, ServiceId};
use std::os::fd::AsFd;
use sys::notify::{DATAGRAM_MAX, Notification, Socket, Watchdog};
use sys::process::{Stat, cgroup_of};
use tracing::warn;
use unit::{Event, Incarnation, Instant, State};
use wire::{paths, state::Status};

use crate::exits::{Owner, Role};
use crate::link::Link;
use crate::places::Places;
use crate::shell::Shell;
use crate::{Fatal, clock};

/// Datagrams heard before everything else gets its turn.
const ROUND_MAX: usize = 128;
/// Somebody who must not speak is complained of this often.
const WARNING_PAUSE_US: u64 = 60_000_000;
/// What init calls the socket that it holds.
const HELD: &str = "notify";

/// The socket.
#[derive(Debug)]
pub struct Notify {
    pub socket: Socket,
    /// No complaint before.
    quiet_until: Instant,
}

impl Notify {
    /// Takes over the socket that init holds, or makes it.
    pub fn open(link: &mut Link, places: &Places) -> Result<Self, Fatal> {
        let socket = match link.fetch(HELD)? {
            Some(socket) => Socket::from(socket),
            None => {
                let path = places.below(paths::NOTIFY);
                let socket =
                    Socket::bind(&path).map_err(|error| Fatal::Make(path, error.into()))?;
                link.hold(HELD, socket.as_fd());
                socket
            }
        };
        Ok(Self { socket, quiet_until: Instant(0) })
    }
}

impl Shell<'_> {
    /// Hears what was said.
    pub fn hear_notifications(&mut self) {
        let mut buffer = [0; DATAGRAM_MAX];
        for _ in 0..ROUND_MAX {
            let datagram = match self.world.notify.socket.receive(&mut buffer) {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return,
                Err(error) => return warn!("cannot read notifications: {error}"),
            };
            let pid = datagram.sender.pid;
            match self.owners.get(&pid).copied() {
                Some(Owner { id, incarnation, role: Role::Main }) if !datagram.truncated => {
                    self.hear_notification(
                        id,
                        incarnation,
                        pid,
                        &Notification::parse(datagram.text),
                    );
                    self.settle();
                }
                Some(_) | None => self.not_heard(pid),
            }
            // Descriptors that came along are closed here. That is what BARRIER=1 waits for: all
            // datagrams before this one have been dealt with.
        }
    }

    fn hear_notification(
        &mut self,
        id: ServiceId,
        life: Incarnation,
        pid: u32,
        said: &Notification<'_>,
    ) {
        if let Some(main) = said.main_pid.filter(|main| *main != pid) {
            self.change_main(id, life, pid, main);
        }
        let events = [
            said.extend_us.map(|us| Event::Extend(life, us)),
            said.watchdog_us.map(|us| Event::WatchdogInterval(life, us)),
            said.reloading.then_some(Event::Reloading(life)),
            (said.ready && self.heeds_ready(id)).then_some(Event::Ready(life)),
            said.stopping.then_some(Event::Stopping(life)),
            said.watchdog.map(|watchdog| match watchdog {
                Watchdog::Ping => Event::Ping(life),
                Watchdog::Trigger => Event::Trigger(life),
            }),
        ];
        for event in events.into_iter().flatten() {
            self.tell(id, event);
        }
        if let Some(text) = &said.status {
            self.enter_status(id, text);
        }
    }

    /// The end of a reload counts always; the first READY=1 only if it was agreed on.
    fn heeds_ready(&self, id: ServiceId) -> bool {
        let is_up = matches!(self.engine.status(id).unit.state, State::Up { .. });
        is_up || self.process(id).is_some_and(|process| process.ready == Readiness::Notify)
    }

    fn enter_status(&mut self, id: ServiceId, text: &str) {
        if let Some(mut record) = self.table.record(id) {
            record.status = Status::new(text);
            self.table.write(id, &record);
            self.world.control.changed(id);
        }
    }

    /// Another process of the service's cgroup is its main process from now on.
    fn change_main(&mut self, id: ServiceId, life: Incarnation, old: u32, new: u32) {
        let stat = Stat::of(new).ok().filter(|stat| !stat.is_zombie());
        // Whoever is in the cgroup of the process that says so belongs to it.
        let together = cgroup_of(old).is_ok() && cgroup_of(old) == cgroup_of(new);
        let free = !self.owners.contains_key(&new);
        let (Some(stat), Some(mut record), true) = (stat, self.table.record(id), together && free)
        else {
            let service = self.name(id);
            return warn!(service, "MAINPID={new}: not a process of its own cgroup; ignored");
        };
        record.main_start = stat.start_ticks;
        self.table.write(id, &record);
        if let Some(word) = self.table.main_word(id, life) {
            word.store(new, Ordering::Release);
        }
        self.owners.remove(&old);
        self.owners.insert(new, Owner { id, incarnation: life, role: Role::Main });
        self.world.control.changed(id);
    }

    fn not_heard(&mut self, pid: u32) {
        let now = clock::now();
        if now >= self.world.notify.quiet_until {
            self.world.notify.quiet_until = now.after_us(WARNING_PAUSE_US);
            warn!("process {pid} sent a notification, and is no service's main process: ignored");
        }
    }
}
