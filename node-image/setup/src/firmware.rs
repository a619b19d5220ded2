//! Section `firmware`: where the kernel looks for firmware, and what it did not find there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

use facts::section::Firmware;
use rustix::io::Errno;

use crate::looked::{self, Looked, useful};
use crate::{Finding, Report, Root};

/// Tried before /lib/firmware and the rest.
const PATH: &str = "/sys/module/firmware_class/parameters/path";
const LOG: &str = "/dev/kmsg";
/// A record of the kernel's log is no longer.
const RECORD_MAX: usize = 8192;
/// The log is a ring in memory; nobody's has room for more.
const RECORDS_MAX: usize = 1 << 20;

/// What a driver asked for, and was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which driver, and for what.
    pub device: String,
    /// The kernel's error: `-2`.
    pub error: String,
}

/// How the path stands.
#[must_use]
pub fn inspect(table: &Firmware, root: &Root) -> Vec<Finding> {
    looked::findings(look(table, root))
}

/// Sets the path, and says which files drivers have asked for in vain.
pub fn apply(table: &Firmware, root: &Root, report: &mut Report<'_>) {
    looked::settle(look(table, root), report, |path: &String| {
        std::fs::write(root.path(PATH), path).map_err(|error| format!("write {PATH}: {error}"))
    });
    // Without the log nobody can tell, and nothing depends on it.
    for (name, Missing { device, error }) in missing(root).unwrap_or_default() {
        let reason = match error.as_str() {
            "-2" => "no such file: install its package",
            other => other,
        };
        let need = useful(&format!("{device} asked for it"), "kernel: firmware_loader/main.c");
        report.failed(&format_args!("firmware {name}: {reason}"), &need);
    }
}

fn look(table: &Firmware, root: &Root) -> Vec<Looked<String>> {
    let mut looked = Vec::new();
    if let Some(path) = &table.path {
        let need = useful("this node's firmware is not where the kernel looks", "node.toml");
        let is = root.line(PATH).unwrap_or_default();
        looked.push(match is == *path {
            true => Looked::holds(PATH, is, need),
            false => Looked::differs(PATH, is, path.clone(), need, path.clone()),
        });
        if !root.exists(path) {
            let need = useful("it would be of no use", "node.toml");
            looked.push(Looked::cannot(path.clone(), "there is no such directory", need));
        }
    }
    looked
}

/// What the kernel's log says was not found, and is not there now: by name.
///
/// # Errors
/// If the log cannot be read.
pub fn missing(root: &Root) -> io::Result<BTreeMap<String, Missing>> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut log = File::options().read(true).custom_flags(flags).open(root.path(LOG))?;
    let mut missing = BTreeMap::new();
    let mut record = [0; RECORD_MAX];
    for _ in 0..RECORDS_MAX {
        match log.read(&mut record) {
            Ok(0) => break,
            Ok(length) => {
                let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default());
                missing.extend(text.lines().filter_map(failure));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Records were overwritten while we read; the next one is there.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::PIPE) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    missing.retain(|name, _| !is_there(name, root));
    Ok(missing)
}

/// Where the kernel would find it now.
fn is_there(name: &str, root: &Root) -> bool {
    let release = root.line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let directories = [
        root.line(PATH).unwrap_or_default(),
        format!("/lib/firmware/updates/{release}"),
        "/lib/firmware/updates".to_owned(),
        format!("/lib/firmware/{release}"),
        "/lib/firmware".to_owned(),
    ];
    let ends = ["", ".zst", ".xz"];
    directories
        .iter()
        .filter(|directory| !directory.is_empty())
        .any(|directory| ends.iter().any(|end| root.exists(&format!("{directory}/{name}{end}"))))
}

/// `4,901,2345,-;iwlwifi 0000:01:00.0: Direct firmware load for a.ucode failed with error -2`
fn failure(line: &str) -> Option<(String, Missing)> {
    let (before, after) = line.split_once("Direct firmware load for ")?;
    let (name, error) = after.split_once(" failed with error ")?;
    let device = before.rsplit(';').next().unwrap_or(before).trim().trim_end_matches(':');
    let missing = Missing { device: device.to_owned(), error: error.trim().to_owned() };
    Some((name.to_owned(), missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Machine, said};

    #[test]
    fn the_path_is_set_once() {
        let machine = Machine::new(&[(PATH, "\n"), ("/opt/firmware/a", "")]);
        let table = Firmware { path: Some("/opt/firmware".to_owned()) };
        let text = said(|report| apply(&table, &machine.root(), report));
        assert!(text.contains("1 changed, 0 already so, 0 could not"), "{text}");
        assert_eq!(machine.read(PATH), "/opt/firmware");
        let text = said(|report| apply(&table, &machine.root(), report));
        assert!(text.contains("0 changed, 1 already so, 0 could not"), "{text}");
    }

    #[test]
    fn what_drivers_have_asked_for_in_vain_is_said_once() {
        let log = "6,1,2,-;Linux version 6.12\n\
                   4,9,3,-;iwlwifi 0000:01:00.0: Direct firmware load for a.ucode failed with \
                   error -2\n SUBSYSTEM=pci\n\
                   4,9,4,-;iwlwifi 0000:01:00.0: Direct firmware load for a.ucode failed with \
                   error -2\n\
                   4,9,4,-;r8169: Direct firmware load for b.fw failed with error -5\n";
        let machine = Machine::new(&[(LOG, log)]);
        let text = said(|report| apply(&Firmware::default(), &machine.root(), report));
        let line = "firmware a.ucode: no such file: install its package (iwlwifi 0000:01:00.0 \
                    asked for it)";
        assert_eq!(text.matches(line).count(), 1, "{text}");
        assert!(text.contains("firmware b.fw: -5 (r8169 asked for it)"), "{text}");
    }
}
