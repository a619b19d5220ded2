//! `svc status NAME`: everything about one service.

use std::{fs, path::PathBuf};

use graph::ServiceId;
use wire::{describe::World, varlink::Service};

use super::logs;
use crate::{
    context::Context,
    error::Error,
    model::Snapshot,
    render::{Cell, Colour, Table, ago, bytes},
};

/// So many of its last lines.
const LOG_LINES: usize = 8;

/// Prints everything that is known of a service.
pub fn show(snapshot: &Snapshot, id: ServiceId, context: &mut Context) -> Result<(), Error> {
    let (Some(service), Some(definition)) = (snapshot.describe(id), snapshot.definition(id)) else {
        return Ok(());
    };
    let title = context.screen.paint(Colour::Strong, &service.name);
    context.screen.line(format_args!("{title}  {}", definition.description))?;
    let mut table = Table::bare();
    life(snapshot, &service, &mut table);
    resources(&service, definition, &mut table);
    relations(snapshot, id, definition, &mut table);
    if !definition.file.is_empty() {
        table.row([label("file"), definition.file.as_str().into()]);
    }
    context.screen.table(&table)?;
    last_lines(&service.name, context)
}

fn label(text: &str) -> Cell {
    Cell::new(Colour::Dim, format!("  {text}"))
}

fn life(snapshot: &Snapshot, service: &Service, table: &mut Table) {
    let now = snapshot.now_us();
    let state = match service.since_us {
        0 => service.state.word().into(),
        since => format!("{} for {}", service.state.word(), ago(now, since)),
    };
    table.row([label("state"), Cell::new(Colour::of(service.state), state)]);
    if !service.why.is_empty() {
        table.row([label("why"), service.why.as_str().into()]);
    }
    let goal = match service.goal {
        wire::varlink::Goal::Up => "up",
        wire::varlink::Goal::Down => "down",
    };
    table.row([label("wanted"), goal.into()]);
    if let Some(text) = &service.status {
        table.row([label("says"), text.as_str().into()]);
    }
    if let Some(pid) = service.pid {
        table.row([label("main pid"), pid.to_string().into()]);
    }
    if service.incarnation > 0 {
        let lives = format!(
            "{}; {} unasked since boot, {} failures in a row",
            service.incarnation, service.restarts, service.failures
        );
        table.row([label("starts"), lives.into()]);
    }
    if let Some(end) = &service.last_end {
        table.row([label("last end"), end.text.as_str().into()]);
    }
    if let Some(end) = &service.reload_failed {
        table.row([label("last reload"), format!("failed: {}", end.text).into()]);
    }
}

/// What its cgroup uses, from the kernel's own files.
fn resources(service: &Service, definition: &graph::Service, table: &mut Table) {
    let Some((name, cgroup)) = service.pid.and_then(|pid| cgroup_of(pid, definition)) else {
        return;
    };
    let read = |file: &str| fs::read_to_string(cgroup.join(file)).ok();
    let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
    table.row([label("cgroup"), name.into()]);
    if let Some(count) = number("pids.current") {
        table.row([label("tasks"), count.to_string().into()]);
    }
    if let Some(used) = number("memory.current") {
        let peak = number("memory.peak").map(|peak| format!(", at most {}", bytes(peak)));
        let limit = number("memory.max").map(|limit| format!(", limit {}", bytes(limit)));
        let memory =
            [Some(bytes(used)), peak, limit].into_iter().flatten().collect::<Vec<_>>().concat();
        table.row([label("memory"), memory.into()]);
    }
    let usage = read("cpu.stat").and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse::<u64>().ok())
    });
    if let Some(us) = usage {
        table.row([label("cpu"), wire::describe::duration(us).into()]);
    }
}

/// The cgroup of a process, as the kernel names it; of a delegated one its parent, which holds
/// all of the service.
fn cgroup_of(pid: u32, definition: &graph::Service) -> Option<(String, PathBuf)> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let delegated = match &definition.kind {
        graph::Kind::Longrun(process) | graph::Kind::Oneshot(process) => process.cgroup.delegate,
        graph::Kind::Bundle(_) => false,
    };
    let whole = if delegated { own.strip_suffix("/main").unwrap_or(own) } else { own };
    Some((whole.into(), cgroups()?.join(whole.trim_start_matches('/'))))
}

/// Where cgroup v2 is mounted: not at `/sys/fs/cgroup` where v1 is there as well.
fn cgroups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let target = words.next()?;
        (words.next()? == "cgroup2").then(|| target.into())
    })
}

fn relations(snapshot: &Snapshot, id: ServiceId, definition: &graph::Service, table: &mut Table) {
    let dependents = snapshot.dependents(id);
    let rows = [
        ("requires", &definition.requires),
        ("wants", &definition.wants),
        ("after", &definition.after),
        ("conflicts", &definition.conflicts),
        ("needed by", &dependents),
    ];
    for (name, others) in rows {
        let shown: Vec<String> = others
            .iter()
            .filter_map(|other| snapshot.describe(*other))
            .map(|other| format!("{} ({})", other.name, other.state.word()))
            .collect();
        if !shown.is_empty() {
            table.row([label(name), shown.join(", ").into()]);
        }
    }
}

/// The end of its log, where there is one that we may read.
fn last_lines(name: &str, context: &mut Context) -> Result<(), Error> {
    let lines = logs::last(name, LOG_LINES, &context.paths);
    if !lines.is_empty() {
        context.screen.line("")?;
    }
    lines.into_iter().try_for_each(|line| context.screen.line(line))
}
