//! Probes: tried again and again until a service is ready, and while it is up for its health.
//!
//! Nothing here waits: a connection is begun and then heard of, a command is spawned like any
//! process of the service. One try of a service is under way at a time.

mod attempt;

use std::collections::BTreeMap;

use graph::{Probe, Readiness, ServiceId};
use mio::{Interest, Token};
use unit::{Event, Incarnation, Instant};

use crate::clock;
use crate::exits::Role;
use crate::shell::Shell;
use crate::sources::Source;

use attempt::{Attempt, Progress};

/// A try for readiness that takes longer has failed, and the next one begins.
const READY_TRY_MS: u32 = 5_000;

/// The services that are probed.
#[derive(Default)]
pub struct Probes {
    runs: BTreeMap<ServiceId, Run>,
}

/// One service's probing.
struct Run {
    incarnation: Incarnation,
    purpose: Purpose,
    probe: Probe,
    every_ms: u32,
    try_ms: u32,
    trying: Trying,
}

/// What it is for.
#[derive(Clone, Copy)]
enum Purpose {
    /// It is ready when a try succeeds.
    Ready,
    /// It is degraded after so many failures.
    Health { failures: u32, failures_max: u32 },
}

/// Whether a try is under way.
enum Trying {
    /// The next one begins then.
    Not { next: Instant },
    /// A connection, given up then.
    Connection { attempt: Attempt, token: Token, until: Instant },
    /// A command, killed then. Its process id, once it has one.
    Command { pid: Option<u32>, until: Instant },
}

impl Run {
    fn deadline(&self) -> Instant {
        match self.trying {
            Trying::Not { next } => next,
            Trying::Connection { until, .. } | Trying::Command { until, .. } => until,
        }
    }
}

impl Probes {
    /// When [`Shell::probe_tick`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.runs.values().map(Run::deadline).min()
    }
}

impl Shell<'_> {
    /// The readiness probes of a life, if it is ready by a probe; or listening to its FIFO.
    pub fn probe_ready(&mut self, id: ServiceId, incarnation: Incarnation) {
        let Some(process) = self.process(id) else { return };
        match process.ready {
            Readiness::Probe(probe) => {
                let (every_ms, try_ms) = (process.probe_every_ms, READY_TRY_MS);
                self.begin_probes(id, incarnation, Purpose::Ready, probe, (every_ms, try_ms));
            }
            Readiness::Fd(_) => self.resume_ready_fifo(id),
            Readiness::Exec | Readiness::Notify | Readiness::Exit => {}
        }
    }

    /// The health probes of a life.
    pub fn probe_health(&mut self, id: ServiceId, incarnation: Incarnation) {
        let health = self.process(id).and_then(|process| process.health);
        let Some(health) = health else { return self.probe_not(id) };
        let purpose = Purpose::Health { failures: 0, failures_max: health.failures.max(1) };
        let times = (health.every_ms, health.timeout_ms);
        self.begin_probes(id, incarnation, purpose, health.probe, times);
    }

    /// No more probes.
    pub fn probe_not(&mut self, id: ServiceId) {
        self.end_try(id);
        self.probes.runs.remove(&id);
        self.drop_ready_fifo(id);
    }

    /// Begins what is due, and gives up what takes too long.
    pub fn probe_tick(&mut self, now: Instant) {
        let is_due = |(id, run): (&ServiceId, &Run)| (run.deadline() <= now).then_some(*id);
        let due: Vec<ServiceId> = self.probes.runs.iter().filter_map(is_due).collect();
        for id in due {
            match self.probes.runs.get(&id).map(|run| &run.trying) {
                Some(Trying::Not { .. }) => self.try_probe(id, now),
                Some(Trying::Connection { .. } | Trying::Command { .. }) => {
                    self.probe_ended(id, false);
                }
                None => {}
            }
        }
    }

    /// A connection has come about, failed, or answered.
    pub fn hear_probe(&mut self, id: ServiceId) {
        let Some(run) = self.probes.runs.get_mut(&id) else { return };
        let Trying::Connection { attempt, .. } = &mut run.trying else { return };
        match attempt.go_on() {
            Progress::Pending => {}
            Progress::Done(success) => self.probe_ended(id, success),
        }
    }

    /// A command exists.
    pub fn probe_spawned(&mut self, id: ServiceId, new: u32) {
        if let Some(Run { trying: Trying::Command { pid, .. }, .. }) = self.probes.runs.get_mut(&id)
        {
            *pid = Some(new);
        }
    }

    /// A try is over.
    pub fn probe_ended(&mut self, id: ServiceId, success: bool) {
        self.end_try(id);
        let Some(run) = self.probes.runs.get_mut(&id) else { return };
        run.trying = Trying::Not { next: clock::now().after_ms(run.every_ms) };
        let incarnation = run.incarnation;
        let event = match (&mut run.purpose, success) {
            (Purpose::Ready, false) => return,
            (Purpose::Ready, true) => Event::Ready(incarnation),
            (Purpose::Health { failures, .. }, true) => {
                *failures = 0;
                Event::Healthy(incarnation)
            }
            (Purpose::Health { failures, failures_max }, false) => {
                *failures = failures.saturating_add(1);
                if *failures < *failures_max {
                    return;
                }
                Event::Unhealthy(incarnation)
            }
        };
        if matches!(event, Event::Ready(_)) {
            self.probes.runs.remove(&id);
        }
        self.tell(id, event);
    }

    fn begin_probes(
        &mut self,
        id: ServiceId,
        incarnation: Incarnation,
        purpose: Purpose,
        probe: Probe,
        (every_ms, try_ms): (u32, u32),
    ) {
        self.probe_not(id);
        let trying = Trying::Not { next: clock::now().after_ms(every_ms) };
        let run = Run { incarnation, purpose, probe, every_ms, try_ms, trying };
        self.probes.runs.insert(id, run);
    }

    fn try_probe(&mut self, id: ServiceId, now: Instant) {
        let Some(run) = self.probes.runs.get_mut(&id) else { return };
        let until = now.after_ms(run.try_ms);
        let incarnation = run.incarnation;
        let attempt = match &run.probe {
            Probe::Exec(_) => {
                run.trying = Trying::Command { pid: None, until };
                self.queue_probe(id, incarnation);
                return self.pump_starts();
            }
            Probe::Path(path) => {
                let exists = std::fs::symlink_metadata(path).is_ok();
                return self.probe_ended(id, exists);
            }
            Probe::Unix(path) => Attempt::unix(path),
            Probe::Tcp(address) => Attempt::tcp(address, None),
            Probe::Http { address, host, path } => Attempt::tcp(address, Some((host, path))),
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.world.poll.registry();
        let begun = attempt.and_then(|mut attempt| match attempt.go_on() {
            Progress::Done(success) => Err(success),
            Progress::Pending => self
                .world
                .sources
                .watch(registry, &attempt, Source::Probe(id), interest)
                .map(|token| Trying::Connection { attempt, token, until })
                .map_err(|_| false),
        });
        match begun {
            Ok(trying) => run.trying = trying,
            Err(success) => self.probe_ended(id, success),
        }
    }

    fn end_try(&mut self, id: ServiceId) {
        let Some(run) = self.probes.runs.get_mut(&id) else { return };
        let next = Instant(0);
        match std::mem::replace(&mut run.trying, Trying::Not { next }) {
            Trying::Not { .. } => {}
            Trying::Connection { token, .. } => self.world.sources.forget(token),
            Trying::Command { pid, .. } => {
                self.forget_start(id, Role::Probe);
                if let Some(pid) = pid.filter(|pid| self.owners.remove(pid).is_some()) {
                    self.kill_probe(id, pid);
                }
            }
        }
    }
}
