//! The sentences. Each reads on after the state's word: `waiting` — `for containerd: failed 12 s
//! ago (exit 1), restart in 8 s`.

use alloc::{format, string::String};

use engine::Wait;
use graph::{ConditionTest, Probe, Process, Readiness, Service};
use unit::{Cause, Instant, Left, Main, Next, Reloading, Stage, State};

use super::{
    Record, World, name_of, root_of, state_of,
    words::{cause_text, duration, limit, signal_name},
};
use crate::varlink::CRASH_LOOPING_FAILURES;

/// Why a service is in its state, down to the root of the matter.
pub(super) fn why(world: &impl World, service: &Service, record: &Record) -> String {
    let own = own(world, service, record);
    let Some(root) = root_of(world, record) else { return own };
    let Some(root_service) = world.service(root) else { return own };
    let root_record = world.record(root).unwrap_or_default();
    let brief = brief(world, &root_service, &root_record);
    match super::waits_for(record) {
        Some(next) if next == root => format!("{own}: {brief}"),
        _ => format!("{own}, and that for {}: {brief}", root_service.name),
    }
}

/// Why a service is in its state, as far as it is its own affair; whom it waits for, but not why
/// that one does not come.
pub(super) fn own(world: &impl World, service: &Service, record: &Record) -> String {
    let other = super::waits_for(record).and_then(|id| name_of(world, id)).unwrap_or_default();
    let waits = match record.wait {
        Wait::Nothing => None,
        Wait::Requires(_) | Wait::Order(_) => Some(format!("for {other}")),
        Wait::Conflict(_) => Some(format!("for {other}, with which it conflicts, to stop")),
        Wait::Dependent(_) => Some(format!("stops once {other} is down")),
    };
    let going = going(world, service, record);
    match waits {
        None => going,
        // What it does while it waits comes first, where it does something.
        Some(waits) if going.is_empty() || record.unit.state == State::Down => waits,
        Some(waits) => format!("{going}; {waits}"),
    }
}

/// The state of another service in few words, for the end of a sentence about a third one.
fn brief(world: &impl World, service: &Service, record: &Record) -> String {
    let ago = || duration(world.now_us().saturating_sub(record.since_us));
    let how = how(service, record);
    match record.unit.state {
        State::Backoff { until } => {
            format!("failed {} ago ({how}), {}", ago(), restart(world, until))
        }
        State::Failed => format!("failed {} ago ({how})", ago()),
        State::Ended => format!("ended {} ago ({how})", ago()),
        State::Down if record.goal == engine::Goal::Down => match record.unit.last {
            Some(Cause::Stopped) => format!("stopped on purpose {} ago", ago()),
            Some(_) | None => "down, and not wanted".into(),
        },
        State::Down
        | State::Spawning { .. }
        | State::Starting { .. }
        | State::Up { .. }
        | State::Stopping { .. }
        | State::Cleaning { .. }
        | State::Finishing { .. }
        | State::Skipped { .. } => {
            let word = state_of(service, record).word();
            let own = own(world, service, record);
            if own.is_empty() { word.into() } else { format!("{word}, {own}") }
        }
    }
}

/// What a service does, or did last, by itself.
fn going(world: &impl World, service: &Service, record: &Record) -> String {
    let how = how(service, record);
    match record.unit.state {
        State::Down => down(record),
        State::Spawning { deadline, .. } => {
            format!("being executed; {}", of(world, record, deadline))
        }
        State::Starting { deadline, .. } => {
            format!("{}; {}", until_ready(service), of(world, record, deadline))
        }
        State::Up {
            reloading:
                Reloading::Announced { until: deadline } | Reloading::Command { deadline, .. },
            ..
        } => {
            format!("reading its configuration again; {}", of(world, record, deadline))
        }
        State::Up { degraded, reloading: Reloading::Failed { exit }, .. } => {
            let failed = format!("its reload command failed: {}", cause_text(Cause::Exited(exit)));
            if degraded { format!("{}; {failed}", unhealthy(service)) } else { failed }
        }
        State::Up { degraded: true, .. } => unhealthy(service),
        State::Up { .. } if record.restarts > 0 && record.unit.last.is_some() => {
            format!("restarted after: {how}")
        }
        State::Up { .. } => String::new(),
        State::Stopping { stage, left, deadline, next } => {
            let what = match (left, next) {
                (Left { main: Main::Gone, command: None }, Next::Policy) => {
                    format!("{how}; what is left of it is being removed")
                }
                (Left { .. }, Next::Policy) => format!("{how}; {}", stopping(service, stage)),
                (Left { .. }, Next::Down) => stopping(service, stage),
            };
            format!("{what}; {}{}", of(world, record, deadline), then(record, next))
        }
        State::Cleaning { deadline, next } => format!(
            "{how}; what its finish command left is being removed, {}{}",
            of(world, record, deadline),
            then(record, next)
        ),
        State::Finishing { deadline, next } => {
            format!(
                "{how}; its finish command runs, {}{}",
                of(world, record, deadline),
                then(record, next)
            )
        }
        State::Backoff { until } => {
            let ago = duration(world.now_us().saturating_sub(record.since_us));
            let restart = restart(world, until);
            if record.unit.failures >= CRASH_LOOPING_FAILURES {
                let failures = record.unit.failures;
                format!("crash-looping ({failures} times in a row): {how}, {ago} ago; {restart}")
            } else {
                format!("{how}, {ago} ago; {restart}")
            }
        }
        State::Ended => format!("{how}; that was its end, as its restart policy says"),
        State::Failed => format!("{how}; it is not started again by itself"),
        State::Skipped { condition } => unmet(service, condition),
    }
}

/// How its last life ended. What a oneshot said of itself is about that end; what a longrun last
/// said may be about better times.
fn how(service: &Service, record: &Record) -> String {
    let how = record.unit.last.map(cause_text).unwrap_or_default();
    let said = record.status.as_str();
    let is_own_end = matches!(record.unit.last, Some(Cause::Exited(_)));
    match &service.kind {
        graph::Kind::Oneshot(_) if is_own_end && !said.is_empty() => format!("{how}: {said}"),
        graph::Kind::Oneshot(_) | graph::Kind::Longrun(_) | graph::Kind::Bundle(_) => how,
    }
}

fn down(record: &Record) -> String {
    match record.unit.last {
        Some(cause) => cause_text(cause),
        None if record.goal == engine::Goal::Up => "its turn to start has come".into(),
        None => "nothing wants it".into(),
    }
}

const fn then(record: &Record, next: Next) -> &'static str {
    match (next, record.goal) {
        (Next::Down, engine::Goal::Up | engine::Goal::Renew) => ", then it starts again",
        (Next::Down, engine::Goal::Down) | (Next::Policy, _) => "",
    }
}

/// `3 s of 2 min`.
fn of(world: &impl World, record: &Record, deadline: Instant) -> String {
    let spent = world.now_us().saturating_sub(record.since_us);
    let whole = deadline.0.saturating_sub(record.since_us);
    format!("{} of {}", duration(spent), limit(whole))
}

fn restart(world: &impl World, until: Instant) -> String {
    match until.0.saturating_sub(world.now_us()) {
        0 => "restart due".into(),
        left => format!("restart in {}", duration(left)),
    }
}

const fn process_of(service: &Service) -> Option<&Process> {
    match &service.kind {
        graph::Kind::Longrun(process) | graph::Kind::Oneshot(process) => Some(process),
        graph::Kind::Bundle(_) => None,
    }
}

fn until_ready(service: &Service) -> String {
    let Some(process) = process_of(service) else { return String::new() };
    match &process.ready {
        Readiness::Exec => "until its program is executed".into(),
        Readiness::Notify => "until it says READY=1".into(),
        Readiness::Fd(fd) => format!("until it writes a newline to descriptor {fd}"),
        Readiness::Exit => "until it exits".into(),
        Readiness::Probe(probe) => format!("until {}", probe_text(probe)),
    }
}

/// Why it is degraded.
fn unhealthy(service: &Service) -> String {
    match health(service) {
        Some(probe) => format!("its health probe fails: {probe}"),
        None => "its health probes fail".into(),
    }
}

fn health(service: &Service) -> Option<String> {
    process_of(service)?.health.as_ref().map(|health| probe_text(&health.probe))
}

fn probe_text(probe: &Probe) -> String {
    match probe {
        Probe::Unix(path) => format!("{path} accepts connections"),
        Probe::Tcp(address) => format!("{address} accepts connections"),
        Probe::Http { address, path, .. } => format!("http://{address}{path} answers"),
        Probe::Exec(command) => format!("`{}` succeeds", command.join(" ")),
        Probe::Path(path) => format!("{path} exists"),
    }
}

fn stopping(service: &Service, stage: Stage) -> String {
    match stage {
        Stage::Interrupt => "its reload command is being killed".into(),
        Stage::Command => "its stop command runs".into(),
        Stage::Signal => {
            let signal = process_of(service).map_or(0, |process| process.stop.signal);
            match signal_name(signal) {
                Some(name) => format!("was sent {name}"),
                None => format!("was sent signal {signal}"),
            }
        }
        Stage::Kill => "was sent SIGKILL".into(),
    }
}

/// The condition that does not hold.
fn unmet(service: &Service, condition: u8) -> String {
    let Some(condition) = service.conditions.get(usize::from(condition)) else {
        return "a condition does not hold".into();
    };
    let (holds, lacks) = match &condition.test {
        ConditionTest::KernelCommandLine(word) => (
            format!("the kernel command line has {word}"),
            format!("the kernel command line does not have {word}"),
        ),
        ConditionTest::PathExists(path) => {
            (format!("{path} exists"), format!("{path} does not exist"))
        }
        ConditionTest::Virtualization(kind) => {
            (format!("this is: {kind}"), format!("this is not: {kind}"))
        }
        ConditionTest::Architecture(name) => {
            (format!("this machine is {name}"), format!("this machine is not {name}"))
        }
        ConditionTest::Hardware(name) => {
            (format!("this hardware is {name}"), format!("this hardware is not {name}"))
        }
    };
    if condition.negated { holds } else { lacks }
}
