//! A profile: what one use of a node needs.

use serde::{Deserialize, Serialize};

use crate::entry::{
    Binary, Cgroup, Check, Conflict, File, KernelOptions, Module, Mount, Port, Service, Sysctl,
};

/// One `profiles/NAME.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// One line for people.
    pub description: String,
    /// Profiles that are part of this one.
    #[serde(default)]
    pub includes: Vec<String>,
    /// `[[conflict]]`
    #[serde(default, rename = "conflict")]
    pub conflicts: Vec<Conflict>,
    /// `[[module]]`
    #[serde(default, rename = "module")]
    pub modules: Vec<Module>,
    /// `[[blacklist]]`: modules that must not be loaded by themselves.
    #[serde(default, rename = "blacklist")]
    pub blacklist: Vec<Module>,
    /// `[[sysctl]]`
    #[serde(default, rename = "sysctl")]
    pub sysctls: Vec<Sysctl>,
    /// `[[mount]]`
    #[serde(default, rename = "mount")]
    pub mounts: Vec<Mount>,
    /// `[[cgroup]]`
    #[serde(default, rename = "cgroup")]
    pub cgroups: Vec<Cgroup>,
    /// `[[service]]`
    #[serde(default, rename = "service")]
    pub services: Vec<Service>,
    /// `[[check]]`
    #[serde(default, rename = "check")]
    pub checks: Vec<Check>,
    /// `[[kernel]]`
    #[serde(default, rename = "kernel")]
    pub kernel: Vec<KernelOptions>,
    /// `[[binary]]`
    #[serde(default, rename = "binary")]
    pub binaries: Vec<Binary>,
    /// `[[port]]`
    #[serde(default, rename = "port")]
    pub ports: Vec<Port>,
    /// `[[file]]`
    #[serde(default, rename = "file")]
    pub files: Vec<File>,
}
