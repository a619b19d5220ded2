//! Names of services.

use crate::units::{Wrong, wrong};

/// A name is at most this long: init holds descriptors under names of 48 bytes, such as
/// `ready/NAME`.
pub const NAME_MAX: usize = 42;

/// `log` knows three of these as words; the others are files of Cooper's own, beside those that
/// are named as services are: the catch-all log and the notification socket.
const RESERVED: [&str; 5] = ["files", "none", "console", "cooper", "socket"];

/// A name is a file name, a cgroup and a word on a command line.
pub(crate) fn check(name: &str) -> Result<(), Wrong> {
    let allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | ':' | '@');
    if let Some(strange) = name.chars().find(|c| !allowed(*c)) {
        return wrong(
            format!("`{name}` is not a service's name: it has {strange:?}"),
            "use letters, digits and . _ - + : and, before an instance, @",
        );
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return wrong(
            format!("`{name}` is not a service's name"),
            "begin it with a letter or a digit",
        );
    }
    if name.len() > NAME_MAX {
        return wrong(
            format!("`{name}` is too long for a service's name"),
            format!("use at most {NAME_MAX} characters"),
        );
    }
    if name.ends_with(".toml") {
        return wrong(
            format!("`{name}` is not a service's name"),
            "leave out `.toml`: a service is named as its file without it",
        );
    }
    if RESERVED.contains(&name) {
        return wrong(format!("the name `{name}` is reserved"), "choose another one");
    }
    if let Some(template) = name.strip_suffix('@') {
        return wrong(
            format!("`{name}` is a template, not a service"),
            format!("name an instance of it, such as \"{template}@1\""),
        );
    }
    Ok(())
}

/// The template and the instance, of an instance's name: `getty@`, `tty1`.
pub(crate) fn instance(name: &str) -> Option<(&str, &str)> {
    let at = name.find('@')?.checked_add(1)?;
    let (template, instance) = name.split_at_checked(at)?;
    (!instance.is_empty()).then_some((template, instance))
}
