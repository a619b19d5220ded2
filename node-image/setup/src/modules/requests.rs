//! Who wants modules loaded: the table, and the lists that this machine's packages and its
//! administrator keep.

use facts::section::Modules;

use super::index::normal;
use crate::{Need, Root, files};

/// A module that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name, or an alias.
    pub name: String,
    /// Its parameters.
    pub options: String,
    /// By whom, and what for.
    pub need: Need,
}

/// All requests; of two for the same name the first counts.
#[must_use]
pub fn all(table: &Modules, root: &Root) -> Vec<Request> {
    let mut all: Vec<Request> = Vec::new();
    let own = table.modules.iter().map(|entry| Request {
        name: entry.name.clone(),
        options: entry.options.clone(),
        need: entry.into(),
    });
    let listed = files::find(root, "modules-load.d").into_iter().map(|file| file.path);
    // Debian has a link to it among the former.
    let listed = listed.chain(["/etc/modules".to_owned()]);
    let listed = listed.flat_map(|path| of_file(&path, &root.read(&path).unwrap_or_default()));
    for request in own.chain(listed) {
        let is_same = |other: &Request| normal(&other.name) == normal(&request.name);
        if !all.iter().any(is_same) {
            all.push(request);
        }
    }
    all
}

/// A name on each line, and parameters behind it as `/etc/modules` may have them.
fn of_file(path: &str, text: &str) -> Vec<Request> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let need = Need { by: vec![path.to_owned()], is_optional: true, ..Need::default() };
    lines
        .map(|line| {
            let (name, options) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let options = options.trim().to_owned();
            Request { name: name.to_owned(), options, need: need.clone() }
        })
        .collect()
}
