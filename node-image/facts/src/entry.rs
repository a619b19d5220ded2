//! The entries of a table, as a profile's TOML spells them.

use serde::{Deserialize, Serialize};

/// How bad it is when an entry does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something optional does not work, or something may break later.
    Warning,
    /// The node does not work.
    #[default]
    Error,
}

/// A kernel module: to be loaded, or built in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Module {
    /// Its name, or an alias (`nft-expr-counter`).
    pub name: String,
    /// `NAME=VALUE` parameters, separated by spaces, for the case that it is not loaded yet.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub options: String,
    /// The node works without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What does not work without it.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A kernel parameter below `/proc/sys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sysctl {
    /// Its name with dots; a `*` stands for any one component (`net.ipv4.conf.*.rp_filter`).
    pub key: String,
    /// What set-up writes. Several numbers are separated by spaces.
    pub value: String,
    /// Other values that are as good: set-up leaves them, and two profiles that share one agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<String>,
    /// A larger number is as good: set-up never lowers it, and of two profiles the larger wins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// The node works with another value. The key may be absent, too: it belongs to a module or an
    /// interface that is not always there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The module that brings it into being.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// What goes wrong with another value.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A mount that must be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// Where: an absolute path.
    pub at: String,
    /// The file system's type, as in `/proc/filesystems`; `bind` for a directory of itself;
    /// `any` for what is mounted there in any case (`/`).
    pub fstype: String,
    /// Its source, as `/proc/self/mountinfo` shows it; the type's name where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Mount options, separated by commas, as mount(8) takes them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub options: String,
    /// Mode of the directory, octal, when it has to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// What is mounted below it shows everywhere that it is seen (`mount --make-rshared`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// The kernel may lack the type.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What does not work without it.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A cgroup that must be there before its users are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cgroup {
    /// Below the root, without a leading `/`.
    pub path: String,
    /// The kernel's files and what is written to them (`"memory.min" = "96M"`).
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub set: std::collections::BTreeMap<String, String>,
    /// Who lives in it.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A service that is up on such a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The bundle `default` waits for it (`requires`); otherwise it goes on without (`wants`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// What it is here for.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A question that `svc doctor` asks, by the name of the code that answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Check {
    /// The name of the check: `swap`, `cgroup-v2`, `time-synchronised` …
    pub id: String,
    /// How bad it is if not.
    #[serde(default)]
    pub severity: Severity,
    /// Numbers and words that the check takes (`minimum = "2"`).
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub with: std::collections::BTreeMap<String, String>,
    /// What goes wrong.
    pub why: String,
    /// What to do about it.
    pub fix: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// Options of the kernel's configuration, of which each must be `y` or `m`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KernelOptions {
    /// Their names, without `CONFIG_`; `A|B` where one of several is enough.
    pub options: Vec<String>,
    /// How bad it is if one is missing.
    #[serde(default)]
    pub severity: Severity,
    /// What does not work.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A program that must be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Binary {
    /// Its name; it is searched for in the usual directories.
    pub name: String,
    /// How bad it is if it is not there.
    #[serde(default)]
    pub severity: Severity,
    /// BusyBox's applet of this name is not enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_busybox: bool,
    /// The packages that bring it: of Alpine, Debian and nixpkgs.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub package: std::collections::BTreeMap<String, String>,
    /// Who calls it.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port that one of the node's daemons listens on, and nobody else may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Port {
    /// Its number.
    pub port: u16,
    /// Of which protocol.
    pub protocol: Protocol,
    /// The names of the processes that may have it already (`comm`, at most 15 bytes).
    pub owner: Vec<String>,
    /// How bad it is if another has it.
    #[serde(default)]
    pub severity: Severity,
    /// Whose it is.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// A file, directory, device or socket that must be there, or must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Its path.
    pub path: String,
    /// It must not be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
    /// How bad it is if not.
    #[serde(default)]
    pub severity: Severity,
    /// What goes wrong.
    pub why: String,
    /// What to do about it.
    pub fix: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; filled in by the merge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
}

/// Another profile that this one does not go together with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Conflict {
    /// The other profile's name.
    pub with: String,
    /// An error stops `svc apply`; a warning is said.
    #[serde(default)]
    pub severity: Severity,
    /// What breaks.
    pub why: String,
    /// What people do about it, best first.
    pub ways_out: Vec<String>,
    /// The name of a way out which, named in node.toml (`settled = [...]`), silences this.
    pub name: String,
    /// Where that is written.
    pub source: String,
}
