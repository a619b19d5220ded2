//! The shell around the engine: one thread, one loop.
//!
//! What happens outside becomes events for the engine; what the engine changed is published in
//! the state table; and only then is done what the change asks for. It decides nothing itself.
//!
//! **Invariants:** each record is written before its actions are carried out, and each message of
//! init's is acknowledged after; nothing is waited for but in `poll`; with nothing to do there is
//! no timeout.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use engine::Engine;
use graph::{ServiceId, View};
use mio::{Events, Interest, Poll};
use tracing::warn;
use unit::{Action, Event, Instant};
use wire::link::Hello;
use wire::state::{Live, Table};

use crate::apply::{After, Apply};
use crate::cgroups::Cgroups;
use crate::conditions::Facts;
use crate::container::Signals;
use crate::control::Control;
use crate::empty::Empties;
use crate::exits::{Account, Owner};
use crate::link::Link;
use crate::logger::Logger;
use crate::notify::Notify;
use crate::output::Outputs;
use crate::places::Places;
use crate::prepare::Names;
use crate::probes::Probes;
use crate::ready::Fifos;
use crate::sources::{Source, Sources};
use crate::start::Starts;
use crate::{Fatal, clock};

/// Events that one poll takes in; more wait for the next one.
const EVENTS_MAX: usize = 256;

/// What does not depend on the graph in force.
pub struct World {
    pub places: Places,
    pub hello: Hello,
    pub poll: Poll,
    pub sources: Sources,
    pub link: Link,
    pub live: Live,
    pub spawner: sys::spawn::Spawner,
    pub cgroups: Cgroups,
    pub outputs: Outputs,
    pub facts: Facts,
    pub notify: Notify,
    pub control: Control,
    pub logger: Logger,
    pub names: Names,
    /// What is left to do once a new graph is in force.
    pub after: After,
    /// What signals become, where there is a main service.
    pub signals: Signals,
    /// In a container, the variables that services have too.
    pub inherited: Vec<(String, String)>,
    /// Init has been told to end the tree.
    pub ended: bool,
    /// Init has been told what this graph says of the hardware watchdog.
    pub knows_watchdog: bool,
}

/// The tree with one graph in force.
pub struct Shell<'g> {
    pub world: World,
    pub view: View<'g>,
    pub table: Table<&'g [AtomicU32]>,
    pub engine: Engine,
    /// Whose process each process id is.
    pub owners: BTreeMap<u32, Owner>,
    pub starts: Starts,
    pub fifos: Fifos,
    pub probes: Probes,
    pub empties: Empties,
    pub apply: Apply,
    /// An exit that the next record of its service accounts for.
    pub account: Option<Account>,
}

/// Why the loop ended.
pub enum End {
    /// Another graph is to be put in force.
    Switch,
}

impl<'g> Shell<'g> {
    /// A tree whose engine has been set up; [`Shell::run`] carries out what it asks for.
    pub fn new(
        mut world: World,
        view: View<'g>,
        table: Table<&'g [AtomicU32]>,
        engine: Engine,
    ) -> Result<Self, Fatal> {
        let empties = Empties::new().map_err(|error| Fatal::Poll(error.into()))?;
        let registry = world.poll.registry();
        let readable = Interest::READABLE;
        world
            .sources
            .watch(registry, &empties.inotify, Source::Empty, readable)
            .map_err(Fatal::Poll)?;
        Ok(Self {
            world,
            view,
            table,
            engine,
            owners: BTreeMap::new(),
            starts: Starts::default(),
            fifos: Fifos::default(),
            probes: Probes::default(),
            empties,
            apply: Apply::default(),
            account: None,
        })
    }

    /// Runs until another graph is to be put in force. An error means that init is gone.
    pub fn run(&mut self) -> Result<End, Fatal> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            self.hear()?;
            self.tick();
            self.settle();
            self.control_step();
            self.settle();
            self.control_answers();
            self.enter_settled();
            self.shutdown_step();
            self.note_settled();
            self.watchdog_step();
            self.world.link.acknowledge();
            if self.apply_is_ready() {
                return Ok(End::Switch);
            }
            self.world.spawner.rest();
            let timeout = self.timeout();
            match self.world.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    warn!("cannot wait for events: {error}");
                }
                Ok(()) | Err(_) => {}
            }
            for event in &events {
                self.dispatch(event);
            }
        }
    }

    /// Publishes and carries out what the engine has decided, until it has nothing more to say.
    pub fn settle(&mut self) {
        loop {
            self.publish_changes();
            let Some((id, action)) = self.engine.next_action() else { return };
            self.perform(id, action);
        }
    }

    /// Tells the engine what happened to a service.
    pub fn tell(&mut self, id: ServiceId, event: Event) {
        self.engine.handle(clock::now(), id, event);
    }

    /// The name of a service, for messages.
    pub fn name(&self, id: ServiceId) -> &'g str {
        self.view.name(id).unwrap_or("?")
    }

    /// The boot is over once nothing is on its way any more: everything is up, or has failed.
    fn note_settled(&mut self) {
        let live = &mut self.world.live;
        if live.settled_us == 0 && live.shutdown.is_none() && self.engine.quiet() {
            live.settled_us = clock::now().0;
            self.table.write_live(live);
        }
    }

    /// What the engine asks for.
    fn perform(&mut self, id: ServiceId, action: Action) {
        match action {
            Action::Spawn(incarnation) => self.queue_main(id, incarnation),
            Action::Run(incarnation, command) => self.queue_command(id, incarnation, command),
            Action::SignalMain => self.signal_stop(id),
            Action::SignalAll => self.signal_stop_all(id),
            Action::SignalReload => self.signal_reload(id),
            Action::AbortMain => self.abort_main(id),
            Action::KillMain => self.kill_main(id),
            Action::KillCommand => self.kill_command(id),
            Action::KillAll => self.kill_all(id),
            Action::WatchEmpty => self.watch_empty(id),
            Action::ProbeReady(incarnation) => self.probe_ready(id, incarnation),
            Action::ProbeHealth(incarnation) => self.probe_health(id, incarnation),
            Action::ProbeNot => self.probe_not(id),
        }
        self.pump_starts();
    }

    /// What is due by now.
    fn tick(&mut self) {
        let now = clock::now();
        if self.engine.deadline().is_some_and(|deadline| deadline <= now) {
            self.engine.tick(now);
        }
        self.probe_tick(now);
        self.logger_tick(now);
    }

    fn dispatch(&mut self, event: &mio::event::Event) {
        match self.world.sources.source(event.token()) {
            // The link is read at the top of the loop, before and after everything else.
            Some(Source::Link) | None => {}
            Some(Source::Notify) => self.hear_notifications(),
            Some(Source::Empty) => self.hear_empty(),
            Some(Source::Listener) => self.control_accept(),
            Some(Source::Client) => self.control_event(event),
            Some(Source::Report(id)) => self.hear_report(id, event.token()),
            Some(Source::Fifo(id)) => self.hear_fifo(id),
            Some(Source::Probe(id)) => self.hear_probe(id),
        }
    }

    /// The first time that nothing is on its way up or down, the boot is over.
    fn enter_settled(&mut self) {
        if self.world.live.settled_us == 0 && self.engine.quiet() {
            self.world.live.settled_us = clock::now().0;
            self.table.write_live(&self.world.live);
        }
    }

    /// How long nothing is due; none: until something happens.
    fn timeout(&self) -> Option<Duration> {
        let deadlines: [Option<Instant>; 5] = [
            self.engine.deadline(),
            self.probes.deadline(),
            self.world.logger.deadline(),
            self.world.control.deadline(),
            self.shutdown_deadline(),
        ];
        let first = deadlines.into_iter().flatten().min()?;
        let now = clock::now();
        Some(Duration::from_micros(first.0.saturating_sub(now.0)))
    }
}
