//! Section `modules`: the kernel's modules, loaded without the help of modprobe.
//!
//! A module that is built in and one that was loaded are as good as each other; one that is
//! neither is told from one that could be loaded. What an administrator can tell modprobe counts
//! here, too: aliases, parameters, blacklists, commands and soft dependencies in `modprobe.d`, and
//! the lists of names in `/etc/modules` and `modules-load.d`, which are loaded like the table's.
//!
//! Not here: modules that a device asks for; that is the device manager's work.

pub mod catalog;
pub mod config;
pub mod index;
mod load;
mod plan;
mod requests;
pub mod unpack;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use facts::section::Modules;

use crate::{Finding, Need, Report, Root, State};
use catalog::{Catalog, Standing, Texts};
use load::Job;
use plan::Plan;
use requests::Request;

/// What the table forbids is written here, for whoever else loads modules: kmod reads it.
const FORBIDDEN: &str = "/run/modprobe.d/cooper.conf";

/// How each entry stands.
#[must_use]
pub fn inspect(table: &Modules, root: &Root) -> Vec<Finding> {
    let texts = Texts::read(root);
    let catalog = Catalog::new(&texts, root);
    let wanted = requests::all(table, root);
    let mut found: Vec<_> = wanted.iter().map(|request| look(request, &catalog)).collect();
    found.extend(table.blacklist.iter().map(|entry| forbidden(entry, &catalog)));
    found
}

/// Loads what is not there.
pub fn apply(table: &Modules, root: &Root, report: &mut Report<'_>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let unpacks = root.line("/sys/module/compression");
    apply_with(table, root, report, threads, |job| load::insert(job, unpacks.as_deref()));
}

/// The same, with a kernel of the caller's.
fn apply_with<F>(table: &Modules, root: &Root, report: &mut Report<'_>, threads: usize, insert: F)
where
    F: Fn(&Job) -> Result<(), String> + Sync,
{
    // Before anything is loaded: a loaded module makes its devices known, and they ask for others.
    write_forbidden(table, root, report);
    let texts = Texts::read(root);
    let catalog = Catalog::new(&texts, root);
    let mut plan = Plan::new(&catalog, root);
    let wanted = requests::all(table, root);
    let mut open = Vec::new();
    for request in &wanted {
        match look(request, &catalog).state {
            State::Holds(_) => report.holds(),
            State::Cannot(reason) | State::Hidden(reason) => {
                report
                    .failed(&format_args!("cannot load {}: {reason}", request.name), &request.need);
            }
            State::Differs { .. } => {
                let modules = loadable(&request.name, &catalog);
                let jobs = modules.iter().map(|module| plan.add(module, &request.options));
                open.push((request, jobs.collect::<Vec<_>>()));
            }
        }
    }
    let results = load::all(plan.jobs(), threads, insert);
    for (request, jobs) in open {
        tell(request, &jobs, plan.jobs(), &results, report);
    }
    for entry in &table.blacklist {
        if let State::Cannot(reason) = forbidden(entry, &catalog).state {
            let need = Need { is_optional: true, ..entry.into() };
            report.failed(&format_args!("cannot keep out {}: {reason}", entry.name), &need);
        }
    }
}

/// Those of the names and aliases for which there are modules to load.
#[must_use]
pub fn can_load(names: BTreeSet<String>, root: &Root) -> BTreeSet<String> {
    let texts = Texts::read(root);
    let catalog = Catalog::new(&texts, root);
    let can = |name: &String| {
        let modules = catalog.resolve(name);
        let is_allowed = modules.iter().all(|module| catalog.forbidden(module).is_none());
        is_allowed && modules.iter().any(|it| catalog.standing(it) == Standing::Loadable)
    };
    names.into_iter().filter(can).collect()
}

/// Loads what a name or alias stands for, now.
///
/// # Errors
/// What is wrong, for people.
pub fn load_now(name: &str, root: &Root) -> Result<(), String> {
    let texts = Texts::read(root);
    let catalog = Catalog::new(&texts, root);
    let mut plan = Plan::new(&catalog, root);
    for module in loadable(name, &catalog) {
        plan.add(&module, "");
    }
    let unpacks = root.line("/sys/module/compression");
    let results = load::all(plan.jobs(), 1, |job| load::insert(job, unpacks.as_deref()));
    results.into_iter().collect()
}

/// Says what became of one request.
fn tell(
    request: &Request,
    own: &[Option<usize>],
    jobs: &[Job],
    results: &[Result<(), String>],
    report: &mut Report<'_>,
) {
    let Request { name, need, .. } = request;
    let failed = own.iter().flatten().find_map(|at| results.get(*at)?.as_ref().err());
    if let Some(reason) = failed {
        return report.failed(&format_args!("cannot load {name}: {reason}"), need);
    }
    let needs = own.iter().flatten().filter_map(|at| Some(jobs.get(*at)?.needs.as_slice()));
    let with: Vec<&str> =
        needs.flatten().filter_map(|at| jobs.get(*at).map(|job| job.module.as_str())).collect();
    let to = match with.as_slice() {
        [] => "loaded".to_owned(),
        with => format!("loaded, with {}", with.join(" ")),
    };
    report.changed(name, "not loaded", &to, need);
}

/// How one request stands.
fn look(request: &Request, catalog: &Catalog<'_>) -> Finding {
    let modules = catalog.resolve(&request.name);
    let forbidden = modules.iter().find_map(|module| catalog.forbidden(module));
    let standings: Vec<_> = modules.iter().map(|module| catalog.standing(module)).collect();
    let state = if modules.is_empty() {
        State::Cannot(catalog.why_missing())
    } else if standings.iter().all(|it| matches!(it, Standing::Loaded | Standing::BuiltIn)) {
        let is_built_in = standings.contains(&Standing::BuiltIn);
        State::Holds(if is_built_in { "built in" } else { "loaded" }.to_owned())
    } else if let Some((how, place)) = forbidden {
        State::Cannot(format!("it is {how} by {place}"))
    } else if standings.contains(&Standing::Missing) {
        State::Cannot(catalog.why_missing())
    } else {
        State::Differs { is: "not loaded".to_owned(), wanted: "loaded".to_owned() }
    };
    Finding { subject: request.name.clone(), state, need: request.need.clone() }
}

fn loadable(name: &str, catalog: &Catalog<'_>) -> Vec<String> {
    let modules = catalog.resolve(name).into_iter();
    modules.filter(|module| catalog.standing(module) == Standing::Loadable).collect()
}

fn forbidden(entry: &facts::Module, catalog: &Catalog<'_>) -> Finding {
    let state = match catalog.standing(&entry.name) {
        Standing::Loaded => State::Cannot(
            "it is loaded; `modprobe -r` it, or put modprobe.blacklist= on the kernel's command \
             line if it is in the initramfs"
                .to_owned(),
        ),
        Standing::BuiltIn => State::Cannot("this kernel has it built in".to_owned()),
        Standing::Loadable | Standing::Missing => State::Holds("not loaded".to_owned()),
    };
    Finding { subject: format!("no {}", entry.name), state, need: entry.into() }
}

fn write_forbidden(table: &Modules, root: &Root, report: &mut Report<'_>) {
    let mut wanted = String::new();
    for entry in &table.blacklist {
        wanted.push_str(&format!("# {}\nblacklist {}\n", entry.why, entry.name));
    }
    let is = root.read(FORBIDDEN).unwrap_or_default();
    if is == wanted {
        return;
    }
    let path = root.path(FORBIDDEN);
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let need = Need { is_optional: true, ..Need::default() };
    match made.and_then(|()| std::fs::write(path, &wanted)) {
        Ok(()) => {
            let names: Vec<_> = table.blacklist.iter().map(|entry| entry.name.as_str()).collect();
            let names = if names.is_empty() { "nothing" } else { &names.join(" ") };
            report.changed(FORBIDDEN, "other", &format!("blacklists {names}"), &need);
        }
        Err(error) => report.failed(&format_args!("cannot write {FORBIDDEN}: {error}"), &need),
    }
}
