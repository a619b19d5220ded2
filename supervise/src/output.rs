//! The FIFOs between services and `cooper-log`, and between a service and the one that consumes
//! its output.
//!
//! **Invariant:** before a service writes to a FIFO, init holds a descriptor of it, so that what
//! was written stays readable whoever else dies.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;

use graph::{Graph, Kind, LogTo, ServiceId};
use sys::fifo;
use sys::users::Identity;
use tracing::warn;
use unit::{SpawnError, Step};
use wire::link::NAME_MAX;
use wire::paths;

use crate::link::Link;
use crate::places::Places;
use crate::prepare::error_number;

/// Services get them as open descriptors; nobody else needs them.
pub const FIFO_MODE: u16 = 0o600;

/// Which FIFOs this supervisor has handed to init.
#[derive(Default)]
pub struct Outputs {
    held: BTreeSet<String>,
    consumers: BTreeSet<ServiceId>,
}

impl Outputs {
    /// Makes the directories.
    pub fn make(places: &Places) {
        for name in [paths::LOG, paths::INPUT, paths::READY] {
            let path = places.below(name);
            if let Err(error) = std::fs::create_dir_all(&path) {
                warn!("cannot make {}: {error}", path.display());
            }
        }
    }

    /// A graph comes into force.
    pub fn learn(&mut self, graph: &Graph) {
        self.consumers =
            graph.services.iter().filter_map(|service| consumer(&service.kind)).collect();
    }

    /// Others log to this service.
    pub fn is_consumer(&self, id: ServiceId) -> bool {
        self.consumers.contains(&id)
    }

    /// Sees to it that the FIFO is there and that init holds it. A service that runs as `owner`
    /// may open it anew, as programs do that are told to log to /dev/stderr.
    pub fn prepare(
        &mut self,
        link: &Link,
        path: &Path,
        name: &str,
        owner: Option<&Identity>,
    ) -> Result<(), SpawnError> {
        if self.held.contains(name) {
            return Ok(());
        }
        let fail = |errno| SpawnError { step: Step::Log, errno: error_number(errno) };
        let owner = owner.map(|owner| (owner.uid, owner.gid));
        let fifo = fifo::make(path, FIFO_MODE, owner).map_err(fail)?;
        link.hold(&held_name(name), fifo.as_fd());
        self.held.insert(name.to_owned());
        Ok(())
    }
}

/// A held descriptor's name is short: a longer one keeps its beginning and is told apart by a
/// checksum of the whole.
pub fn held_name(name: &str) -> String {
    if name.len() <= NAME_MAX {
        return name.to_owned();
    }
    let hash = graph::fnv1a(name.as_bytes());
    let kept: String =
        name.chars().filter(char::is_ascii).take(NAME_MAX.saturating_sub(17)).collect();
    format!("{kept}~{hash:016x}")
}

fn consumer(kind: &Kind) -> Option<ServiceId> {
    let (Kind::Longrun(process) | Kind::Oneshot(process)) = kind else { return None };
    match process.log.to {
        LogTo::Service(id) => Some(id),
        LogTo::Files | LogTo::None | LogTo::Console => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart_and_fit() {
        // Two services whose names differ at their ends only are held under different names.
        let long = format!("log/{}", "x".repeat(90));
        let (one, two) = (held_name(&format!("{long}1")), held_name(&format!("{long}2")));
        assert_ne!(one, two);
        assert!(one.len() <= NAME_MAX && two.len() <= NAME_MAX);
        assert_eq!(held_name("log/containerd"), "log/containerd");
    }
}
