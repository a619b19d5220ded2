//! What a service's record means, in the control protocol's types and in sentences.
//!
//! `supervise` answers with it and `svc` prints it, from the same records that `supervise` decided
//! by and starts from; so that what people read is what happens, whoever is asked. Pure: it reads
//! nothing by itself.
//!
//! **Invariant:** total. Any record gives a description, also one that no engine would write.

mod boot;
mod change;
mod phrase;
mod words;

use alloc::{string::String, vec::Vec};

use graph::ServiceId;
use unit::{Next, Reloading, Unit};

use crate::{
    state::Record,
    varlink::{CRASH_LOOPING_FAILURES, End, EndCause, Goal, Kind, Link, Service, State},
};

pub use boot::traces;
pub use change::changes;
pub use words::{SIGNAL_MAX, duration, errno_text, limit, signal_name, signal_named, step_text};

/// A chain of causes is never longer than this; waits form no cycle, but records are not believed.
const CHAIN_MAX: usize = 256;

/// The graph in force and its records, at one moment.
pub trait World {
    /// When that is: microseconds, CLOCK_MONOTONIC.
    fn now_us(&self) -> u64;
    /// How many services there are.
    fn count(&self) -> u32;
    /// The definition of one.
    fn service(&self, id: ServiceId) -> Option<graph::Service>;
    /// The record of one; none where the table does not have it (yet).
    fn record(&self, id: ServiceId) -> Option<Record>;
}

/// Everything about one service; none if there is no such service.
#[must_use]
pub fn describe(world: &impl World, id: ServiceId) -> Option<Service> {
    let service = world.service(id)?;
    let record = world.record(id).unwrap_or_default();
    let Unit { state, incarnation, failures, last, exit: _ } = record.unit;
    let text = record.status.as_str();
    Some(Service {
        description: service.description.clone(),
        kind: kind_of(&service),
        state: state_of(&service, &record),
        goal: match record.goal {
            engine::Goal::Up | engine::Goal::Renew => Goal::Up,
            engine::Goal::Down => Goal::Down,
        },
        why: phrase::why(world, &service, &record),
        waiting_on: waits_for(&record).and_then(|other| name_of(world, other)),
        since_us: record.since_us,
        until_us: until_of(state),
        pid: (record.main_pid != 0).then_some(record.main_pid),
        incarnation: incarnation.0,
        failures,
        crash_looping: failures >= CRASH_LOOPING_FAILURES,
        restarts: record.restarts,
        last_end: last.map(end_of),
        reload_failed: reload_failed(state),
        status: (!text.is_empty()).then(|| String::from(text)),
        name: service.name,
    })
}

/// The chain of causes, from the service itself to the root: each one waits for the next.
#[must_use]
pub fn chain(world: &impl World, id: ServiceId) -> Vec<Link> {
    let mut links = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next.filter(|_| links.len() < CHAIN_MAX) {
        let Some(service) = world.service(id) else { break };
        let record = world.record(id).unwrap_or_default();
        links.push(Link {
            state: state_of(&service, &record),
            why: phrase::own(world, &service, &record),
            name: service.name,
        });
        next = waits_for(&record);
    }
    links
}

/// The last of the chain of causes, if there is one beyond the service itself.
fn root_of(world: &impl World, record: &Record) -> Option<ServiceId> {
    let mut root = waits_for(record)?;
    for _ in 0..CHAIN_MAX {
        match world.record(root).as_ref().and_then(waits_for) {
            Some(next) => root = next,
            None => break,
        }
    }
    Some(root)
}

/// The one service that this one waits for.
const fn waits_for(record: &Record) -> Option<ServiceId> {
    match record.wait {
        engine::Wait::Nothing => None,
        engine::Wait::Requires(id)
        | engine::Wait::Order(id)
        | engine::Wait::Conflict(id)
        | engine::Wait::Dependent(id) => Some(id),
    }
}

fn name_of(world: &impl World, id: ServiceId) -> Option<String> {
    world.service(id).map(|service| service.name)
}

const fn kind_of(service: &graph::Service) -> Kind {
    match service.kind {
        graph::Kind::Longrun(_) => Kind::Longrun,
        graph::Kind::Oneshot(_) => Kind::Oneshot,
        graph::Kind::Bundle(_) => Kind::Bundle,
    }
}

/// The unit's state in the words that people know.
fn state_of(service: &graph::Service, record: &Record) -> State {
    let oneshot = kind_of(service) == Kind::Oneshot;
    let (going_up, going_down) =
        if oneshot { (State::Running, State::Undoing) } else { (State::Starting, State::Stopping) };
    match record.unit.state {
        unit::State::Down if record.goal == engine::Goal::Down => State::Down,
        unit::State::Down if waits_for(record).is_some() => State::Waiting,
        // Its turn has come; it is in the queue of spawns.
        unit::State::Down => going_up,
        unit::State::Spawning { .. } | unit::State::Starting { .. } => going_up,
        unit::State::Up { .. } if oneshot => State::Done,
        unit::State::Up { degraded: true, .. } => State::Degraded,
        unit::State::Up { degraded: false, .. } => State::Ready,
        unit::State::Stopping { .. } => going_down,
        unit::State::Cleaning { next, .. } | unit::State::Finishing { next, .. } => match next {
            // A oneshot that has ended is not being undone.
            Next::Policy if oneshot => going_up,
            Next::Policy | Next::Down => going_down,
        },
        unit::State::Backoff { .. } => State::Backoff,
        unit::State::Ended => State::Ended,
        unit::State::Failed => State::Failed,
        unit::State::Skipped { .. } => State::Skipped,
    }
}

/// When a state is over at the latest.
const fn until_of(state: unit::State) -> Option<u64> {
    match state {
        unit::State::Spawning { deadline, .. }
        | unit::State::Starting { deadline, .. }
        | unit::State::Stopping { deadline, .. }
        | unit::State::Cleaning { deadline, .. }
        | unit::State::Finishing { deadline, .. }
        | unit::State::Backoff { until: deadline }
        | unit::State::Up {
            reloading:
                Reloading::Announced { until: deadline } | Reloading::Command { deadline, .. },
            ..
        } => Some(deadline.0),
        unit::State::Down
        | unit::State::Up { reloading: Reloading::No | Reloading::Failed { .. }, .. }
        | unit::State::Ended
        | unit::State::Failed
        | unit::State::Skipped { .. } => None,
    }
}

/// How the reload command of what is up has failed.
fn reload_failed(state: unit::State) -> Option<End> {
    let unit::State::Up { reloading: Reloading::Failed { exit }, .. } = state else { return None };
    Some(end_of(unit::Cause::Exited(exit)))
}

/// How a life ended.
#[must_use]
pub fn end_of(cause: unit::Cause) -> End {
    let mut end = End {
        cause: EndCause::Stopped,
        code: None,
        signal: None,
        step: None,
        errno: None,
        text: words::cause_text(cause),
    };
    end.cause = match cause {
        unit::Cause::Stopped => EndCause::Stopped,
        unit::Cause::Exited(unit::Exit::Code(code)) => {
            end.code = Some(code);
            EndCause::Exited
        }
        unit::Cause::Exited(unit::Exit::Signal(signal)) => {
            end.signal = Some(signal);
            EndCause::Signalled
        }
        unit::Cause::Exited(unit::Exit::Lost) => EndCause::Lost,
        unit::Cause::Spawn(error) => {
            end.step = Some(words::step_name(error.step).into());
            end.errno = Some(error.errno);
            EndCause::NotSpawned
        }
        unit::Cause::StartTimeout => EndCause::StartTimeout,
        unit::Cause::Watchdog => EndCause::Watchdog,
        unit::Cause::Unhealthy => EndCause::Unhealthy,
        unit::Cause::Permanent => EndCause::Permanent,
    };
    end
}

#[cfg(test)]
mod tests;
