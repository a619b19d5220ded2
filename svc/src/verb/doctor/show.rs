//! Findings for people: a line for each, and under what does not hold why that matters, what to
//! do, and who wants it. Notes have their reasons only where everything is asked for.

use doctor::{Finding, Report, Status};

use crate::{
    error::Error,
    render::{Cell, Colour, Screen, Table, wrapped},
};

/// In front of what is said of a finding.
const INDENT: &str = "         ";

/// Prints the report: what does not hold, the worst first; with `all` the rest after it.
pub fn report(report: &Report, all: bool, screen: &mut Screen) -> Result<(), Error> {
    for status in [Status::Error, Status::Warning, Status::Info] {
        let short = status == Status::Info && !all;
        let groups = groups(report, status, short);
        for group in &groups {
            one(group, short, screen)?;
        }
        if short && !groups.is_empty() {
            screen.line("")?;
        }
    }
    if all {
        let mut table = Table::new(&["STATUS", "CHECK", "FOUND"]);
        for status in [Status::Skipped, Status::Ok] {
            for finding in report.findings.iter().filter(|finding| finding.status == status) {
                table.row([
                    Cell::new(colour(status), word(status)),
                    finding.id.as_str().into(),
                    finding.found.as_str().into(),
                ]);
            }
        }
        screen.table(&table)?;
        screen.line("")?;
    }
    for line in sum(report, all) {
        paragraph("", &line, screen)?;
    }
    Ok(())
}

/// Findings that differ in nothing but what they are about: options of one kernel, for the most.
struct Group<'a> {
    first: &'a Finding,
    names: Vec<&'a str>,
}

fn groups(report: &Report, status: Status, short: bool) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.status == status) {
        let (kind, name) = finding.id.split_once(':').unwrap_or(("", finding.id.as_str()));
        let same = groups.iter_mut().find(|group| {
            let other = group.first;
            let of_kind = |it: &(&str, &str)| !kind.is_empty() && it.0 == kind;
            let same_cure = (&other.why, &other.fix) == (&finding.why, &finding.fix);
            other.id.split_once(':').filter(of_kind).is_some()
                && other.found == finding.found
                && (short || same_cure)
        });
        match same {
            Some(group) => group.names.push(name),
            None => groups.push(Group { first: finding, names: vec![name] }),
        }
    }
    groups
}

fn one(group: &Group<'_>, short: bool, screen: &mut Screen) -> Result<(), Error> {
    let finding = group.first;
    let kind = finding.id.split_once(':').map(|(kind, _)| format!("{kind} ")).unwrap_or_default();
    let head = format!("{kind}{}: {}", group.names.join(", "), finding.found);
    // As wide as the indent, whatever colour it has.
    let status = format!("{:<9}", word(finding.status));
    let status = screen.paint(colour(finding.status), &status);
    let mut lines = wrapped(&head, room(screen)).into_iter();
    screen.line(format_args!("{status}{}", lines.next().unwrap_or_default()))?;
    for line in lines {
        screen.line(format_args!("{INDENT}{line}"))?;
    }
    if short {
        return Ok(());
    }
    paragraph("why  ", &finding.why, screen)?;
    paragraph("fix  ", &finding.fix, screen)?;
    paragraph("for  ", &finding.by.join(", "), screen)?;
    paragraph("see  ", &finding.source, screen)?;
    screen.line("")
}

/// Text below the indent, if there is any; with `label` in front of its first line.
fn paragraph(label: &str, text: &str, screen: &mut Screen) -> Result<(), Error> {
    let indent = if label.is_empty() { "" } else { INDENT };
    let taken = indent.len().saturating_add(label.len());
    let width = screen.width().map(|width| width.saturating_sub(taken));
    for (number, line) in wrapped(text, width).into_iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        let label = if number == 0 { label.to_owned() } else { " ".repeat(label.len()) };
        let label = screen.paint(Colour::Dim, &label);
        screen.line(format_args!("{indent}{label}{line}"))?;
    }
    Ok(())
}

/// How wide the text beside the status may be.
fn room(screen: &Screen) -> Option<usize> {
    screen.width().map(|width| width.saturating_sub(INDENT.len()))
}

/// How many there are of each, and what to type next.
fn sum(report: &Report, all: bool) -> Vec<String> {
    let summary = report.summary;
    let count = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let parts: Vec<String> = [
        count(summary.error, "error", "errors"),
        count(summary.warning, "warning", "warnings"),
        count(summary.info, "note", "notes"),
        count(summary.ok, "hold", "hold"),
        count(summary.skipped, "could not be judged", "could not be judged"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let hardware = report.hardware.iter().map(|name| format!(" on {name}")).collect::<String>();
    let mut lines = vec![format!("{}{hardware}: {}", report.chosen.join(", "), parts.join(", "))];
    let of = |test: fn(&Finding) -> bool| report.findings.iter().filter(|it| test(it)).count();
    let set_up = of(|finding| finding.status > Status::Skipped && finding.set_up.is_some());
    let hidden = of(|finding| finding.needs_root);
    if set_up > 0 {
        lines.push(format!("`svc doctor --fix` sets up {set_up} of them."));
    }
    if hidden > 0 {
        lines.push(format!("{hidden} can be seen by root only."));
    }
    if !all {
        lines.push("`svc doctor --all` shows what holds, and all of the notes.".into());
    }
    lines
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Skipped => "skipped",
        Status::Info => "note",
        Status::Warning => "warning",
        Status::Error => "error",
    }
}

const fn colour(status: Status) -> Colour {
    match status {
        Status::Ok => Colour::Good,
        Status::Skipped => Colour::Dim,
        Status::Info => Colour::Plain,
        Status::Warning => Colour::Busy,
        Status::Error => Colour::Bad,
    }
}
