//! `svc plan`: what an order would do.

use wire::varlink::{Method, Order, PlanParameters, PlanReply, Steps};

use crate::{
    args::{Plan, PlanOrder},
    client::Client,
    context::Context,
    error::Error,
    exit::Exit,
    render::{Colour, Screen},
};

/// Asks `supervise`, which decides.
pub fn run(args: &Plan, context: &mut Context) -> Result<Exit, Error> {
    let parameters = PlanParameters {
        order: match args.order {
            PlanOrder::Start => Order::Start,
            PlanOrder::Stop => Order::Stop,
            PlanOrder::Restart => Order::Restart,
            PlanOrder::Reload => Order::Reload,
        },
        names: args.names.clone(),
        with_dependents: args.with_dependents.then_some(true),
    };
    let reply: PlanReply = Client::connect(&context.paths)?.call(Method::Plan, &parameters)?;
    if args.json {
        context.screen.json(&reply)?;
    } else {
        for line in lines(&reply.plan, &context.screen) {
            context.screen.line(line)?;
        }
    }
    Ok(Exit::Ok)
}

/// The plan for people, in the order in which it will happen.
pub fn lines(plan: &Steps, screen: &Screen) -> Vec<String> {
    let parts = [
        ("stop", Colour::Bad, &plan.stop),
        ("restart", Colour::Busy, &plan.restart),
        ("start", Colour::Good, &plan.start),
        ("reload", Colour::Busy, &plan.reload),
    ];
    let lines: Vec<String> = parts
        .into_iter()
        .flat_map(|(verb, colour, names)| {
            let verb = screen.paint(colour, &format!("{verb:8}"));
            names.iter().map(move |name| format!("{verb}{name}"))
        })
        .collect();
    if lines.is_empty() { vec!["nothing to do".into()] } else { lines }
}
