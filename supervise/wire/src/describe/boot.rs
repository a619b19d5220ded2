//! The boot, from each service's first start to its first being ready.

use alloc::vec::Vec;

use graph::ServiceId;
use unit::State;

use super::{World, name_of};
use crate::varlink::Trace;

/// Of every service that has been started since boot, in start order. One that was skipped was
/// not.
#[must_use]
pub fn traces(world: &impl World) -> Vec<Trace> {
    let trace = |id: ServiceId| {
        let service = world.service(id)?;
        let record = world.record(id)?;
        let start_us = record.first_start_us;
        let ready = |us: u64| (us != 0).then_some(us);
        let is_skipped = matches!(record.unit.state, State::Skipped { .. });
        if is_skipped && record.first_ready_us == 0 {
            return None;
        }
        let after = [&service.requires, &service.wants, &service.after]
            .into_iter()
            .flatten()
            .filter_map(|other| Some((ready(world.record(*other)?.first_ready_us)?, *other)))
            // One that became ready later was not waited for.
            .filter(|(us, _)| *us <= start_us)
            .max_by_key(|(us, _)| *us);
        Some(Trace {
            start_us: ready(start_us)?,
            ready_us: ready(record.first_ready_us),
            after: after.and_then(|(_, other)| name_of(world, other)),
            name: service.name,
        })
    };
    let mut traces: Vec<Trace> = (0..world.count()).filter_map(|id| trace(ServiceId(id))).collect();
    traces.sort_by_key(|trace| trace.start_us);
    traces
}
