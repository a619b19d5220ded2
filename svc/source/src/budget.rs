//! How long a shutdown may take, where nobody has said it: as long as its slowest way down.

use graph::{Graph, Kind, Process, Service};

/// How long a shutdown may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    /// So long, whatever there is to stop: `node.toml` says so. Milliseconds, as the other.
    Given(u32),
    /// As long as the services take, but so long at least.
    AtLeast(u32),
}

impl Budget {
    /// For these services, in milliseconds.
    pub fn of(self, graph: &Graph) -> u32 {
        match self {
            Self::Given(ms) => ms,
            Self::AtLeast(ms) => longest_way_down_ms(graph).max(ms),
        }
    }
}

/// What all stop timeouts along one chain add up to, for the chain that takes longest. Services
/// stop in the reverse of the order in which they start, and those that do not wait for each other
/// at the same time.
fn longest_way_down_ms(graph: &Graph) -> u32 {
    let mut ways: Vec<u32> = Vec::with_capacity(graph.services.len());
    for service in &graph.services {
        // The order is topological: what it comes after was looked at before.
        let before = [&service.requires, &service.wants, &service.after].into_iter().flatten();
        let below = before.filter_map(|id| ways.get(usize::try_from(id.0).ok()?)).max();
        ways.push(below.copied().unwrap_or(0).saturating_add(own_ms(service)));
    }
    ways.into_iter().max().unwrap_or(0)
}

/// From its stop's begin to its end.
fn own_ms(service: &Service) -> u32 {
    match &service.kind {
        Kind::Longrun(process) => process.stop.timeout_ms.saturating_add(finish_ms(process)),
        // Nothing of a oneshot is left but what undoes it.
        Kind::Oneshot(process) if process.stop.exec.is_empty() => 0,
        Kind::Oneshot(process) => process.stop.timeout_ms.saturating_add(finish_ms(process)),
        Kind::Bundle(_) => 0,
    }
}

fn finish_ms(process: &Process) -> u32 {
    if process.finish.is_empty() { 0 } else { process.finish_timeout_ms }
}
