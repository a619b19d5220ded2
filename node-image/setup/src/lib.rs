//! Node set-up: each section of the node's table, made true on this machine.
//!
//! A section is a module here with two halves: `inspect(table, root)` says how each entry of the
//! table stands, and changes nothing; `apply(table, root, report)` makes true what does not hold,
//! and reports each change and each failure. `svc doctor` calls the first, `node-setup SECTION`
//! and `svc doctor --fix` the second; so what is checked is what is set.
//!
//! To add a section: write the module, and give it its lines in [`inspect`] and [`apply_to`].
//!
//! **Invariants:** applying is idempotent; what already holds is not touched. Nothing optional
//! fails a run. Every line that is reported says why, and which profile wants it.

#![forbid(unsafe_code)]

pub mod cgroups;
pub mod clock;
pub mod disk;
pub mod end;
pub mod files;
pub mod filesystems;
mod finding;
pub mod firmware;
pub mod fstab;
pub mod glob;
pub mod hostname;
pub mod initrd;
pub mod limits;
mod looked;
pub mod loopback;
pub mod machine_id;
pub mod modules;
pub mod mountinfo;
pub mod mounts;
pub mod random_seed;
mod realtime;
mod report;
mod root;
pub mod swap;
pub mod sysctl;
#[cfg(test)]
mod testing;
pub mod tmpfiles;
mod tools;
mod uevent;

use std::convert::Infallible;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use facts::Section;
use facts::section::Empty;
use serde::de::DeserializeOwned;

pub use finding::{Finding, Need, State};
pub use report::Report;
pub use root::Root;

/// Everything that holds was left, everything that could be made true was.
pub const DONE: u8 = 0;
/// The section's name or its table is no such thing.
pub const BAD_INPUT: u8 = 100;
/// Something without which the node does not work could not be made true; it may be later.
pub const FAILED: u8 = 111;

/// What can be wrong with what we were given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No section has this name.
    #[error("cannot set up {0}: no such section")]
    Section(String),
    /// The environment lacks the table.
    #[error(
        "cannot read the table of {section}: {variable} is not set; \
         a service with `setup = \"{section}\"` has it",
        variable = facts::section::VARIABLE
    )]
    NoTable {
        /// Of which section.
        section: &'static str,
    },
    /// The table is none.
    #[error("cannot read the table of {section}: {reason}")]
    Table {
        /// Of which section.
        section: &'static str,
        /// What the parser says.
        reason: serde_json::Error,
    },
    /// The kernel's messages cannot be had.
    #[error("cannot watch for what is new: {0}")]
    Watch(std::io::Error),
}

impl Error {
    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Section(_) | Self::NoTable { .. } | Self::Table { .. } => BAD_INPUT,
            Self::Watch(_) => FAILED,
        }
    }
}

/// How each entry of a section of the table, as JSON, stands on this machine. Changes nothing.
///
/// # Errors
/// If it is no such table.
pub fn inspect(section: Section, json: &str, root: &Root) -> Result<Vec<Finding>, Error> {
    Ok(match section {
        Section::Cgroups => cgroups::inspect(&table(section, json)?, root),
        Section::Modules => modules::inspect(&table(section, json)?, root),
        Section::Sysctl => sysctl::inspect(&table(section, json)?, root),
        Section::Mounts => mounts::inspect(&table(section, json)?, root),
        Section::Hostname => hostname::inspect(&table(section, json)?, root),
        Section::MachineId => machine_id::inspect(&table(section, json)?, root),
        Section::Limits => limits::inspect(&table(section, json)?, root),
        Section::RandomSeed => random_seed::inspect(&table(section, json)?, root),
        Section::Clock => clock::inspect(&table(section, json)?, root),
        Section::Loopback => loopback::inspect(&table(section, json)?, root),
        Section::Firmware => firmware::inspect(&table(section, json)?, root),
        Section::Tmpfiles => tmpfiles::inspect(&table(section, json)?, root),
        Section::Swap => swap::inspect(&table(section, json)?, root),
        Section::Filesystems => filesystems::inspect(&table(section, json)?, root),
    })
}

/// Makes a section of the table, as JSON, true, as a service of the node: what it has failed for
/// is in `svc status`. The exit code.
///
/// # Errors
/// If it is no such table.
pub fn apply(section: Section, json: &str, root: &Root) -> Result<u8, Error> {
    let mut out = std::io::stdout();
    let report = report_on(section, json, root, &mut out)?;
    if let Some(failure) = report.failure() {
        tell(&failure);
    }
    Ok(report.finish())
}

/// Tells `supervise`. Nobody gives a oneshot the address of its socket, because what a oneshot
/// leaves behind (a container's shim) would have it, too; but this program knows it.
fn tell(failure: &str) {
    let run = std::env::var_os("COOPER_RUN").map_or_else(|| wire::paths::RUN.into(), PathBuf::from);
    let socket = UnixDatagram::unbound();
    // A machine that another init has booted has nobody who listens; the log has it as well.
    let _ = socket.and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(format!("STATUS={failure}").as_bytes(), run.join(wire::paths::NOTIFY))
    });
}

/// The same, with what it says going to `out`.
///
/// # Errors
/// If it is no such table.
pub fn apply_to(
    section: Section,
    json: &str,
    root: &Root,
    out: &mut dyn std::io::Write,
) -> Result<u8, Error> {
    Ok(report_on(section, json, root, out)?.finish())
}

fn report_on<'a>(
    section: Section,
    json: &str,
    root: &Root,
    out: &'a mut dyn std::io::Write,
) -> Result<Report<'a>, Error> {
    let mut report = Report::new(section.name(), out);
    match section {
        Section::Cgroups => cgroups::apply(&table(section, json)?, root, &mut report),
        Section::Modules => modules::apply(&table(section, json)?, root, &mut report),
        Section::Sysctl => sysctl::apply(&table(section, json)?, root, &mut report),
        Section::Mounts => mounts::apply(&table(section, json)?, root, &mut report),
        Section::Hostname => hostname::apply(&table(section, json)?, root, &mut report),
        Section::MachineId => machine_id::apply(&table(section, json)?, root, &mut report),
        Section::Limits => limits::apply(&table(section, json)?, root, &mut report),
        Section::RandomSeed => random_seed::apply(&table(section, json)?, root, &mut report),
        Section::Clock => clock::apply(&table(section, json)?, root, &mut report),
        Section::Loopback => loopback::apply(&table(section, json)?, root, &mut report),
        Section::Firmware => firmware::apply(&table(section, json)?, root, &mut report),
        Section::Tmpfiles => tmpfiles::apply(&table(section, json)?, root, &mut report),
        Section::Swap => swap::apply(&table(section, json)?, root, &mut report),
        Section::Filesystems => filesystems::apply(&table(section, json)?, root, &mut report),
    }
    Ok(report)
}

/// Keeps a section true from now on, until it is killed. Only `sysctl` has something to watch.
///
/// # Errors
/// If it is no such table, or cannot be watched.
pub fn watch(section: Section, json: &str, root: &Root) -> Result<Infallible, Error> {
    let Section::Sysctl = section else { return Err(Error::Section(section.name().to_owned())) };
    let mut out = std::io::stdout();
    let mut report = Report::new(section.name(), &mut out);
    let reason = sysctl::watch::watch(&table(section, json)?, root, &mut report);
    reason.map_err(Error::Watch)
}

/// Keeps what a section knows for the next boot: the end of `random-seed` and `clock`. The exit
/// code.
///
/// # Errors
/// If the section has nothing to keep.
pub fn save(section: Section, root: &Root) -> Result<u8, Error> {
    let mut out = std::io::stdout();
    let mut report = Report::new(section.name(), &mut out);
    match section {
        Section::RandomSeed => random_seed::apply(&Empty {}, root, &mut report),
        Section::Clock => clock::save(root, &mut report),
        Section::Mounts
        | Section::Cgroups
        | Section::Modules
        | Section::Sysctl
        | Section::Hostname
        | Section::MachineId
        | Section::Limits
        | Section::Loopback
        | Section::Firmware
        | Section::Tmpfiles
        | Section::Swap
        | Section::Filesystems => return Err(Error::Section(section.name().to_owned())),
    }
    Ok(report.finish())
}

/// The table of a section.
///
/// # Errors
/// If it is no JSON of this type.
pub fn table<T: DeserializeOwned>(section: Section, json: &str) -> Result<T, Error> {
    let section = section.name();
    serde_json::from_str(json).map_err(|reason| Error::Table { section, reason })
}
