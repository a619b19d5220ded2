//! Files, directories, devices and sockets.

use std::{fs, io};

use facts::File;

use crate::{finding::Verdict, system::System};

/// There, or not there, as it shall be.
pub fn judge(file: &File, system: &System) -> Verdict {
    match (found(&file.path, system), file.absent) {
        (Ok(Some(path)), false) => Verdict::Holds(format!("{path} is there")),
        (Ok(Some(path)), true) => Verdict::fails(format!("{path} is there")),
        (Ok(None), true) => Verdict::Holds("it is not there".into()),
        (Ok(None), false) => Verdict::fails("it is not there"),
        (Err(error), _) if error.kind() == io::ErrorKind::PermissionDenied => {
            Verdict::NeedsRoot("we may not look there".into())
        }
        (Err(error), _) => Verdict::Unknown(error.to_string()),
    }
}

/// The path, or the first in its directory that its last component, with a `*`, fits.
fn found(path: &str, system: &System) -> io::Result<Option<String>> {
    let (directory, last) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some((before, after)) = last.split_once('*') {
        let fits =
            |name: &String| name.strip_prefix(before).is_some_and(|rest| rest.ends_with(after));
        let name = system.names(directory).into_iter().find(fits);
        return Ok(name.map(|name| format!("{directory}/{name}")));
    }
    // A link to nowhere is nothing that a daemon could use.
    match fs::metadata(system.path(path)) {
        Ok(_) => Ok(Some(path.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::testing::Machine;

    fn judged(path: &str, absent: bool) -> Verdict {
        let machine = Machine::new()
            .file("/dev/kmsg", "")
            .file("/dev/dri/renderD129", "")
            .directory("/run/systemd/system")
            .link("/etc/cdi", "/nowhere");
        let file = File {
            path: path.into(),
            absent,
            severity: facts::Severity::Error,
            why: String::new(),
            fix: String::new(),
            source: String::new(),
            by: vec![],
        };
        judge(&file, &machine.system())
    }

    #[test]
    fn what_must_be_there_is_looked_for() {
        assert_eq!(judged("/dev/kmsg", false), Verdict::Holds("/dev/kmsg is there".into()));
        assert_eq!(judged("/dev/fuse", false), Verdict::fails("it is not there"));
        assert_eq!(judged("/etc/cdi", false), Verdict::fails("it is not there"));
    }

    #[test]
    fn what_must_not_be_there_is_looked_for() {
        let there = Verdict::fails("/run/systemd/system is there");
        assert_eq!(judged("/run/systemd/system", true), there);
        assert_eq!(judged("/run/elogind", true), Verdict::Holds("it is not there".into()));
    }

    #[test]
    fn one_that_fits_is_enough() {
        let found = Verdict::Holds("/dev/dri/renderD129 is there".into());
        assert_eq!(judged("/dev/dri/renderD*", false), found);
        assert_eq!(judged("/dev/dri/card*", false), Verdict::fails("it is not there"));
    }
}
