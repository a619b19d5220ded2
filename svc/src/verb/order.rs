//! `svc start`, `stop`, `restart`, `reload`: orders, and waiting for them to be carried out.
//!
//! What is ordered is recorded by `supervise` before it answers, so a `supervise` that is replaced
//! afterwards goes on with it. One that is replaced *before* it answered may or may not have taken
//! the order: a start, a stop and a reload are then simply given again, for twice is once; whether
//! a restart was taken is seen from the state table.

use std::collections::BTreeMap;

use graph::ServiceId;
use serde::Serialize;
use wire::varlink::{
    Method, Order, PlanParameters, PlanReply, ReloadParameters, RestartParameters, StartParameters,
    Steps, StopParameters,
};

use super::{
    follow::{self, Aim},
    plan,
};
use crate::{
    args,
    client::{BREAKS_MAX, Client, Fault},
    context::Context,
    error::Error,
    exit::Exit,
    model::Snapshot,
};

/// Starts services; asks first where a conflict would stop others.
pub fn start(args: &args::Start, context: &mut Context) -> Result<Exit, Error> {
    let names = known(&args.names, context)?;
    let plan = planned(Order::Start, &names, context)?;
    if !consent(&plan, &names, args.force, context)? {
        return Ok(Exit::Failed);
    }
    let parameters = StartParameters { names: names.clone(), ..StartParameters::default() };
    let Given(_) = give(Method::Start, &parameters, context, |_| Taken::Unknown)?;
    wait(Aim::Up, &names, &args.patience, context)
}

/// Stops services; asks first where others would stop with them.
pub fn stop(args: &args::Start, context: &mut Context) -> Result<Exit, Error> {
    let names = known(&args.names, context)?;
    let plan = planned(Order::Stop, &names, context)?;
    if !consent(&plan, &names, args.force, context)? {
        return Ok(Exit::Failed);
    }
    // Forced in any case: what the plan reaches was agreed to. Should it reach further by now,
    // that is what was asked for, too: nothing may depend on what is stopped.
    let parameters =
        StopParameters { names: names.clone(), force: Some(true), ..StopParameters::default() };
    let Given(_) = give(Method::Stop, &parameters, context, |_| Taken::Unknown)?;
    wait(Aim::Down, &names, &args.patience, context)
}

/// Restarts services, alone or with what depends on them.
pub fn restart(args: &args::Restart, context: &mut Context) -> Result<Exit, Error> {
    let names = known(&args.names, context)?;
    let before = Lives::of(&names, context);
    let parameters = RestartParameters {
        names: names.clone(),
        with_dependents: args.with_dependents.then_some(true),
        ..RestartParameters::default()
    };
    let taken = |context: &Context| before.have_changed(context);
    let Given(plan) = give(Method::Restart, &parameters, context, taken)?;
    let aim = Aim::Again(before.lives);
    let reached = match plan {
        Some(plan) if args.with_dependents => {
            // Those that depend on them are waited for as well.
            let mut all = names;
            let others = plan.restart.into_iter().chain(plan.start);
            all.extend(others.filter(|name| !args.names.contains(name)));
            all.sort();
            all.dedup();
            all
        }
        _ => names,
    };
    wait(aim, &reached, &args.patience, context)
}

/// Has services re-read their configuration.
pub fn reload(args: &args::Reload, context: &mut Context) -> Result<Exit, Error> {
    let names = known(&args.names, context)?;
    let parameters = ReloadParameters { names: names.clone(), ..ReloadParameters::default() };
    let Given(_) = give(Method::Reload, &parameters, context, |_| Taken::Unknown)?;
    wait(Aim::Reloaded, &names, &args.patience, context)
}

/// The services' own names for the names and aliases that were typed.
fn known(names: &[String], context: &Context) -> Result<Vec<String>, Error> {
    match Snapshot::load(&context.paths) {
        Ok(snapshot) => names
            .iter()
            .map(|name| {
                let id = snapshot.find(name)?;
                Ok(snapshot.definition(id).map_or_else(|| name.clone(), |s| s.name.clone()))
            })
            .collect(),
        // Not our business here: `supervise` knows the names as well.
        Err(_) => Ok(names.to_vec()),
    }
}

fn planned(order: Order, names: &[String], context: &Context) -> Result<Steps, Error> {
    let parameters = PlanParameters { order, names: names.to_vec(), with_dependents: None };
    let Given(plan) = give(Method::Plan, &parameters, context, |_| Taken::Unknown)?;
    Ok(plan.unwrap_or_default())
}

/// Whether whatever else stops may stop.
fn consent(
    plan: &Steps,
    named: &[String],
    force: bool,
    context: &mut Context,
) -> Result<bool, Error> {
    let others: Vec<&String> = plan.stop.iter().filter(|name| !named.contains(name)).collect();
    if force || others.is_empty() {
        return Ok(true);
    }
    for line in plan::lines(plan, &context.screen) {
        context.screen.say(line);
    }
    if context.screen.is_interactive() {
        return Ok(context.screen.ask("Go on?"));
    }
    let others: Vec<&str> = others.into_iter().map(String::as_str).collect();
    let others = others.join(", ");
    Err(Error::Failed(format!("refused: it would also stop {others}; --force does it")))
}

/// What is known of an order whose answer never came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Taken {
    /// It shows in the state table.
    Yes,
    /// It may have been; giving it again does no harm.
    Unknown,
}

/// An order was taken; its plan is not known when the answer was lost.
struct Given(Option<Steps>);

/// Gives an order, again if the connection breaks and it was not taken.
fn give<P: Serialize>(
    method: Method,
    parameters: &P,
    context: &Context,
    taken: impl Fn(&Context) -> Taken,
) -> Result<Given, Error> {
    for _ in 0..BREAKS_MAX {
        let called = Client::connect(&context.paths)
            .and_then(|mut client| client.call::<P, PlanReply>(method, parameters));
        match called {
            Ok(reply) => return Ok(Given(Some(reply.plan))),
            Err(Fault::Broken) if taken(context) == Taken::Yes => return Ok(Given(None)),
            Err(Fault::Broken) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Err(Fault::Broken.into())
}

/// Which life each service was living before a restart was ordered.
struct Lives {
    /// Those that are to be restarted.
    names: Vec<String>,
    /// Of all services.
    lives: BTreeMap<String, u32>,
}

impl Lives {
    fn of(names: &[String], context: &Context) -> Self {
        let lives = Snapshot::load(&context.paths).map(|snapshot| {
            let ids: Vec<ServiceId> = snapshot.ids().collect();
            let services = snapshot.list(&ids).services.into_iter();
            services.map(|service| (service.name, service.incarnation)).collect()
        });
        Self { names: names.to_vec(), lives: lives.unwrap_or_default() }
    }

    /// A new life, or the end of the old one, shows that the restart was taken.
    fn have_changed(&self, context: &Context) -> Taken {
        let Ok(snapshot) = Snapshot::load(&context.paths) else { return Taken::Unknown };
        let changed = self.names.iter().any(|name| {
            let service = snapshot.find(name).ok().and_then(|id| snapshot.describe(id));
            service.is_some_and(|service| {
                let before = self.lives.get(name).copied();
                !service.state.is_up() || before != Some(service.incarnation)
            })
        });
        if changed { Taken::Yes } else { Taken::Unknown }
    }
}

fn wait(
    aim: Aim,
    names: &[String],
    patience: &args::Patience,
    context: &mut Context,
) -> Result<Exit, Error> {
    if patience.no_wait {
        return Ok(Exit::Ok);
    }
    follow::follow(&aim, names, patience.timeout, context)
}

#[cfg(test)]
mod tests;
