//! Waiting until an order is carried out, and saying for what.
//!
//! It watches the services by the control protocol's `Watch`, whose first answer is how things
//! stand; so a `supervise` that is replaced meanwhile is only connected to again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use wire::{
    describe::{duration, limit},
    varlink::{Goal, Kind, ListReply, Method, Service, State, WatchParameters},
};

use crate::{
    client::{BREAKS_MAX, Client, Fault},
    context::Context,
    error::Error,
    exit::Exit,
    render::{Screen, monotonic_us},
};

/// How often a person sees the seconds go by.
const TICK: Duration = Duration::from_secs(1);
/// Nobody sees anything, and there is no time limit: one wake-up an hour does no harm.
const LONG: Duration = Duration::from_secs(3600);

/// What is waited for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Aim {
    /// All are up.
    Up,
    /// All are down.
    Down,
    /// All are up, in a later life than this one.
    Again(BTreeMap<String, u32>),
    /// All have re-read their configuration.
    Reloaded,
}

/// Whether one service has got there.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Verdict {
    Reached,
    /// Not yet; this service is at work, or is waited for.
    Pending(String),
    /// It will not, by itself, or not soon.
    Failed(String),
}

/// Waits for all of `names`.
pub fn follow(
    aim: &Aim,
    names: &[String],
    timeout: Option<Duration>,
    context: &mut Context,
) -> Result<Exit, Error> {
    let begun = Instant::now();
    let deadline = timeout.and_then(|timeout| begun.checked_add(timeout));
    let mut known = BTreeMap::new();
    let mut progress = context.screen.progress();
    let mut breaks = 0_u32;
    let pending = 'connection: loop {
        let mut client = match watch(&context.paths) {
            Ok(client) => client,
            Err(Fault::Broken) if breaks < BREAKS_MAX => {
                breaks = breaks.saturating_add(1);
                continue;
            }
            Err(fault) => return Err(fault.into()),
        };
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let tick = if progress.is_seen() { TICK } else { LONG };
            match client.reply::<ListReply>(left.map_or(tick, |left| left.min(tick))) {
                Ok(Some(list)) => {
                    breaks = 0;
                    let named = |service: Service| (service.name.clone(), service);
                    known.extend(list.services.into_iter().map(named));
                }
                Ok(None) => {}
                Err(Fault::Broken) if breaks < BREAKS_MAX => {
                    breaks = breaks.saturating_add(1);
                    continue 'connection;
                }
                Err(fault) => return Err(fault.into()),
            }
            let pending = pending(aim, names, &known);
            match pending {
                None => break 'connection None,
                Some(_) if left.is_some_and(|left| left.is_zero()) => break 'connection pending,
                Some(name) => progress.show(&waiting_for(&name, &known)),
            }
        }
    };
    drop(progress);
    match pending {
        Some(name) => Err(Error::TimedOut(format!("not in time: {}", waiting_for(&name, &known)))),
        None => report(aim, names, &known, begun.elapsed(), &mut context.screen),
    }
}

fn watch(paths: &crate::paths::Paths) -> Result<Client, Fault> {
    let mut client = Client::connect(paths)?;
    // All services, not only those named: what they wait for may be any other.
    client.send(Method::Watch, &WatchParameters::default(), true)?;
    Ok(client)
}

/// The first service that is waited for, while there is one.
fn pending(aim: &Aim, names: &[String], known: &BTreeMap<String, Service>) -> Option<String> {
    names.iter().find_map(|name| match verdict(aim, name, known) {
        Verdict::Pending(other) => Some(other),
        Verdict::Reached | Verdict::Failed(_) => None,
    })
}

fn verdict(aim: &Aim, name: &str, known: &BTreeMap<String, Service>) -> Verdict {
    let pending = || Verdict::Pending(root(name, known));
    let Some(service) = known.get(name) else { return pending() };
    match aim {
        Aim::Up => going_up(service, known),
        Aim::Again(lives) => {
            let is_new = lives.get(name).is_none_or(|before| service.incarnation > *before);
            // A bundle has no lives.
            if is_new || service.kind == Kind::Bundle {
                going_up(service, known)
            } else {
                pending()
            }
        }
        Aim::Down if service.goal == Goal::Up => Verdict::Failed("it is wanted up again".into()),
        Aim::Down => match service.state {
            State::Down | State::Ended | State::Failed | State::Skipped => Verdict::Reached,
            State::Waiting
            | State::Starting
            | State::Ready
            | State::Degraded
            | State::Stopping
            | State::Backoff
            | State::Running
            | State::Done
            | State::Undoing => pending(),
        },
        Aim::Reloaded if !service.state.is_up() => Verdict::Failed(told(service)),
        Aim::Reloaded if service.until_us.is_some() => pending(),
        Aim::Reloaded if service.reload_failed.is_some() => Verdict::Failed(told(service)),
        Aim::Reloaded => Verdict::Reached,
    }
}

fn going_up(service: &Service, known: &BTreeMap<String, Service>) -> Verdict {
    let blocked = |service: &Service| {
        matches!(service.state, State::Ended | State::Failed | State::Skipped | State::Backoff)
    };
    match service.state {
        State::Ready | State::Degraded | State::Done if service.goal == Goal::Up => {
            Verdict::Reached
        }
        State::Ended | State::Failed | State::Skipped | State::Backoff => {
            Verdict::Failed(told(service))
        }
        State::Waiting if known.get(&root(&service.name, known)).is_some_and(blocked) => {
            Verdict::Failed(told(service))
        }
        State::Down if service.goal == Goal::Down => {
            Verdict::Failed("it is not wanted up any more".into())
        }
        State::Down
        | State::Waiting
        | State::Starting
        | State::Ready
        | State::Degraded
        | State::Stopping
        | State::Running
        | State::Done
        | State::Undoing => Verdict::Pending(root(&service.name, known)),
    }
}

/// The last of those that wait for one another.
fn root(name: &str, known: &BTreeMap<String, Service>) -> String {
    let mut root = name;
    // Waits form no cycle; an answer is not believed, though.
    for _ in 0..known.len() {
        match known.get(root).and_then(|service| service.waiting_on.as_deref()) {
            Some(next) => root = next,
            None => break,
        }
    }
    root.into()
}

fn told(service: &Service) -> String {
    match service.why.as_str() {
        "" => service.state.word().into(),
        why => format!("{}: {why}", service.state.word()),
    }
}

/// `waiting for containerd (starting, 3 s of 2 min)`.
fn waiting_for(name: &str, known: &BTreeMap<String, Service>) -> String {
    let Some(service) = known.get(name) else {
        return format!("waiting for supervise to answer about {name}");
    };
    // Whole seconds: it is shown anew every second.
    let spent = monotonic_us().saturating_sub(service.since_us) / 1_000_000;
    let spent =
        if spent < 60 { format!("{spent} s") } else { duration(spent.saturating_mul(1_000_000)) };
    let until = service.until_us.map(|until| limit(until.saturating_sub(service.since_us)));
    let of = until.map(|until| format!(" of {until}")).unwrap_or_default();
    format!("waiting for {name} ({}, {spent}{of})", service.state.word())
}

/// What came of it, service by service.
fn report(
    aim: &Aim,
    names: &[String],
    known: &BTreeMap<String, Service>,
    took: Duration,
    screen: &mut Screen,
) -> Result<Exit, Error> {
    let mut failures = Vec::new();
    for name in names {
        match (verdict(aim, name, known), known.get(name)) {
            (Verdict::Failed(why), _) => {
                failures.push(format!("{name} is {why} (`svc explain {name}`, `svc logs {name}`)"));
            }
            (Verdict::Reached, Some(service)) => {
                let took = duration(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                screen.chat(format_args!("{name} is {} ({took})", service.state.word()));
            }
            (Verdict::Reached | Verdict::Pending(_), _) => {}
        }
    }
    if failures.is_empty() { Ok(Exit::Ok) } else { Err(Error::Failed(failures.join("\nsvc: "))) }
}

#[cfg(test)]
mod tests;
