//! Which files there are: the search path, drop-ins, `node.toml`.
//!
//! The only part that touches a file system. What cannot be read is a mistake like any other.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    name,
    report::Findings,
    text::{At, FileId, Sources},
};

/// Where a node's services are written down.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Directories of service files; a file in a later one takes the place of one of the same
    /// name. Those that do not exist are passed over.
    pub dirs: Vec<PathBuf>,
    /// `node.toml`; passed over if it does not exist.
    pub node: Option<PathBuf>,
    /// Directories in which `profiles` and `hardware` are looked for; a file in a later one takes
    /// the place of one of the same name, and of one that comes with Cooper.
    pub facts: Vec<PathBuf>,
}

/// The files of one service or template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// The definition; none: there are only drop-ins.
    pub definition: Option<FileId>,
    /// In the order in which they are laid over it: by file name.
    pub drop_ins: BTreeMap<String, FileId>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub sources: Sources,
    /// By name, templates with their `@`.
    pub services: BTreeMap<String, Files>,
    pub node: Option<FileId>,
    /// Profiles that take the place of those that come with Cooper, or join them, by name.
    pub profiles: BTreeMap<String, FileId>,
    /// The same for hardware targets.
    pub hardware: BTreeMap<String, FileId>,
    /// Where services were looked for.
    pub dirs: Vec<PathBuf>,
    /// They are a container's: see [`crate::container`].
    pub is_container: bool,
}

impl Found {
    /// Adds a file of a search path's directory, named relative to it: `NAME.toml` or
    /// `NAME.toml.d/DROP-IN.toml`. Other names are passed over.
    pub fn add(&mut self, relative: &str, path: &str, text: String, findings: &mut Findings) {
        let Some((service, drop_in)) = split(relative) else { return };
        let file = self.sources.add(path.to_string(), text);
        // A template's name ends in `@`; with an instance it is a name.
        let checked = match service.strip_suffix('@') {
            Some(template) => name::check(template),
            None => name::check(service),
        };
        if let Err(wrong) = checked {
            findings.error(At::top_of(file), wrong.message, wrong.help);
            return;
        }
        let files = self.services.entry(service.to_string()).or_default();
        match drop_in {
            Some(drop_in) => drop(files.drop_ins.insert(drop_in.to_string(), file)),
            None => files.definition = Some(file),
        }
    }

    /// Adds a profile or a hardware target.
    pub fn add_fact(&mut self, fact: Fact, name: &str, path: &str, text: String) {
        let file = self.sources.add(path.to_string(), text);
        let files = match fact {
            Fact::Profile => &mut self.profiles,
            Fact::Hardware => &mut self.hardware,
        };
        files.insert(name.to_string(), file);
    }
}

/// What a directory of facts has two directories for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    Profile,
    Hardware,
}

impl Fact {
    pub const ALL: [Self; 2] = [Self::Profile, Self::Hardware];

    pub const fn directory(self) -> &'static str {
        match self {
            Self::Profile => "profiles",
            Self::Hardware => "hardware",
        }
    }

    /// What a path relative to a directory of facts names: `profiles/NAME.toml`.
    pub fn at(path: &str) -> Option<(Self, &str)> {
        let (directory, file) = path.split_once('/')?;
        let fact = Self::ALL.into_iter().find(|fact| fact.directory() == directory)?;
        let name = file.strip_suffix(".toml")?;
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        plain.then_some((fact, name))
    }
}

/// The service and, for a drop-in, the drop-in's file name.
fn split(relative: &str) -> Option<(&str, Option<&str>)> {
    match relative.split_once('/') {
        Some((directory, file)) => {
            let service = directory.strip_suffix(".toml.d")?;
            let plain = file.ends_with(".toml") && !file.starts_with('.') && !file.contains('/');
            plain.then_some((service, Some(file)))
        }
        None => {
            let service = relative.strip_suffix(".toml")?;
            (!relative.starts_with('.')).then_some((service, None))
        }
    }
}

/// Reads all files of `tree`.
pub(crate) fn read(tree: &Tree, findings: &mut Findings) -> Found {
    let mut found = Found { dirs: tree.dirs.clone(), ..Found::default() };
    for (dir, fact) in tree.facts.iter().flat_map(|dir| Fact::ALL.map(|fact| (dir, fact))) {
        for file in names_in(&dir.join(fact.directory()), &mut found, findings) {
            let relative = format!("{}/{file}", fact.directory());
            let Some((fact, name)) = Fact::at(&relative) else { continue };
            let path = dir.join(&relative);
            if let Some(text) = read_text(&path, &mut found, findings) {
                found.add_fact(fact, name, &path.display().to_string(), text);
            }
        }
    }
    for dir in &tree.dirs {
        for relative in files_below(dir, &mut found, findings) {
            let path = dir.join(&relative);
            if let Some(text) = read_text(&path, &mut found, findings) {
                found.add(&relative, &path.display().to_string(), text, findings);
            }
        }
    }
    if let Some(path) = tree.node.as_ref().filter(|path| path.exists()) {
        if let Some(text) = read_text(path, &mut found, findings) {
            found.node = Some(found.sources.add(path.display().to_string(), text));
        }
    }
    found
}

/// Files of a directory and of the drop-in directories in it, sorted.
fn files_below(dir: &Path, found: &mut Found, findings: &mut Findings) -> Vec<String> {
    let mut files = Vec::new();
    for entry in names_in(dir, found, findings) {
        if entry.ends_with(".toml.d") {
            let inner = names_in(&dir.join(&entry), found, findings);
            files.extend(inner.into_iter().map(|file| format!("{entry}/{file}")));
        } else {
            files.push(entry);
        }
    }
    files.retain(|file| split(file).is_some());
    files
}

fn names_in(dir: &Path, found: &mut Found, findings: &mut Findings) -> Vec<String> {
    let listed = fs::read_dir(dir).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = match listed {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            unreadable(dir, &error, found, findings);
            return Vec::new();
        }
    };
    // A name that is not UTF-8 is no service's name.
    let mut names: Vec<String> =
        entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

fn read_text(path: &Path, found: &mut Found, findings: &mut Findings) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            unreadable(path, &error, found, findings);
            None
        }
    }
}

fn unreadable(path: &Path, error: &io::Error, found: &mut Found, findings: &mut Findings) {
    let file = found.sources.add(path.display().to_string(), String::new());
    let help = if error.kind() == io::ErrorKind::InvalidData {
        "save it as UTF-8"
    } else {
        "make it readable, or remove it"
    };
    findings.error(At::top_of(file), format!("cannot read it: {error}"), help);
}
