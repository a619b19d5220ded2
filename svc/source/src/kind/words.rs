//! Single strings: what each kind of text must look like.

use graph::nearest;

use crate::{
    kind::{Parsed, Shape},
    units::{self, Wrong, wrong},
};

pub(super) fn line(text: &str) -> Result<Parsed, Wrong> {
    if text.trim().is_empty() {
        return wrong("an empty text", "write something, or leave the key out");
    }
    if text.contains(|c: char| c.is_control()) {
        return wrong("a control character", "write one line of plain text");
    }
    Ok(Parsed::Text(text.to_string()))
}

pub(super) fn choice(text: &str, words: &'static [&'static str]) -> Result<Parsed, Wrong> {
    if words.contains(&text) {
        return Ok(Parsed::Text(text.to_string()));
    }
    let help = match nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write {}", Shape::Choice(words).noun()),
    };
    wrong(format!("`{text}` is not known here"), help)
}

pub(super) fn milliseconds(text: &str) -> Result<Parsed, Wrong> {
    let ms = units::duration_ms(text)?;
    match u32::try_from(ms) {
        Ok(0) => wrong("a duration of nothing", "write at least \"1ms\""),
        Ok(ms) => Ok(Parsed::Millis(ms)),
        Err(_) => wrong(format!("`{text}` is too long"), "write at most \"49d\""),
    }
}

pub(super) fn catchable(text: &str) -> Result<Parsed, Wrong> {
    let signal = units::signal(text)?;
    let name = units::signal_name(signal);
    if matches!(name.as_str(), "SIGKILL" | "SIGSTOP") {
        return wrong(
            format!("no program can react to {name}"),
            "choose a signal that it handles, such as \"SIGTERM\"; SIGKILL follows by itself after \
             `stop.timeout`",
        );
    }
    Ok(Parsed::Signal(signal))
}

pub(super) fn program(text: &str) -> Result<(), Wrong> {
    if text.is_empty() || text.contains('\0') {
        return wrong("an empty program name", "write a path, \"/usr/bin/PROGRAM\"");
    }
    if text.contains('/') && !text.starts_with('/') {
        return wrong(
            format!("`{text}` is a relative path"),
            "write the whole path from the root, or the program's name alone",
        );
    }
    if text.contains(' ') && !text.starts_with('/') {
        return wrong(
            format!("`{text}` is not a program's name"),
            "write each argument as an element of its own",
        );
    }
    Ok(())
}

pub(super) fn directory(text: &str) -> Result<(), Wrong> {
    match text.rsplit_once(':') {
        Some((path, mode)) => units::path(path).and(units::mode(mode)).map(drop),
        None => units::path(text).map(drop),
    }
}

pub(super) fn bind(text: &str) -> Result<(), Wrong> {
    match text.split_once(':') {
        Some((source, target)) => units::path(source).and(units::path(target)).map(drop),
        None => wrong(
            format!("`{text}` has no target"),
            format!("write \"/SOURCE:/TARGET\", such as \"{text}:{text}\""),
        ),
    }
}

pub(super) fn cgroup_path(text: &str) -> Result<String, Wrong> {
    let parts: Vec<&str> = text.split('/').collect();
    if text.is_empty() || parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        return wrong(
            format!("`{text}` is not a path below the managed root"),
            "write a relative path, such as \"system/NAME\" or \"podruntime/NAME\"",
        );
    }
    let taken = parts.first().copied().filter(|first| matches!(*first, "init.scope" | "kubepods"));
    match taken {
        Some(first) => wrong(
            format!("`{first}` belongs to somebody else"),
            "use \"system/NAME\" or \"podruntime/NAME\": kubepods is kubelet's, init.scope is \
             init's",
        ),
        None => Ok(text.to_string()),
    }
}
