//! `svc boot`: how long the boot took, who took longest, and whom the others waited for; and how
//! the one before it ended.

mod last;

use graph::{Kind, ServiceId};
use serde::Serialize;
use wire::{
    describe::{World, traces},
    varlink::Trace,
};

use crate::{
    args::Boot,
    context::Context,
    error::Error,
    exit::Exit,
    model::Snapshot,
    render::{Cell, Colour, Screen, Table, seconds},
};

use last::LastShutdown;

/// So many services in the table, unless all are asked for.
const SHOWN: usize = 10;

/// The control protocol's `BootTrace`, and when the boot was over.
#[derive(Serialize)]
struct Report {
    boot_us: u64,
    /// None: it is not over.
    settled_us: Option<u64>,
    traces: Vec<Trace>,
    now_us: u64,
    set_up: SetUp,
    last_shutdown: LastShutdown,
}

/// What making the node's table true has cost.
#[derive(Default, Serialize)]
struct SetUp {
    /// The oneshots that were given a section of the table, and have ended.
    services: Vec<String>,
    /// Their processor time, with that of what they ran, the last time that they did.
    cpu_us: u64,
}

impl SetUp {
    fn of(snapshot: &Snapshot) -> Self {
        let mut set_up = Self::default();
        for id in (0..snapshot.count()).map(ServiceId) {
            let (Some(service), Some(record)) = (snapshot.service(id), snapshot.record(id)) else {
                continue;
            };
            let Kind::Oneshot(process) = &service.kind else { continue };
            let mut variables = process.environment.variables.iter();
            if record.cpu_us > 0 && variables.any(|(name, _)| name == facts::section::VARIABLE) {
                set_up.cpu_us = set_up.cpu_us.saturating_add(record.cpu_us);
                set_up.services.push(service.name);
            }
        }
        set_up
    }

    fn text(&self) -> Option<String> {
        let (time, count) = (seconds(self.cpu_us), self.services.len());
        let services = if count == 1 { "service" } else { "services" };
        (count > 0).then(|| format!("set-up: {time} of processor time, in {count} {services}"))
    }
}

/// Prints the report.
pub fn run(args: &Boot, context: &mut Context) -> Result<Exit, Error> {
    let snapshot = Snapshot::load(&context.paths)?;
    let report = Report {
        boot_us: snapshot.live.boot_us,
        settled_us: (snapshot.live.settled_us != 0).then_some(snapshot.live.settled_us),
        traces: traces(&snapshot),
        now_us: snapshot.now_us(),
        set_up: SetUp::of(&snapshot),
        last_shutdown: LastShutdown::load(&context.paths, &mut context.screen),
    };
    if args.json {
        context.screen.json(&report)?;
    } else {
        show(&report, args.all, &mut context.screen)?;
    }
    Ok(Exit::Ok)
}

fn show(report: &Report, all: bool, screen: &mut Screen) -> Result<(), Error> {
    screen.line(total(report))?;
    if let Some(set_up) = report.set_up.text() {
        screen.line(set_up)?;
    }
    if let Some(last) = report.last_shutdown.text() {
        screen.line(last)?;
    }
    screen.line("")?;
    screen.table(&blame(report, if all { usize::MAX } else { SHOWN }))?;
    let chain = critical(&report.traces);
    if let Some(last) = chain.first() {
        screen.line(format_args!("\nready last was {}, and it waited for:", last.name))?;
        screen.table(&chain_table(&chain, report.boot_us))?;
    }
    Ok(())
}

fn total(report: &Report) -> String {
    // In a container the kernel's clock began long before.
    let kernel = format!("init began {} after the kernel's clock", seconds(report.boot_us));
    let late: Vec<&str> = report
        .traces
        .iter()
        .filter(|trace| trace.ready_us.is_none())
        .map(|trace| trace.name.as_str())
        .collect();
    let over = match report.settled_us {
        None => "not all services are up yet: `svc status`".into(),
        Some(settled) => {
            let after = seconds(settled.saturating_sub(report.boot_us));
            if late.is_empty() {
                format!("all services: {after} after init began")
            } else {
                let late = late.join(", ");
                format!("nothing more to start: {after} after init began; not ready: {late}")
            }
        }
    };
    format!("{over}\n{kernel}")
}

/// From start to ready, the longest first.
fn blame(report: &Report, shown: usize) -> Table {
    let mut took: Vec<(u64, &Trace)> = report
        .traces
        .iter()
        .map(|trace| {
            (trace.ready_us.unwrap_or(report.now_us).saturating_sub(trace.start_us), trace)
        })
        .collect();
    took.sort_by_key(|(us, _)| std::cmp::Reverse(*us));
    let mut table = Table::new(&["TOOK", "STARTED AT", "SERVICE"]).align_right(&[0, 1]);
    for (us, trace) in took.into_iter().take(shown) {
        let (took, colour) = match trace.ready_us {
            Some(_) => (seconds(us), Colour::Plain),
            None => ("not ready".into(), Colour::Bad),
        };
        table.row([
            Cell::new(colour, took),
            seconds(trace.start_us.saturating_sub(report.boot_us)).into(),
            trace.name.as_str().into(),
        ]);
    }
    table
}

/// The service that was ready last, the dependency it waited for, the one that this waited for,
/// and so on.
fn critical(traces: &[Trace]) -> Vec<&Trace> {
    let mut chain: Vec<&Trace> = Vec::new();
    let mut next = traces.iter().max_by_key(|trace| trace.ready_us);
    while let Some(trace) = next.filter(|trace| trace.ready_us.is_some()) {
        chain.push(trace);
        next = trace.after.as_ref().and_then(|after| {
            // Each was ready before the one that waited for it, so this ends.
            traces.iter().find(|other| other.name == *after && other.ready_us < trace.ready_us)
        });
    }
    chain
}

fn chain_table(chain: &[&Trace], boot_us: u64) -> Table {
    let mut table = Table::bare().align_right(&[0, 1]);
    for trace in chain {
        let ready = trace.ready_us.unwrap_or(trace.start_us);
        table.row([
            format!("@{}", seconds(ready.saturating_sub(boot_us))).into(),
            format!("+{}", seconds(ready.saturating_sub(trace.start_us))).into(),
            trace.name.as_str().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests;
