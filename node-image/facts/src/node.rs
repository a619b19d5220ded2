//! A node's table: what its profiles and its hardware target want, together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    entry::{Binary, Cgroup, Check, File, KernelOptions, Module, Mount, Port, Service, Sysctl},
    hardware::Hardware,
    section::{
        Cgroups, Clock, Empty, Firmware, Hostname, Limits, Modules, Mounts, Section, Swap, Sysctls,
    },
};

/// All that a node needs. Every entry says who wants it, in `by`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Node {
    /// The profiles that are in it, by name: those chosen and those that these include.
    pub profiles: Vec<String>,
    /// The hardware target's name, and the target.
    pub hardware: Option<(String, Hardware)>,
    /// What node.toml says to set-up.
    pub settings: Settings,
    /// To be loaded.
    pub modules: Vec<Module>,
    /// Not to be loaded by themselves.
    pub blacklist: Vec<Module>,
    /// Kernel parameters; keys with a `*` first.
    pub sysctls: Vec<Sysctl>,
    /// Mounts, each before what is below it.
    pub mounts: Vec<Mount>,
    /// Cgroups, each before what is below it.
    pub cgroups: Vec<Cgroup>,
    /// What is up.
    pub services: Vec<Service>,
    /// What `svc doctor` asks.
    pub checks: Vec<Check>,
    /// The kernel's configuration.
    pub kernel: Vec<KernelOptions>,
    /// Programs that must be found.
    pub binaries: Vec<Binary>,
    /// Ports that belong to somebody.
    pub ports: Vec<Port>,
    /// Files that must be there, or must not.
    pub files: Vec<File>,
}

/// What `[setup]` of node.toml says: what no profile can know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The host's name, instead of what `/etc/hostname` says.
    pub hostname: Option<String>,
    /// What `/etc/fstab` lists is used as swap.
    pub swap: bool,
    /// The hardware clock runs in local time.
    pub rtc_is_local: bool,
    /// A directory that the kernel tries for firmware before its own.
    pub firmware: Option<String>,
    /// Resource limits that all services begin with.
    pub limits: BTreeMap<String, String>,
    /// Kernel parameters, which count more than those of profiles.
    pub sysctl: BTreeMap<String, String>,
}

impl Node {
    /// What one run of `node-setup` is given, as compact JSON.
    #[must_use]
    pub fn section(&self, section: Section) -> String {
        let settings = &self.settings;
        match section {
            Section::Mounts => json(&Mounts { mounts: self.mounts.clone() }),
            Section::Cgroups => json(&Cgroups { cgroups: self.cgroups.clone() }),
            Section::Modules => {
                json(&Modules { modules: self.modules.clone(), blacklist: self.blacklist.clone() })
            }
            Section::Sysctl => json(&Sysctls { sysctls: self.sysctls.clone() }),
            Section::Hostname => json(&Hostname { name: settings.hostname.clone() }),
            Section::Limits => json(&Limits { limits: settings.limits.clone() }),
            Section::Clock => json(&Clock { rtc_is_local: settings.rtc_is_local }),
            Section::Firmware => json(&Firmware { path: settings.firmware.clone() }),
            Section::Swap => json(&Swap { allowed: settings.swap }),
            Section::MachineId
            | Section::RandomSeed
            | Section::Loopback
            | Section::Tmpfiles
            | Section::Filesystems => json(&Empty {}),
        }
    }
}

/// Strings, numbers and lists of them always have a JSON form.
fn json(section: &impl Serialize) -> String {
    serde_json::to_string(section).unwrap_or_default()
}
