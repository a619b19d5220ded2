//! Section `tmpfiles`: the files and directories that packages expect to find after a boot, as
//! `tmpfiles.d` of the distribution and of the administrator lists them.
//!
//! It is the part of tmpfiles.d(5) that packages of a node use: types `f F w d D e v q Q p L c b C
//! x X r R z Z m`. What it does not know is refused and said, line by line. It cleans nothing by
//! its age. Removals, and lines with a `!`, are done once in a boot.

mod line;
mod look;
mod take;

use std::collections::BTreeMap;
use std::fs;

use facts::section::Empty;
use sys::users::Users;

use crate::looked::{self, useful};
use crate::{Finding, Need, Report, Root, State, files};
use line::{Kind, Line, Refused};
use look::Around;

const DIRECTORY: &str = "tmpfiles.d";
/// It is there once this boot's first run is over.
const DONE: &str = "/run/cooper/setup/tmpfiles";

/// How each line stands.
#[must_use]
pub fn inspect(_: &Empty, root: &Root) -> Vec<Finding> {
    let (lines, refused) = read(root);
    let around = Around { is_boot: false, ..around(root) };
    let mut found: Vec<Finding> = refused.iter().map(not_obeyed).collect();
    found.extend(lines.iter().flat_map(|line| looked::findings(look::look(line, &around))));
    found
}

/// Makes them true, one after the other: what a line makes, the next one finds.
pub fn apply(_: &Empty, root: &Root, report: &mut Report<'_>) {
    let (lines, refused) = read(root);
    for refused in &refused {
        report.failed(refused, &useful("", "tmpfiles.d(5)"));
    }
    let around = around(root);
    let (removals, rest): (Vec<&Line>, Vec<&Line>) =
        lines.iter().partition(|line| matches!(line.kind, Kind::Remove | Kind::RemoveBelow));
    for line in removals.into_iter().chain(rest) {
        looked::settle(look::look(line, &around), report, |step| take::take(step, root));
    }
    let done = root.path(DONE);
    let made = done.parent().map_or(Ok(()), fs::create_dir_all);
    if let Err(error) = made.and_then(|()| fs::write(&done, "")) {
        report.note(&format_args!("cannot write {DONE}: {error}: the next run removes again"));
    }
}

fn not_obeyed(refused: &Refused) -> Finding {
    let need = Need { by: vec![refused.place.clone()], ..useful("", "tmpfiles.d(5)") };
    let state = State::Cannot(format!("cannot obey it: {}", refused.reason));
    Finding { subject: refused.place.clone(), state, need }
}

fn around(root: &Root) -> Around<'_> {
    let users = Users::read(&root.path("/etc")).unwrap_or_default();
    Around { root, users, is_boot: !root.exists(DONE) }
}

/// All lines that count: parents before what is in them, patterns last.
fn read(root: &Root) -> (Vec<Line>, Vec<Refused>) {
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    for file in files::find(root, DIRECTORY) {
        let Ok(text) = root.read(&file.path) else { continue };
        for parsed in line::parse(&text, &file.path, root) {
            match parsed {
                Ok(line) => lines.push(line),
                Err(why) => refused.push(why),
            }
        }
    }
    // Of two that make the same path the first one counts, as its file's name comes first.
    let mut made = BTreeMap::new();
    lines.retain(|line: &Line| {
        let first = made.entry(line.path.clone()).or_insert_with(|| line.place.clone());
        !line.kind.makes() || *first == line.place
    });
    lines.sort_by_key(|line| (line.kind.takes_pattern(), parts(&line.path)));
    (lines, refused)
}

/// So that `/a/b` comes after `/a`, whatever other names begin alike.
fn parts(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
