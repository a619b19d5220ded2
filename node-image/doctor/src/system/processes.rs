//! Who runs.

use super::{System, field};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: String,
    /// Its name, as the kernel has it: at most 15 bytes.
    pub name: String,
}

/// All that show in `/proc`; kernel threads as well.
pub fn list(system: &System) -> Vec<Process> {
    let pids = system.names("/proc").into_iter().filter(|name| name.parse::<u32>().is_ok());
    pids.filter_map(|pid| {
        let name = system.word(&format!("/proc/{pid}/comm"))?;
        Some(Process { pid, name })
    })
    .collect()
}

impl Process {
    /// A file of its own.
    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.pid)
    }

    /// The words that it was started with.
    pub fn command_line(&self, system: &System) -> Vec<String> {
        strings(&system.bytes(&self.file("cmdline")).unwrap_or_default())
    }

    /// `NAME=VALUE`, as it was started with; only root may read everybody's.
    pub fn environment(&self, system: &System) -> std::io::Result<Vec<String>> {
        Ok(strings(&system.bytes(&self.file("environ"))?))
    }

    /// The hard limit of open files.
    pub fn nofile_max(&self, system: &System) -> Option<u64> {
        node_setup::limits::hard(&self.pid, "nofile", &system.set_up_root())
    }

    /// A value of its `status`.
    pub fn status(&self, system: &System, key: &str) -> Option<String> {
        field(&system.text(&self.file("status")).ok()?, key).map(str::to_owned)
    }
}

/// What zero bytes separate.
fn strings(bytes: &[u8]) -> Vec<String> {
    let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}
