//! What one run of `node-setup` is given: a section of the node's table, as JSON.
//!
//! `svc apply` puts a section into the environment of the service that says `setup = "NAME"`, and
//! `node-setup NAME` reads it there: so the boot reads nothing but the compiled graph, and a
//! service runs again when its own section has changed and not when another one has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::entry::{Cgroup, Module, Mount, Sysctl};

/// The variable that holds a section.
pub const VARIABLE: &str = "COOPER_SETUP";

/// The longest `NAME=VALUE` that a program can be given (`MAX_ARG_STRLEN` of the kernel), its
/// final zero byte included.
pub const VARIABLE_MAX: usize = 131_072;

/// A part of set-up: one service, one run of `node-setup`, one type below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// [`Mounts`]
    Mounts,
    /// [`Cgroups`]
    Cgroups,
    /// [`Modules`]
    Modules,
    /// [`Sysctls`]
    Sysctl,
    /// [`Hostname`]
    Hostname,
    /// [`Empty`]
    MachineId,
    /// [`Limits`]
    Limits,
    /// [`Empty`]
    RandomSeed,
    /// [`Clock`]
    Clock,
    /// [`Empty`]
    Loopback,
    /// [`Firmware`]
    Firmware,
    /// [`Empty`]
    Tmpfiles,
    /// [`Swap`]
    Swap,
    /// [`Empty`]
    Filesystems,
}

impl Section {
    /// All of them, each after those that it comes after in a boot.
    pub const ALL: [Self; 14] = [
        Self::Mounts,
        Self::Cgroups,
        Self::Modules,
        Self::Sysctl,
        Self::Filesystems,
        Self::Hostname,
        Self::MachineId,
        Self::Limits,
        Self::RandomSeed,
        Self::Clock,
        Self::Loopback,
        Self::Firmware,
        Self::Tmpfiles,
        Self::Swap,
    ];

    /// As a service's `setup` and `node-setup`'s argument spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            Self::Cgroups => "cgroups",
            Self::Modules => "modules",
            Self::Sysctl => "sysctl",
            Self::Hostname => "hostname",
            Self::MachineId => "machine-id",
            Self::Limits => "limits",
            Self::RandomSeed => "random-seed",
            Self::Clock => "clock",
            Self::Loopback => "loopback",
            Self::Firmware => "firmware",
            Self::Tmpfiles => "tmpfiles",
            Self::Swap => "swap",
            Self::Filesystems => "filesystems",
        }
    }

    /// What profiles call one of its entries (`[[module]]`), each of which says why it is wanted;
    /// none: what it sees to no profile lists, and its service alone says who wants it.
    #[must_use]
    pub const fn entry(self) -> Option<&'static str> {
        match self {
            Self::Mounts => Some("mount"),
            Self::Cgroups => Some("cgroup"),
            Self::Modules => Some("module"),
            Self::Sysctl => Some("sysctl"),
            Self::Hostname
            | Self::MachineId
            | Self::Limits
            | Self::RandomSeed
            | Self::Clock
            | Self::Loopback
            | Self::Firmware
            | Self::Tmpfiles
            | Self::Swap
            | Self::Filesystems => None,
        }
    }

    /// The section of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name)
    }
}

/// What is mounted, each before what is below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mounts {
    /// In order.
    pub mounts: Vec<Mount>,
}

/// The cgroups that are there before their users are, each before what is below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cgroups {
    /// In order.
    pub cgroups: Vec<Cgroup>,
}

/// The kernel's modules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Modules {
    /// To be loaded.
    pub modules: Vec<Module>,
    /// Not to be loaded by themselves.
    pub blacklist: Vec<Module>,
}

/// The kernel's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sysctls {
    /// Keys with a `*` come first: of two that name the same file the later one counts.
    pub sysctls: Vec<Sysctl>,
}

/// The host's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hostname {
    /// None: what `/etc/hostname` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Resource limits that all services begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// By the kernel's names, `SOFT:HARD` or one value for both, as a service's `run.limits`.
    pub limits: BTreeMap<String, String>,
}

/// The clock, before something sets it from the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Clock {
    /// The hardware clock runs in local time, as another system on this machine may want it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rtc_is_local: bool,
}

/// Where the kernel looks for firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Firmware {
    /// A directory that the kernel tries before `/lib/firmware`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Swap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Swap {
    /// What `/etc/fstab` lists is used; otherwise no swap is, whoever switched it on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allowed: bool,
}

/// A section that needs to be told nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Empty {}

#[cfg(test)]
mod tests {
    use super::Section;

    #[test]
    fn a_section_is_found_by_its_name_and_by_no_other() {
        for section in Section::ALL {
            assert_eq!(Section::named(section.name()), Some(section));
        }
        assert_eq!(Section::named("Mounts"), None);
    }
}
