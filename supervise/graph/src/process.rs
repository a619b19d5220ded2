//! What a process is given before its program is executed.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// `[run]`: who a process runs as, and with what.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunSpec {
    /// User, group and supplementary groups; none: root's, unchanged.
    pub user: Option<UserSpec>,
    /// The working directory; empty: `/`.
    pub cwd: String,
    /// File mode creation mask.
    pub umask: Option<u16>,
    /// -20 to 19.
    pub nice: Option<i8>,
    /// -1000 to 1000.
    pub oom_score_adj: Option<i16>,
    /// Resource limits; those that are absent are the defaults of `docs/services.md`.
    pub limits: Vec<LimitSpec>,
    /// Capabilities; none: unchanged.
    pub capabilities: Option<CapabilitySet>,
    /// Set `no_new_privs`.
    pub no_new_privs: bool,
    /// The terminal that it owns as its controlling terminal.
    pub tty: Option<TtySpec>,
    /// Directories in a mount namespace of its own; empty: the host's namespace.
    pub mounts: Vec<MountSpec>,
    /// Directories made before each start, owned by the service's user, mode 0755 unless said:
    /// `/run/chrony`, `/run/chrony:0750`.
    pub directories: Vec<String>,
}

/// Names are resolved at each start, from the node's own /etc/passwd and /etc/group: an image
/// may be compiled where they are not known. Numbers are taken as they are.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct UserSpec {
    /// Name or number.
    pub user: String,
    /// Name or number; empty: the user's primary group.
    pub group: String,
    /// Names or numbers. None: the groups that list the user.
    pub groups: Option<Vec<String>>,
}

/// One resource limit. `u64::MAX` is infinity.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LimitSpec {
    /// The kernel's name in lower case, without `RLIMIT_`: `nofile`.
    pub name: String,
    /// The limit in force.
    pub soft: u64,
    /// What the process may raise it to.
    pub hard: u64,
}

/// Sets of capabilities, as bits by the kernel's numbers.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CapabilitySet {
    /// The bounding set: nothing outside it can ever be gained.
    pub bounding: Option<u64>,
    /// Kept across exec by a process that is not root.
    pub ambient: u64,
}

/// A terminal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TtySpec {
    /// `/dev/tty1`, `/dev/ttyS0`, `/dev/console`.
    pub path: String,
    /// Hang it up and reset it first, so that nothing of an earlier session is left.
    pub reset: bool,
}

/// One path in the service's own mount namespace.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum MountSpec {
    /// A fresh tmpfs, mode 1777.
    Tmpfs(String),
    /// The host's directory or file, read-only.
    ReadOnly(String),
    /// `SOURCE` seen at `TARGET`.
    Bind {
        /// On the host.
        source: String,
        /// In the service.
        target: String,
    },
    /// An empty directory without permissions.
    Inaccessible(String),
}

/// Everything that a process finds in its environment; nothing is inherited.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Environment {
    /// Names and values, in the order of the file. `PATH` is always among them.
    pub variables: Vec<(String, String)>,
    /// Files of `NAME=VALUE` lines, read at each start in the child; a leading `-` means that it
    /// may be absent.
    pub files: Vec<String>,
}

/// `[cgroup]`: where the process lives, and the kernel's own keys for it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct CgroupSpec {
    /// Below the root that `supervise` manages; never empty: `system/NAME` by default.
    pub path: String,
    /// The service makes cgroups of its own below it: the main process is put into `PATH/main`,
    /// and nothing else of ours ever writes there.
    pub delegate: bool,
    /// File and value, in order: `("memory.max", "512M")`.
    pub settings: Vec<(String, String)>,
}
