//! Writing what differs.

use std::fs;
use std::io;

use facts::Sysctl;
use rustix::io::Errno;

use super::plan::{By, Target, file};
use super::{conf, value};
use crate::{Need, Report, Root};

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is as it shall be, or as near to it as the kernel comes.
    Settled,
    /// There is no such key yet.
    Absent,
    /// It cannot be written.
    Failed,
}

/// Sets all, and says what was changed and what could not be.
pub fn all(targets: &[Target<'_>], root: &Root, report: &mut Report<'_>) {
    let outcomes: Vec<Outcome> = targets.iter().map(|target| one(target, root, report)).collect();
    let with = || targets.iter().zip(&outcomes);
    // One key may change another behind it: ip_forward sets all of net.ipv4.conf.*.forwarding.
    for (target, _) in with().filter(|(_, outcome)| **outcome == Outcome::Settled) {
        again(target, root);
    }
    let absent = with().filter(|(target, outcome)| {
        **outcome == Outcome::Absent && matches!(target.by, By::Table(_))
    });
    let absent: Vec<String> = absent.map(|(target, _)| conf::dotted(&target.key)).collect();
    if !absent.is_empty() {
        let names = absent.join(" ");
        report.note(&format_args!("not there, and set if they come: {names}"));
    }
}

fn one(target: &Target<'_>, root: &Root, report: &mut Report<'_>) -> Outcome {
    let Target { key, value, instead_of, .. } = target;
    let path = file(key);
    let need = need(target);
    let is = root.line(&path);
    let is_absent = is.is_none() && !root.exists(&path);
    if let (Some(entry), By::File { place, .. }) = (instead_of, &target.by) {
        if !value::satisfies(value, entry) && !is_absent {
            let (key, wanted, need) = (conf::dotted(key), &entry.value, Need::from(*entry));
            let what = format!("{place} sets {key} to {value}, and wins over {wanted}");
            report.note(&format_args!("{what}{need}"));
        }
    }
    if is.as_deref().is_some_and(|is| is_settled(is, target)) {
        report.holds();
        return Outcome::Settled;
    }
    let reason = match (is_absent, &target.by) {
        (true, By::Table(entry)) if entry.optional || entry.module.is_some() => {
            return Outcome::Absent;
        }
        (true, By::Table(entry)) => absent(entry),
        (true, By::File { .. }) => "the kernel has no such key".to_owned(),
        (false, _) => match write(root, target) {
            Ok(now) => {
                let is = is.as_deref().unwrap_or("unknown");
                report.changed(&conf::dotted(key), is, &now, &need);
                return Outcome::Settled;
            }
            Err(reason) => reason,
        },
    };
    if !matches!(target.by, By::File { is_quiet: true, .. }) {
        let what = format!("cannot set {} to {value}: {reason}", conf::dotted(key));
        report.failed(&what, &need);
    }
    if is_absent { Outcome::Absent } else { Outcome::Failed }
}

/// Who wants it; a file's word fails no boot.
fn need(target: &Target<'_>) -> Need {
    match &target.by {
        By::Table(entry) => Need::from(*entry),
        By::File { place, .. } => {
            Need { by: vec![place.to_string()], is_optional: true, ..Need::default() }
        }
    }
}

fn is_settled(is: &str, target: &Target<'_>) -> bool {
    match &target.by {
        By::Table(entry) => value::satisfies(is, entry),
        By::File { .. } => value::is_same(is, &target.value),
    }
}

/// Why a key of the table is not there.
pub fn absent(entry: &Sysctl) -> String {
    match &entry.module {
        Some(module) => format!("there is no such key; it comes with the module {module}"),
        None => "the kernel has no such key".to_owned(),
    }
}

/// Writes a value. What the key then is: the kernel may spell it otherwise, or have made something
/// else of it, which is as near as it comes where a file wants it, and a failure where a profile
/// does.
fn write(root: &Root, target: &Target<'_>) -> Result<String, String> {
    let path = root.path(&file(&target.key));
    fs::write(&path, format!("{}\n", target.value)).map_err(|error| explain(&error))?;
    // Some can only be written.
    let Ok(now) = fs::read_to_string(&path) else { return Ok(target.value.clone()) };
    let now = now.trim();
    match (is_settled(now, target), &target.by) {
        (false, By::Table(_)) => Err(format!("the kernel makes {now} of it")),
        (_, _) => Ok(now.to_owned()),
    }
}

fn again(target: &Target<'_>, root: &Root) {
    let is = root.line(&file(&target.key));
    if is.is_some_and(|is| !is_settled(&is, target)) {
        // That it cannot be, the first time has said.
        let _ = write(root, target);
    }
}

fn explain(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::ROFS) => "/proc/sys is read-only here, as in a container".to_owned(),
        Some(Errno::INVAL | Errno::RANGE) => {
            format!("the kernel does not take this value ({error})")
        }
        Some(_) | None => error.to_string(),
    }
}
