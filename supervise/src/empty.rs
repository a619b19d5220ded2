//! Waiting until the last process of a cgroup is gone: the kernel modifies `cgroup.events` then.

use std::collections::BTreeMap;

use graph::{CgroupSpec, ServiceId};
use rustix::fs::inotify::WatchFlags;
use sys::Errno;
use sys::inotify::{Inotify, Watch};
use tracing::warn;
use unit::Event;

use crate::shell::Shell;

/// The watches.
#[derive(Debug)]
pub struct Empties {
    pub inotify: Inotify,
    watched: BTreeMap<Watch, ServiceId>,
}

impl Empties {
    /// Watches nothing yet.
    pub fn new() -> Result<Self, Errno> {
        Ok(Self { inotify: Inotify::new()?, watched: BTreeMap::new() })
    }

    fn end(&mut self, id: ServiceId) {
        let found = self.watched.iter().find(|(_, watched)| **watched == id);
        if let Some(watch) = found.map(|(watch, _)| *watch) {
            self.watched.remove(&watch);
            self.inotify.forget(watch);
        }
    }
}

impl Shell<'_> {
    /// Says `Emptied` once no process is left, at once if that is so now.
    pub fn watch_empty(&mut self, id: ServiceId) {
        let Some(spec) = self.cgroup(id) else { return };
        if let Some(events) = self.world.cgroups.events(&spec) {
            // First the watch, then the look: what happens in between is seen twice, not missed.
            match self.empties.inotify.watch(&events, WatchFlags::MODIFY) {
                Ok(watch) => {
                    self.empties.watched.insert(watch, id);
                }
                Err(Errno::NOENT) => {}
                Err(error) => warn!(service = self.name(id), "cannot watch its cgroup: {error}"),
            }
        }
        self.look_whether_empty(id, &spec);
    }

    /// Some cgroups have gained their first process or lost their last one.
    pub fn hear_empty(&mut self) {
        let mut heard = Vec::new();
        let Empties { inotify, watched } = &self.empties;
        if let Err(error) = inotify.drain(|change| heard.extend(watched.get(&change.watch))) {
            warn!("cannot read what happened to cgroups: {error}");
        }
        for id in heard {
            if let Some(spec) = self.cgroup(id) {
                self.look_whether_empty(id, &spec);
            }
        }
    }

    /// The cgroup of a service that has processes.
    pub fn cgroup(&self, id: ServiceId) -> Option<CgroupSpec> {
        self.process(id).map(|process| process.cgroup)
    }

    fn look_whether_empty(&mut self, id: ServiceId, spec: &CgroupSpec) {
        let group = self.world.cgroups.find(spec);
        let populated = group.map(|group| group.is_populated());
        if let Some(Err(error)) = populated {
            warn!(service = self.name(id), "cannot look into its cgroup: {error}");
        }
        if populated != Some(Ok(true)) {
            self.empties.end(id);
            self.tell(id, Event::Emptied(self.engine.status(id).unit.incarnation));
        }
    }
}
