//! `svc status`: one line per service, and why.

use wire::{
    link::Request,
    varlink::{Goal, ListReply, Service, State},
};

use super::detail;
use crate::{
    args::Status,
    context::Context,
    error::Error,
    exit::Exit,
    model::Snapshot,
    render::{Cell, Colour, Screen, Table, ago, monotonic_us},
};

/// Shows the services of this node, or those that were named; one alone in detail.
pub fn run(args: &Status, context: &mut Context) -> Result<Exit, Error> {
    let snapshot = Snapshot::load(&context.paths)?;
    let ids = snapshot.find_all(&args.names)?;
    let mut list = snapshot.list(&ids);
    let found = list.services.len();
    if args.names.is_empty() && !args.all && !args.json {
        list.services.retain(is_of_this_node);
    }
    match (ids.as_slice(), args.json) {
        (_, true) => context.screen.json(&list)?,
        ([id], false) if args.names.len() == 1 => detail::show(&snapshot, *id, context)?,
        _ => context.screen.table(&table(&list))?,
    }
    let hidden = found.saturating_sub(list.services.len());
    if hidden > 0 {
        context.screen.say(format_args!("svc: {hidden} more that nothing wants: svc status --all"));
    }
    if say_ending(&snapshot, &mut context.screen) {
        super::shutdown::say_holders(context);
    }
    let all_up = list.services.iter().all(|service| service.state.is_up());
    Ok(if args.names.is_empty() || all_up { Exit::Ok } else { Exit::Failed })
}

/// Whether anything has wanted it since the boot: packages bring services for other nodes as well.
fn is_of_this_node(service: &Service) -> bool {
    service.goal != Goal::Down || service.state != State::Down || service.incarnation > 0
}

/// One line per service.
fn table(list: &ListReply) -> Table {
    let mut table = Table::new(&["SERVICE", "STATE", "SINCE", "WHY"]);
    for service in &list.services {
        let since = match service.since_us {
            0 => "-".into(),
            since => ago(list.now_us, since),
        };
        table.row([
            service.name.as_str().into(),
            Cell::new(Colour::of(service.state), service.state.word()),
            since.into(),
            remark(service),
        ]);
    }
    table
}

/// Why it is in its state; where there is nothing to explain, what it says of itself or what it
/// is.
fn remark(service: &Service) -> Cell {
    if !service.why.is_empty() {
        return service.why.as_str().into();
    }
    let said = service.status.as_deref().unwrap_or(&service.description);
    Cell::new(Colour::Dim, said)
}

/// A shutdown explains everything else, so it is told in any case.
fn say_ending(snapshot: &Snapshot, screen: &mut Screen) -> bool {
    let Some(shutdown) = snapshot.live.shutdown else { return false };
    let what = match shutdown.request {
        Request::Poweroff => "poweroff",
        Request::Reboot => "reboot",
        Request::Halt => "halt",
        Request::Kexec => "kexec",
        Request::Exit => "exit",
        Request::Reload => "reload",
    };
    let left = ago(shutdown.deadline_us, monotonic_us());
    screen.say(format_args!("svc: a shutdown is under way ({what}); it ends within {left}"));
    true
}

#[cfg(test)]
mod tests;
