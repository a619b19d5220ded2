//! How what a line is about stands.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use sys::users::Users;

use super::line::{Kind, Line, Mode, Owner};
use crate::looked::{Looked, useful};
use crate::{Need, Root, glob};

/// Where a distribution keeps what `L` and `C` take when they name nothing.
const FACTORY: &str = "/usr/share/factory";

/// What there is to know beside the line.
pub struct Around<'a> {
    /// The machine.
    pub root: &'a Root,
    /// Who there is.
    pub users: Users,
    /// It is the first time in this boot.
    pub is_boot: bool,
}

/// What makes one path true.
#[derive(Clone, Debug)]
pub enum Step {
    /// It is not there, or something else is, which goes first.
    Make { path: String, new: New, attributes: Attributes, replaces: bool },
    /// It is another's, or has another mode.
    Set { path: String, attributes: Attributes },
    /// It says something else.
    Write { path: String, text: Vec<u8>, append: bool },
    /// It is there.
    Remove { path: String },
}

/// What is to be made.
#[derive(Clone, Debug)]
pub enum New {
    File(Vec<u8>),
    Directory,
    Link(String),
    Fifo,
    Device { is_block: bool, major: u32, minor: u32 },
    Copy(String),
}

/// None: as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

/// All that a line is about; nothing where it has nothing to say.
pub fn look(line: &Line, around: &Around<'_>) -> Vec<Looked<Step>> {
    if line.boot_only && !around.is_boot {
        return Vec::new();
    }
    let of = |path: String| match look_at(line, &path, around) {
        Ok(looked) => looked,
        Err(reason) => vec![Looked::cannot(path, reason, need(line))],
    };
    paths(line, around.root).into_iter().flat_map(of).collect()
}

fn paths(line: &Line, root: &Root) -> Vec<String> {
    let named = match line.kind.takes_pattern() {
        true => matching(root, &line.path),
        false => vec![line.path.clone()],
    };
    let is_deep = line.kind == Kind::AttributesBelow;
    named
        .into_iter()
        .flat_map(|path| if is_deep { below(root, path) } else { vec![path] })
        .collect()
}

fn look_at(line: &Line, path: &str, around: &Around<'_>) -> Result<Vec<Looked<Step>>, String> {
    let is = match fs::symlink_metadata(around.root.path(path)) {
        Ok(is) => Some(is),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Ok(vec![hidden(line, path)]);
        }
        Err(_) => None,
    };
    let Line { kind, argument, .. } = line;
    match kind {
        Kind::Keep => Ok(Vec::new()),
        Kind::Remove | Kind::RemoveBelow => Ok(removal(line, path, is.as_ref(), around)),
        Kind::Attributes | Kind::AttributesBelow | Kind::Existing => {
            attributes_only(line, path, is.as_ref(), around)
        }
        Kind::Write => Ok(writing(line, path, around)),
        Kind::File => {
            let text = unescaped(argument);
            let mut looked = there(line, path, is.as_ref(), New::File(text), around)?;
            if line.plus && is.is_some() {
                looked.extend(writing(&Line { plus: false, ..line.clone() }, path, around));
            }
            Ok(looked)
        }
        Kind::Directory => there(line, path, is.as_ref(), New::Directory, around),
        Kind::EmptyDirectory => {
            let mut looked = there(line, path, is.as_ref(), New::Directory, around)?;
            if around.is_boot && is.is_some_and(|it| it.is_dir()) {
                let inside = matching(around.root, &format!("{path}/*"));
                looked.extend(inside.into_iter().map(|path| remove(line, path)));
            }
            Ok(looked)
        }
        Kind::Link => {
            let to = argument_or_factory(line);
            let target = if to.starts_with('/') { to.clone() } else { beside(path, &to) };
            if line.if_target && !around.root.exists(&target) {
                return Ok(Vec::new());
            }
            there(line, path, is.as_ref(), New::Link(to), around)
        }
        Kind::Fifo => there(line, path, is.as_ref(), New::Fifo, around),
        Kind::Character | Kind::Block => {
            let numbers = argument.split_once(':');
            let numbers = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            let (major, minor) = numbers.ok_or("a device is `MAJOR:MINOR`")?;
            let is_block = *kind == Kind::Block;
            there(line, path, is.as_ref(), New::Device { is_block, major, minor }, around)
        }
        Kind::Copy => {
            let from = argument_or_factory(line);
            if !around.root.exists(&from) {
                return Ok(Vec::new());
            }
            there(line, path, is.as_ref(), New::Copy(from), around)
        }
    }
}

/// Something of this kind is to be there.
fn there(
    line: &Line,
    path: &str,
    is: Option<&Metadata>,
    new: New,
    around: &Around<'_>,
) -> Result<Vec<Looked<Step>>, String> {
    let made = attributes(line, None, &around.users)?;
    let make = |is: &str, new: New, replaces| {
        let wanted = shown(&new);
        let step = Step::Make { path: path.to_owned(), new, attributes: made, replaces };
        vec![Looked::differs(path, is, wanted, need(line), step)]
    };
    let Some(is) = is else { return Ok(make("absent", new, false)) };
    if is_such(is, &new, path, around.root) {
        let wanted = attributes(line, Some(is), &around.users)?;
        return Ok(vec![difference(line, path, is, wanted)]);
    }
    // Who made something else there has thought of something.
    match line.plus && !matches!(new, New::File(_) | New::Copy(_) | New::Directory) {
        true => Ok(make("something else", new, true)),
        false => Ok(vec![Looked::holds(path, "something else, which is left", need(line))]),
    }
}

fn is_such(is: &Metadata, new: &New, path: &str, root: &Root) -> bool {
    let kind = is.file_type();
    // Of a link to a directory, the directory counts.
    let through = || fs::metadata(root.path(path)).is_ok_and(|it| it.is_dir());
    match new {
        New::File(_) => kind.is_file(),
        New::Directory => kind.is_dir() || (kind.is_symlink() && through()),
        New::Link(to) => {
            fs::read_link(root.path(path)).is_ok_and(|is| is.as_os_str() == to.as_str())
        }
        New::Fifo => kind.is_fifo(),
        New::Device { is_block: true, .. } => kind.is_block_device(),
        New::Device { is_block: false, .. } => kind.is_char_device(),
        New::Copy(_) => true,
    }
}

fn attributes_only(
    line: &Line,
    path: &str,
    is: Option<&Metadata>,
    around: &Around<'_>,
) -> Result<Vec<Looked<Step>>, String> {
    match is {
        Some(is) if line.kind != Kind::Existing || is.is_dir() => {
            let wanted = attributes(line, Some(is), &around.users)?;
            Ok(vec![difference(line, path, is, wanted)])
        }
        Some(_) | None => Ok(Vec::new()),
    }
}

/// Mode and owner, as they are and as they are wanted. Links have none of their own.
fn difference(line: &Line, path: &str, is: &Metadata, wanted: Attributes) -> Looked<Step> {
    let now = Attributes {
        mode: wanted.mode.map(|_| is.mode() & 0o7777),
        uid: wanted.uid.map(|_| is.uid()),
        gid: wanted.gid.map(|_| is.gid()),
    };
    if now == wanted || is.file_type().is_symlink() {
        return Looked::holds(path, "there", need(line));
    }
    let step = Step::Set { path: path.to_owned(), attributes: wanted };
    Looked::differs(path, now.shown(), wanted.shown(), need(line), step)
}

fn writing(line: &Line, path: &str, around: &Around<'_>) -> Vec<Looked<Step>> {
    let text = unescaped(&line.argument);
    let is = match fs::read(around.root.path(path)) {
        Ok(is) => is,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return vec![hidden(line, path)];
        }
        Err(_) => Vec::new(),
    };
    // The kernel's files end in a newline that nobody writes.
    let is_so = match line.plus {
        true => !around.is_boot || is.ends_with(&text),
        false => is == text || is.strip_suffix(b"\n") == Some(text.as_slice()),
    };
    if is_so {
        return vec![Looked::holds(path, "so", need(line))];
    }
    let wanted = String::from_utf8_lossy(&text).trim().to_owned();
    let step = Step::Write { path: path.to_owned(), text, append: line.plus };
    let is = match is.len() {
        0..80 => String::from_utf8_lossy(&is).trim().to_owned(),
        length => format!("{length} bytes"),
    };
    vec![Looked::differs(path, is, wanted, need(line), step)]
}

fn hidden(line: &Line, path: &str) -> Looked<Step> {
    Looked::hidden(path, "it is for root", need(line))
}

fn removal(
    line: &Line,
    path: &str,
    is: Option<&Metadata>,
    around: &Around<'_>,
) -> Vec<Looked<Step>> {
    let Some(is) = is.filter(|_| around.is_boot) else { return Vec::new() };
    // `r` leaves a directory with something in it.
    let is_empty = || fs::read_dir(around.root.path(path)).is_ok_and(|mut it| it.next().is_none());
    match line.kind == Kind::RemoveBelow || !is.is_dir() || is_empty() {
        true => vec![remove(line, path.to_owned())],
        false => Vec::new(),
    }
}

fn remove(line: &Line, path: String) -> Looked<Step> {
    Looked::differs(path.clone(), "there", "absent", need(line), Step::Remove { path })
}

/// What the line says; of what is made anew (`is`: nothing) also what it says for that alone.
fn attributes(line: &Line, is: Option<&Metadata>, users: &Users) -> Result<Attributes, String> {
    let owner = |owner: &Option<Owner>| match (owner, is) {
        (Some(owner), Some(_)) if owner.new_only => None,
        (Some(owner), _) => Some(owner.name.clone()),
        (None, _) => None,
    };
    let uid = owner(&line.user).map(|name| users.uid(&name)).transpose();
    let gid = owner(&line.group).map(|name| users.gid(&name)).transpose();
    let mode = match (line.mode, is) {
        (Some(mode), Some(_)) if mode.new_only => None,
        (Some(mode), is) => Some(masked(mode, is)),
        (None, _) => None,
    };
    let (uid, gid) = (uid.map_err(|it| it.to_string())?, gid.map_err(|it| it.to_string())?);
    Ok(Attributes { mode, uid, gid })
}

/// `~0777`: no right that nobody has yet.
fn masked(mode: Mode, is: Option<&Metadata>) -> u32 {
    let Some(is) = is.filter(|_| mode.masked) else { return mode.bits };
    let all = [0o111, 0o222, 0o444].into_iter().filter(|right| is.mode() & right != 0);
    let high = if is.is_dir() { 0o7000 } else { 0 };
    mode.bits & all.fold(high, |sum, right| sum | right)
}

impl Attributes {
    fn shown(self) -> String {
        let mode = self.mode.map(|mode| format!("mode {mode:04o}"));
        let uid = self.uid.map(|uid| format!("user {uid}"));
        let gid = self.gid.map(|gid| format!("group {gid}"));
        mode.into_iter().chain(uid).chain(gid).collect::<Vec<_>>().join(", ")
    }
}

fn shown(new: &New) -> String {
    match new {
        New::File(_) => "a file".to_owned(),
        New::Directory => "a directory".to_owned(),
        New::Link(to) => format!("a link to {to}"),
        New::Fifo => "a FIFO".to_owned(),
        New::Device { major, minor, .. } => format!("a device, {major}:{minor}"),
        New::Copy(from) => format!("a copy of {from}"),
    }
}

pub(super) fn need(line: &Line) -> Need {
    Need { by: vec![line.place.clone()], ..useful("", "tmpfiles.d(5)") }
}

fn argument_or_factory(line: &Line) -> String {
    match line.argument.as_str() {
        "" => format!("{FACTORY}{}", line.path),
        argument => argument.to_owned(),
    }
}

fn beside(path: &str, to: &str) -> String {
    format!("{}/{to}", path.rsplit_once('/').map_or("", |(above, _)| above))
}

/// The paths that a pattern matches, in order; itself, if it is none and is there.
pub(super) fn matching(root: &Root, pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let step = |above: String| match glob::is_pattern(part) {
            false => vec![format!("{above}/{part}")],
            true => entries(root, &above)
                .into_iter()
                .filter(|name| glob::matches(part.as_bytes(), name.as_bytes()))
                .filter(|name| part.starts_with('.') || !name.starts_with('.') || part == "*")
                .map(|name| format!("{above}/{name}"))
                .collect(),
        };
        found = found.into_iter().flat_map(step).collect();
    }
    found.retain(|path| fs::symlink_metadata(root.path(path)).is_ok());
    found
}

/// A path and all below it; links are not followed.
fn below(root: &Root, path: String) -> Vec<String> {
    let is_directory = fs::symlink_metadata(root.path(&path)).is_ok_and(|it| it.is_dir());
    let inside = if is_directory { entries(root, &path) } else { Vec::new() };
    let inside: Vec<_> =
        inside.into_iter().flat_map(|name| below(root, format!("{path}/{name}"))).collect();
    [path].into_iter().chain(inside).collect()
}

fn entries(root: &Root, path: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.path(path)) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// `\n`, `\t`, `\r`, `\0`, `\\`, `\"` and `\xHH`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.extend(letter.to_string().bytes());
            continue;
        }
        match letters.next() {
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('r') => out.push(b'\r'),
            Some('0') => out.push(0),
            Some('x') => {
                let digits: String = letters.by_ref().take(2).collect();
                out.extend(u8::from_str_radix(&digits, 16).ok());
            }
            Some(other) => out.extend(other.to_string().bytes()),
            None => out.push(b'\\'),
        }
    }
    out
}
