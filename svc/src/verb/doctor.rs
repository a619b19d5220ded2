//! `svc doctor`: whether this machine is what its profiles need, and what to do if not.
//!
//! The `doctor` crate examines; here it is chosen by which table, set-up is run for `--fix`, and
//! what was found is told.

mod show;

use std::path::Path;

use doctor::{Finding, Report, Status, System, Wanted};
use facts::{Choice, Node, Section, Severity};
use serde::Serialize;
use source::Table;
use wire::paths;

use crate::{args::Doctor, context::Context, error::Error, exit::Exit, files};

/// What is looked at where nobody has chosen profiles: any machine that boots Cooper.
const BASE: &str = "base";

/// The report, and what was done before it.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    report: Report,
    /// What set-up said.
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<Vec<String>>,
}

/// Examines this machine; with `--fix` twice, and sets up what it can between.
pub fn run(args: &Doctor, context: &mut Context) -> Result<Exit, Error> {
    if let Some(root) = &args.root {
        move_below(root, context)?;
    }
    if args.fix && !rustix::process::geteuid().is_root() {
        return Err(Error::Failed("only root may set up: sudo svc doctor --fix".into()));
    }
    let look = || args.root.as_ref().map_or_else(System::running, System::below);
    let mut table = choose(&args.profiles, context)?;
    let chosen = table.node.hardware.as_ref().map(|(name, _)| name.clone());
    let recognised = || doctor::recognise(&table.library.hardware, &look());
    if let Some(name) = args.hardware.clone().or_else(|| chosen.clone()).or_else(recognised) {
        table.node = on_hardware(&table, name)?;
    }
    let mut of_choice: Vec<String> = table.members.values().cloned().collect();
    of_choice.sort();
    of_choice.dedup();
    let wanted = Wanted {
        node: &table.node,
        chosen: of_choice,
        targets: &table.library.hardware,
        chosen_target: args.hardware.clone().or(chosen),
        budget_ms: budget_ms(context),
    };
    let mut report = doctor::examine(&wanted, &look());
    let mut fixed = None;
    if args.fix {
        let said = set_up(&table.node, &report, &look());
        if !args.json {
            said.iter().for_each(|line| context.screen.say(line));
        }
        fixed = Some(said);
        report = doctor::examine(&wanted, &look());
    }
    let exit = exit(&report);
    if args.json {
        context.screen.json(&Told { report, fixed })?;
    } else {
        show::report(&report, args.all, &mut context.screen)?;
    }
    Ok(exit)
}

/// Errors fail, warnings have a number of their own, and the rest is well.
fn exit(report: &Report) -> Exit {
    match report.worst() {
        Status::Ok | Status::Skipped | Status::Info => Exit::Ok,
        Status::Warning => Exit::Warned,
        Status::Error => Exit::Failed,
    }
}

/// `node.toml` and profiles are those of the machine below `root`.
fn move_below(root: &Path, context: &mut Context) -> Result<(), Error> {
    if !root.is_dir() {
        let error = std::io::Error::from_raw_os_error(files::NO_SUCH_FILE);
        return Err(Error::file("open", root, &error));
    }
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    context.paths.node = below(paths::NODE);
    context.paths.facts = paths::FACTS.map(below).into();
    context.paths.run = below(paths::RUN);
    Ok(())
}

/// The table of these profiles, of those in `node.toml`, or of what any machine needs.
fn choose(profiles: &[String], context: &mut Context) -> Result<Table, Error> {
    let table = files::table(profiles, context)?;
    if !table.node.profiles.is_empty() {
        return Ok(table);
    }
    let node = context.paths.node.display();
    context.screen.say(format!(
        "svc: {node} chooses no profiles: looking for what any node needs; \
         `svc profiles` lists them"
    ));
    files::table(&[BASE.into()], context)
}

/// The same table, made for a hardware target.
fn on_hardware(table: &Table, name: String) -> Result<Node, Error> {
    let choice = Choice {
        profiles: table.node.profiles.clone(),
        hardware: Some(name),
        settings: table.node.settings.clone(),
        ..Choice::default()
    };
    let merged = table.library.node(&choice);
    // What is wrong with the profiles themselves was told when the table was made.
    let of_hardware = |about: &facts::About| matches!(about, facts::About::Hardware(_));
    let wrong = merged.problems.iter().find(|problem| {
        problem.severity == Severity::Error && problem.about.iter().any(of_hardware)
    });
    match wrong {
        Some(problem) => Err(Error::Invalid(format!("svc: {problem}"))),
        None => Ok(merged.node),
    }
}

/// How long a shutdown may take, if Cooper runs here.
fn budget_ms(context: &Context) -> Option<u32> {
    let bytes = std::fs::read(context.paths.graph()).ok()?;
    Some(graph::View::open(&bytes).ok()?.shutdown_budget_ms())
}

/// Runs each section of set-up that something is left to do for, in the order of a boot; what it
/// says.
fn set_up(node: &Node, report: &Report, system: &System) -> Vec<String> {
    let is_left = |finding: &&Finding| finding.status > Status::Skipped;
    let mut said = Vec::new();
    for section in Section::ALL {
        let mut left = report.findings.iter().filter(is_left);
        if !left.any(|finding| finding.set_up == Some(section)) {
            continue;
        }
        let mut out = Vec::new();
        let json = node.section(section);
        let done = node_setup::apply_to(section, &json, &system.set_up_root(), &mut out);
        said.extend(String::from_utf8_lossy(&out).lines().map(str::to_owned));
        if let Err(error) = done {
            said.push(format!("{}: warning: {error}", section.name()));
        }
    }
    said
}

#[cfg(test)]
mod tests;
