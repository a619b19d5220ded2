//! Putting a new graph in force, while what has not changed runs on.
//!
//! First what goes or must restart is restarted as far as being down, with the old definitions:
//! its next start is held back. Then the graph and the state table are replaced, and everything
//! goes on as after a crash of the supervisor: from records. So a supervisor that is killed in
//! between, at any instruction, is replaced by one that does the rest.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use engine::{Goal, Request};
use graph::{ChangeKind, Graph, Kind, Reaction, ServiceId, View, diff, settings_put_back};
use sys::map::{Frozen, Shared};
use tracing::{info, warn};
use unit::{State, Unit};
use wire::describe;
use wire::paths;
use wire::state::{Record, Table, size};
use wire::varlink::{Change, Error};

use crate::places::{Places, cannot};
use crate::shell::{Shell, World};
use crate::{Fatal, clock, tree};

/// What is under way.
#[derive(Debug, Default)]
pub struct Apply {
    is_pending: bool,
    /// These are not started any more with the graph that is still in force.
    held: BTreeSet<ServiceId>,
}

/// What is left to do once the new graph is in force.
#[derive(Debug, Default)]
pub struct After {
    /// To be reloaded.
    reload: Vec<String>,
    /// Their cgroups' settings may have changed; those that are gone, with their defaults.
    keep: Vec<(String, Vec<(String, String)>)>,
}

impl Apply {
    /// A new graph waits to be put in force.
    pub fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// This service is not started any more with the graph that is still in force.
    pub fn holds(&self, id: ServiceId) -> bool {
        self.held.contains(&id)
    }
}

impl Shell<'_> {
    /// Says what the graph in `next` would change, and unless that is all, begins to put it in
    /// force. One that is refused, or only looked at, is removed: nobody shall find it later.
    pub fn begin_apply(&mut self, dry_run: bool) -> Result<Vec<Change>, Error> {
        let path = self.world.places.below(paths::NEXT);
        let changes = self.look_at_next(&path, dry_run);
        if changes.is_err() || dry_run {
            let _ = fs::remove_file(&path);
        }
        changes
    }

    /// The supervisor before us was killed while it put a new graph in force.
    pub fn resume_apply(&mut self) {
        if !self.world.places.below(paths::NEXT).exists() {
            return;
        }
        match self.begin_apply(false) {
            Ok(_) => info!("going on to put the new graph in force"),
            Err(error) => warn!("cannot put the new graph in force: {error}"),
        }
    }

    /// What SIGHUP to init asks for: the graph that is current on disk.
    pub fn reload_graph(&mut self) {
        let next = self.world.places.below(paths::NEXT);
        let current = self.world.places.graphs.join(tree::CURRENT);
        let copied = fs::read(&current)
            .and_then(|bytes| sys::file::replace(&next, &bytes, tree::GRAPH_MODE));
        match copied {
            Ok(()) => {
                if let Err(error) = self.begin_apply(false) {
                    warn!("cannot put {} in force: {error}", current.display());
                }
            }
            Err(error) => warn!("{}", cannot("read", &current, error)),
        }
    }

    /// A shutdown has begun: the graph stays as it is.
    pub fn cancel_apply(&mut self) {
        if std::mem::take(&mut self.apply).is_pending {
            let _ = fs::remove_file(self.world.places.below(paths::NEXT));
        }
    }

    /// Everything that had to go down for it is down.
    pub fn apply_is_ready(&self) -> bool {
        let is_down = |id: &ServiceId| {
            let state = self.engine.status(*id).unit.state;
            state.is_idle() || matches!(state, State::Spawning { exists: false, .. })
        };
        self.apply.is_pending
            && self.starts.is_idle(&self.apply)
            && self.apply.held.iter().all(is_down)
    }

    /// Replaces graph and state table. What comes next is what comes after a crash.
    pub fn switch(mut self) -> Result<World, Fatal> {
        let places = self.world.places.clone();
        let path = places.below(paths::NEXT);
        let frozen = match Frozen::open(&path) {
            Ok(frozen) => frozen,
            Err(error) => return Ok(self.give_up(&cannot("open", &path, error))),
        };
        let view = match View::open(frozen.bytes()) {
            Ok(view) => view,
            Err(error) => return Ok(self.give_up(&cannot("read", &path, error))),
        };
        let (old, new) = (self.view.graph(), view.graph());
        self.world.after = after(&old, &new);
        self.world.knows_watchdog = false;
        self.world.live.applied = self.world.live.applied.saturating_add(1);
        if let Err(error) = self.carry_over(&places, &new, view) {
            return Ok(self.give_up(&cannot("replace", &places.below(paths::STATE), error)));
        }
        info!("a new graph is in force: {} services", new.services.len());
        let moved = |id: ServiceId| view.find(self.view.name(id)?);
        self.world.control.switched(&moved);
        Ok(self.world)
    }

    fn look_at_next(&mut self, path: &Path, dry_run: bool) -> Result<Vec<Change>, Error> {
        let invalid = |reason: String| Error::InvalidGraph { reason };
        let frozen = Frozen::open(path).map_err(|error| invalid(cannot("open", path, error)))?;
        let view = View::open(frozen.bytes()).map_err(|error| invalid(error.to_string()))?;
        let (old, new) = (self.view.graph(), view.graph());
        let changes = describe::changes(&old, &new);
        if dry_run {
            return Ok(changes);
        }
        let goes = diff(&old, &new).into_iter().filter(|change| match change.kind {
            ChangeKind::Removed => true,
            ChangeKind::Changed { reaction, .. } => reaction == Reaction::Restart,
            ChangeKind::Added => false,
        });
        self.apply.is_pending = true;
        self.apply.held = goes.filter_map(|change| self.view.find(&change.name)).collect();
        let held: Vec<ServiceId> = self.apply.held.iter().rev().copied().collect();
        for id in held {
            let status = self.engine.status(id);
            let is_bundle = self.process(id).is_none();
            if status.goal != Goal::Down && !status.unit.state.is_idle() && !is_bundle {
                let request = Request::Restart { with_dependents: false };
                self.engine.request(clock::now(), request, &[id]);
            } else if is_bundle {
                self.apply.held.remove(&id);
            }
        }
        Ok(changes)
    }

    fn give_up(mut self, why: &str) -> World {
        warn!("the new graph is not put in force: {why}");
        let _ = fs::remove_file(self.world.places.below(paths::NEXT));
        let stays = |id| Some(id);
        self.world.control.switched(&stays);
        self.world
    }

    /// Writes the new table, and puts it and the new graph in force.
    fn carry_over(&self, places: &Places, new: &Graph, view: View<'_>) -> io::Result<()> {
        let (state, next) = (places.below(paths::STATE), places.below(tree::STATE_NEXT));
        let _ = fs::remove_file(&next);
        let count = u32::try_from(view.len()).unwrap_or(u32::MAX);
        let bytes = size(count).ok_or(io::ErrorKind::OutOfMemory)?;
        let shared = Shared::create(&next, bytes, tree::STATE_MODE)?;
        let table = Table::create(shared.words(), count, view.hash(), &self.world.live)
            .map_err(io::Error::other)?;
        for (id, record) in view.ids().zip(self.records(new)) {
            table.write(id, &record);
            table.carry(id, &record);
        }
        if let (Some(old), Some(new)) = (self.table.logger_word(), table.logger_word()) {
            let pid = old.load(std::sync::atomic::Ordering::Acquire);
            new.store(pid, std::sync::atomic::Ordering::Release);
        }
        // In this order: a table whose graph is not in force yet is found by the next supervisor.
        fs::rename(places.below(paths::NEXT), places.below(paths::GRAPH))?;
        fs::rename(next, state)
    }

    /// What the new table begins with.
    fn records(&self, new: &Graph) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::with_capacity(new.services.len());
        for service in &new.services {
            let old = self.view.find(&service.name).filter(|id| self.name(*id) == service.name);
            let record = old.and_then(|id| Some((id, self.table.record(id)?)));
            records.push(record.map_or_else(Record::default, |(id, record)| {
                let unit = if self.apply.holds(id) {
                    // It starts afresh, in the new graph's order.
                    Unit { state: State::Down, ..record.unit }
                } else {
                    record.unit
                };
                let goal = match record.goal {
                    Goal::Down => Goal::Down,
                    Goal::Up | Goal::Renew => Goal::Up,
                };
                Record { unit, goal, wait: engine::Wait::Nothing, ..record }
            }));
        }
        want_what_is_new(new, &mut records, |name| self.view.find(name).is_none());
        records
    }
}

impl Shell<'_> {
    /// Does what is left to do once the new graph is in force.
    pub fn finish_apply(&mut self) {
        let After { reload, keep } = std::mem::take(&mut self.world.after);
        let ids: Vec<ServiceId> = reload.iter().filter_map(|name| self.view.find(name)).collect();
        if !ids.is_empty() {
            self.engine.request(clock::now(), Request::Reload, &ids);
        }
        for (name, put_back) in keep {
            let spec = self.view.find(&name).and_then(|id| self.cgroup(id));
            if let Some(mut spec) = spec {
                spec.settings.extend(put_back);
                self.world.cgroups.set(&spec);
            }
        }
    }
}

/// A service that the old graph did not have is wanted if one that is wanted asks for it.
fn want_what_is_new(new: &Graph, records: &mut [Record], is_new: impl Fn(&str) -> bool) {
    let position = |id: ServiceId| usize::try_from(id.0).unwrap_or(usize::MAX);
    for index in (0..new.services.len()).rev() {
        let Some(service) = new.services.get(index) else { continue };
        if records.get(index).is_none_or(|record| record.goal == Goal::Down) {
            continue;
        }
        for id in service.requires.iter().chain(&service.wants).copied() {
            let other = new.services.get(position(id));
            let wanted = other.is_some_and(|other| is_new(&other.name));
            if let Some(record) = records.get_mut(position(id)).filter(|_| wanted) {
                record.goal = Goal::Up;
            }
        }
    }
}

fn after(old: &Graph, new: &Graph) -> After {
    let mut after = After::default();
    let cgroup = |graph: &Graph, name: &str| {
        let mut services = graph.services.iter();
        services.find(|service| service.name == name).and_then(|service| match &service.kind {
            Kind::Longrun(process) | Kind::Oneshot(process) => Some(process.cgroup.clone()),
            Kind::Bundle(_) => None,
        })
    };
    let put_back = |name: &str| match (cgroup(old, name), cgroup(new, name)) {
        (Some(old), Some(new)) => settings_put_back(&old, &new),
        (_, _) => Vec::new(),
    };
    for change in diff(old, new) {
        match change.kind {
            ChangeKind::Changed { reaction: Reaction::Reload, .. } => {
                after.keep.push((change.name.clone(), put_back(&change.name)));
                after.reload.push(change.name);
            }
            ChangeKind::Changed { reaction: Reaction::Keep, .. } => {
                let put_back = put_back(&change.name);
                after.keep.push((change.name, put_back));
            }
            ChangeKind::Changed { reaction: Reaction::Restart, .. }
            | ChangeKind::Added
            | ChangeKind::Removed => {}
        }
    }
    after
}
