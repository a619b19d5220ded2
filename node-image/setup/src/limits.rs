//! Section `limits`: resource limits that all services begin with, and what the kernel must allow
//! for them.
//!
//! A service inherits the limits of `supervise`, which started it, where its own file says nothing
//! else (`nofile` is always said); and `supervise` inherits those of init. So both are given them.

use std::fs;

use facts::section::Limits;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::looked::{self, Looked, useful};
use crate::{Finding, Report, Root};

/// The kernel's own limit of a limit of open files.
const NR_OPEN: &str = "/proc/sys/fs/nr_open";
/// All open files of the machine.
const FILE_MAX: &str = "/proc/sys/fs/file-max";
const SOURCE: &str = "node.toml: [setup] limits";

enum Step {
    Raise(&'static str, u64),
    Limit(u32, &'static str, Rlimit),
}

/// By the names of a service's `run.limits`, and of /proc/PID/limits.
const NAMES: [(&str, Resource, &str); 16] = [
    ("as", Resource::As, "Max address space"),
    ("core", Resource::Core, "Max core file size"),
    ("cpu", Resource::Cpu, "Max cpu time"),
    ("data", Resource::Data, "Max data size"),
    ("fsize", Resource::Fsize, "Max file size"),
    ("locks", Resource::Locks, "Max file locks"),
    ("memlock", Resource::Memlock, "Max locked memory"),
    ("msgqueue", Resource::Msgqueue, "Max msgqueue size"),
    ("nice", Resource::Nice, "Max nice priority"),
    ("nofile", Resource::Nofile, "Max open files"),
    ("nproc", Resource::Nproc, "Max processes"),
    ("rss", Resource::Rss, "Max resident set"),
    ("rtprio", Resource::Rtprio, "Max realtime priority"),
    ("rttime", Resource::Rttime, "Max realtime timeout"),
    ("sigpending", Resource::Sigpending, "Max pending signals"),
    ("stack", Resource::Stack, "Max stack size"),
];

/// How each stands.
#[must_use]
pub fn inspect(table: &Limits, root: &Root) -> Vec<Finding> {
    looked::findings(look(table, root))
}

/// Sets them, for what is started from now on.
pub fn apply(table: &Limits, root: &Root, report: &mut Report<'_>) {
    looked::settle(look(table, root), report, |step| match step {
        Step::Raise(file, value) => fs::write(root.path(file), value.to_string())
            .map_err(|error| format!("write {value} to {file}: {error}")),
        Step::Limit(pid, name, limit) => set(*pid, name, *limit),
    });
}

fn set(pid: u32, name: &str, limit: Rlimit) -> Result<(), String> {
    let found = NAMES.iter().find(|(other, _, _)| *other == name);
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match (found, process) {
        (Some((_, resource, _)), Some(process)) => prlimit(Some(process), *resource, limit)
            .map(drop)
            .map_err(|errno| format!("limit {name} of process {pid}: {errno}")),
        (_, _) => Err(format!("limit {name} of process {pid}: no such thing")),
    }
}

fn look(table: &Limits, root: &Root) -> Vec<Looked<Step>> {
    let mut looked = Vec::new();
    for (name, text) in &table.limits {
        let known = NAMES.iter().find(|(other, _, _)| other == name);
        let (Some((name, _, title)), Some(limit)) = (known, parse(text)) else {
            let reason = format!("`{text}` is no limit of this name; write \"SOFT:HARD\"");
            looked.push(Looked::cannot(name.clone(), reason, useful("", SOURCE)));
            continue;
        };
        if *name == "nofile" {
            looked.extend(limit.maximum.into_iter().flat_map(|most| files(most, root)));
        }
        looked.extend(tree(root).map(|(pid, who)| process(pid, who, name, title, limit, root)));
    }
    looked
}

/// A limit of open files that the kernel does not allow is none.
fn files(most: u64, root: &Root) -> Vec<Looked<Step>> {
    let of = |file: &'static str| {
        let is: u64 = root.line(file)?.parse().ok()?;
        let need = || useful("no process could have so many files", SOURCE);
        Some(match is >= most {
            true => Looked::holds(file, is.to_string(), need()),
            false => {
                let (from, to) = (is.to_string(), most.to_string());
                Looked::differs(file, from, to, need(), Step::Raise(file, most))
            }
        })
    };
    [NR_OPEN, FILE_MAX].into_iter().filter_map(of).collect()
}

fn process(
    pid: u32,
    who: &str,
    name: &'static str,
    title: &str,
    limit: Rlimit,
    root: &Root,
) -> Looked<Step> {
    let is = of_process(&pid.to_string(), title, root);
    let subject = format!("{name} of {who}");
    let need = useful("services inherit it", SOURCE);
    match is {
        Some(is) if is == limit => Looked::holds(subject, show(is), need),
        is => {
            let is = is.map_or_else(|| "?".to_owned(), show);
            Looked::differs(subject, is, show(limit), need, Step::Limit(pid, name, limit))
        }
    }
}

/// The limit that `/proc/PID/limits` has under this title.
fn of_process(pid: &str, title: &str, root: &Root) -> Option<Rlimit> {
    let text = root.read(&format!("/proc/{pid}/limits")).ok()?;
    text.lines().find_map(|line| {
        let mut words = line.strip_prefix(title)?.split_ascii_whitespace();
        Some(Rlimit { current: number(words.next()?)?, maximum: number(words.next()?)? })
    })
}

/// The hard limit of a process, by its name in a service's `run.limits`; the largest number is
/// none. Nothing: there is no such process, or no such limit.
#[must_use]
pub fn hard(pid: &str, name: &str, root: &Root) -> Option<u64> {
    let (_, _, title) = NAMES.iter().find(|(other, _, _)| *other == name)?;
    Some(of_process(pid, title, root)?.maximum.unwrap_or(u64::MAX))
}

/// init, and the `supervise` that runs now: its child.
fn tree(root: &Root) -> impl Iterator<Item = (u32, &'static str)> {
    let children = root.read("/proc/1/task/1/children").unwrap_or_default();
    let pids: Vec<u32> =
        children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    let is_supervise =
        |pid: &u32| root.line(&format!("/proc/{pid}/comm")).is_some_and(|name| name == "supervise");
    let supervise = pids.into_iter().find(is_supervise).map(|pid| (pid, "supervise"));
    [(1, "init")].into_iter().chain(supervise)
}

/// `SOFT:HARD`, or one value for both.
fn parse(text: &str) -> Option<Rlimit> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    let limit = Rlimit { current: number(soft)?, maximum: number(hard)? };
    let is_above = match (limit.current, limit.maximum) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(soft), Some(hard)) => soft > hard,
    };
    (!is_above).then_some(limit)
}

/// A number; none if there is no limit.
fn number(text: &str) -> Option<Option<u64>> {
    match text {
        "infinity" | "unlimited" => Some(None),
        text => text.parse().ok().map(Some),
    }
}

fn show(limit: Rlimit) -> String {
    let one = |value: Option<u64>| value.map_or_else(|| "infinity".to_owned(), |it| it.to_string());
    format!("{}:{}", one(limit.current), one(limit.maximum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::Machine;

    fn limits(pairs: &[(&str, &str)]) -> Limits {
        let limits = pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        Limits { limits }
    }

    const PROC: &str = "Limit    Soft Limit  Hard Limit  Units\n\
                        Max locked memory     8388608          unlimited        bytes\n\
                        Max open files        1024             524288           files\n";

    #[test]
    fn init_and_supervise_are_looked_at_and_the_kernel_must_allow_it() {
        let machine = Machine::new(&[
            (NR_OPEN, "1048576\n"),
            (FILE_MAX, "9223372036854775807\n"),
            ("/proc/1/limits", PROC),
            ("/proc/1/task/1/children", "41 42 "),
            ("/proc/41/comm", "cooper-log\n"),
            ("/proc/42/comm", "supervise\n"),
            ("/proc/42/limits", PROC),
        ]);
        let table = limits(&[("memlock", "8388608:infinity"), ("nofile", "1024:2000000")]);
        let found = inspect(&table, &machine.root());
        let of = |subject: &str| &found.iter().find(|it| it.subject == subject).unwrap().state;
        assert_eq!(*of("memlock of supervise"), State::Holds("8388608:infinity".into()));
        assert!(matches!(of("nofile of init"), State::Differs { is, .. } if is == "1024:524288"));
        assert!(matches!(of(NR_OPEN), State::Differs { wanted, .. } if wanted == "2000000"));
        assert!(matches!(of(FILE_MAX), State::Holds(_)));
    }

    #[test]
    fn what_is_no_limit_is_said() {
        let machine = Machine::new(&[]);
        let table = limits(&[("core", "1:0"), ("files", "1"), ("nproc", "many")]);
        let found = inspect(&table, &machine.root());
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|it| matches!(it.state, State::Cannot(_))), "{found:?}");
    }

    #[test]
    fn limits_are_numbers_or_none() {
        assert_eq!(parse("7").map(show).as_deref(), Some("7:7"));
        assert_eq!(parse("0:infinity").map(show).as_deref(), Some("0:infinity"));
        assert_eq!(parse("infinity:1").map(show), None);
    }
}
