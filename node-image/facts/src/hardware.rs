//! A hardware target: how one kind of machine boots, and what it needs.

use serde::{Deserialize, Serialize};

use crate::entry::{Module, Severity};

/// One `hardware/NAME.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hardware {
    /// One line for people.
    pub description: String,
    /// As `uname -m` says it.
    pub architecture: String,
    /// How a running machine is recognised; the first target that matches best is it.
    #[serde(default, rename = "match")]
    pub matches: Vec<Match>,
    /// How it boots.
    pub boot: Boot,
    /// `[[firmware]]`
    #[serde(default, rename = "firmware")]
    pub firmware: Vec<Firmware>,
    /// `[[module]]`: needed once the root is mounted.
    #[serde(default, rename = "module")]
    pub modules: Vec<Module>,
    /// `[[blacklist]]`
    #[serde(default, rename = "blacklist")]
    pub blacklist: Vec<Module>,
    /// `[[trap]]`
    #[serde(default, rename = "trap")]
    pub traps: Vec<Trap>,
}

/// One way to recognise a machine: every field that is there must be contained in what the
/// machine says, whatever the case of its letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Match {
    /// `/sys/class/dmi/id/sys_vendor`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// `/sys/class/dmi/id/product_name`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// `/sys/class/dmi/id/board_name`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// `model name` of `/proc/cpuinfo`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// One of the strings in `/proc/device-tree/compatible`, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatible: Option<String>,
}

/// From power-on to our init.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Boot {
    /// `uefi`, `raspberry-pi` or `extlinux`.
    pub method: String,
    /// What people should know of it.
    pub notes: String,
    /// Consoles, best last: `tty0`, `ttyS0,115200n8`.
    pub consoles: Vec<String>,
    /// Kernel parameters beside the consoles.
    #[serde(default, rename = "parameter")]
    pub parameters: Vec<Parameter>,
    /// Modules that the initramfs must have to find the root.
    pub initramfs: Vec<String>,
    /// Device trees, by file name; empty where the firmware brings it.
    #[serde(default)]
    pub device_trees: Vec<String>,
    /// Where all this is written.
    pub source: String,
}

/// One word of the kernel's command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameter {
    /// The word: `cgroup_enable=memory`.
    pub word: String,
    /// What does not work without it.
    pub why: String,
    /// Where that is written.
    pub source: String,
}

/// Firmware that a device of it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Firmware {
    /// Alpine's package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpine: Option<String>,
    /// Debian's package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debian: Option<String>,
    /// The attribute in nixpkgs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nix: Option<String>,
    /// For which device.
    pub why: String,
    /// Where that is written.
    pub source: String,
}

/// Something that goes wrong on this machine, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trap {
    /// What happens.
    pub what: String,
    /// What to do.
    pub fix: String,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// The check of `svc doctor` that finds it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Where that is written.
    pub source: String,
}
