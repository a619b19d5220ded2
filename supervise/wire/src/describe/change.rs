//! What an apply does, in the control protocol's types.

use alloc::{string::ToString, vec::Vec};

use graph::{ChangeKind, Graph};

use crate::varlink::{Change, Reaction};

/// Every difference between two graphs: first what goes, in stop order, then the rest, in start
/// order.
#[must_use]
pub fn changes(old: &Graph, new: &Graph) -> Vec<Change> {
    graph::diff(old, new)
        .into_iter()
        .map(|change| {
            let (reaction, keys) = match change.kind {
                ChangeKind::Added => (Reaction::Start, Vec::new()),
                ChangeKind::Removed => (Reaction::Stop, Vec::new()),
                ChangeKind::Changed { fields, reaction } => (
                    match reaction {
                        graph::Reaction::Restart => Reaction::Restart,
                        graph::Reaction::Reload => Reaction::Reload,
                        graph::Reaction::Keep => Reaction::Keep,
                    },
                    fields.into_iter().map(|field| field.to_string()).collect(),
                ),
            };
            Change { name: change.name, reaction, keys, why: change.why }
        })
        .collect()
}
