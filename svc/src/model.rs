//! The graph in force joined with the state table, read at one moment.
//!
//! It needs no privileges and no `supervise`: both files are on a tmpfs and readable by everyone.
//!
//! **Invariant:** the records are those of this graph. An apply replaces both files, one after
//! the other; a reader who meets that moment reads again.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use graph::{Graph, ServiceId, View, nearest};
use wire::{
    describe::{World, describe},
    state::{Live, Record, Table},
    varlink::{ListReply, Service},
};

use crate::{error::Error, paths::Paths, render::monotonic_us};

/// The two files never disagree for longer than an apply takes to rename them; this is many times
/// that.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the node at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The graph in force.
    pub graph: Graph,
    /// Which graph that is.
    pub hash: u64,
    /// What is known of the whole tree.
    pub live: Live,
    records: Vec<Record>,
    now_us: u64,
}

impl World for Snapshot {
    fn now_us(&self) -> u64 {
        self.now_us
    }

    fn count(&self) -> u32 {
        u32::try_from(self.graph.services.len()).unwrap_or(u32::MAX)
    }

    fn service(&self, id: ServiceId) -> Option<graph::Service> {
        self.definition(id).cloned()
    }

    fn record(&self, id: ServiceId) -> Option<Record> {
        self.records.get(usize::try_from(id.0).ok()?).copied()
    }
}

impl Snapshot {
    /// Reads both files.
    pub fn load(paths: &Paths) -> Result<Self, Error> {
        let (graph_path, state_path) = (paths.graph(), paths.state());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let graph_bytes = read(&graph_path)?;
            let state_bytes = read(&state_path)?;
            if let Some(snapshot) = Self::joined(&graph_bytes, &state_bytes, paths)? {
                return Ok(snapshot);
            }
            // On a busy single processor the writer may need our turn to go on.
            std::thread::yield_now();
        }
        Err(Error::System {
            what: format!("read {}", state_path.display()),
            why: format!("it does not belong to {}", graph_path.display()),
        })
    }

    /// None: something was being written, read again.
    fn joined(graph: &[u8], state: &[u8], paths: &Paths) -> Result<Option<Self>, Error> {
        let view = View::open(graph).map_err(|error| Error::System {
            what: format!("read {}", paths.graph().display()),
            why: error.to_string(),
        })?;
        let table = Table::open(state).map_err(|error| Error::System {
            what: format!("read {}", paths.state().display()),
            why: error.to_string(),
        })?;
        if table.graph_hash() != view.hash() {
            return Ok(None);
        }
        let records: Option<Vec<Record>> =
            (0..table.count()).map(|index| table.record(ServiceId(index))).collect();
        let (Some(records), Some(live)) = (records, table.live()) else { return Ok(None) };
        Ok(Some(Self {
            graph: view.graph(),
            hash: view.hash(),
            live,
            records,
            // Read last: nothing that was recorded is later than now.
            now_us: monotonic_us(),
        }))
    }

    /// For tests, and for graphs that nothing runs.
    #[cfg(test)]
    pub fn of_test(graph: Graph, records: Vec<Record>, live: Live, now_us: u64) -> Self {
        Self { graph, hash: 0, live, records, now_us }
    }

    /// The definition of a service.
    pub fn definition(&self, id: ServiceId) -> Option<&graph::Service> {
        self.graph.services.get(usize::try_from(id.0).ok()?)
    }

    /// Every service, in start order.
    pub fn ids(&self) -> impl Iterator<Item = ServiceId> + use<> {
        (0..self.count()).map(ServiceId)
    }

    /// The service of this name or alias.
    pub fn find(&self, name: &str) -> Result<ServiceId, Error> {
        let matches = |service: &graph::Service| {
            service.name == name || service.provides.iter().any(|alias| alias == name)
        };
        let found = self.ids().zip(&self.graph.services).find(|(_, service)| matches(service));
        found.map(|(id, _)| id).ok_or_else(|| Error::Unknown {
            name: name.into(),
            nearest: nearest(name, self.names()).map(String::from),
        })
    }

    /// The services of these names; all of them, if there are none.
    pub fn find_all(&self, names: &[String]) -> Result<Vec<ServiceId>, Error> {
        if names.is_empty() {
            return Ok(self.ids().collect());
        }
        names.iter().map(|name| self.find(name)).collect()
    }

    /// Every name that a service can be called by.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.graph.services.iter().flat_map(|service| {
            std::iter::once(&service.name).chain(&service.provides).map(String::as_str)
        })
    }

    /// Everything about one service.
    pub fn describe(&self, id: ServiceId) -> Option<Service> {
        describe(self, id)
    }

    /// Everything about these services, as `supervise` would answer.
    pub fn list(&self, ids: &[ServiceId]) -> ListReply {
        let services = ids.iter().filter_map(|id| self.describe(*id)).collect();
        ListReply { services, now_us: self.now_us }
    }

    /// The services that require this one, directly.
    pub fn dependents(&self, id: ServiceId) -> Vec<ServiceId> {
        self.ids()
            .zip(&self.graph.services)
            .filter(|(_, service)| service.requires.contains(&id))
            .map(|(other, _)| other)
            .collect()
    }

    /// What must stop before this one may, in that order: all that require it, directly or not,
    /// and are not down.
    pub fn stops_before(&self, id: ServiceId) -> Vec<ServiceId> {
        let mut reached = vec![id];
        // In start order: whoever requires comes after what it requires.
        for (other, service) in self.ids().zip(&self.graph.services) {
            if service.requires.iter().any(|required| reached.contains(required)) {
                reached.push(other);
            }
        }
        let runs = |other: &ServiceId| {
            *other != id
                && self.record(*other).is_some_and(|record| {
                    record.goal == engine::Goal::Up || record.unit.state != unit::State::Down
                })
        };
        reached.into_iter().rev().filter(runs).collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return Error::System {
                what: format!("open {}", path.display()),
                why: "no such file; Cooper does not run here".into(),
            };
        }
        Error::file("open", path, &error)
    })
}
