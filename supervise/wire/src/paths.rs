//! Where things are. System paths; a user's tree or a container may put `RUN` elsewhere
//! (`COOPER_RUN`), and everything below it moves along.

/// Programs that init and `supervise` execute: `supervise`, `cooper-log`.
pub const LIBEXEC: &str = "/usr/lib/cooper";
/// Everything live; a tmpfs.
pub const RUN: &str = "/run/cooper";
/// The state table, below [`RUN`].
pub const STATE: &str = "state";
/// The graph that is in force, a copy on tmpfs, below [`RUN`].
pub const GRAPH: &str = "graph";
/// The graph that `svc apply` wants in force, below [`RUN`]; gone once it is.
pub const NEXT: &str = "next";
/// What reboot(2) is given for the firmware, if anything, below [`RUN`]: one line.
pub const REBOOT_ARGUMENT: &str = "reboot-argument";
/// The Varlink socket, below [`RUN`].
pub const CONTROL: &str = "control";
/// The sd_notify socket, below [`RUN`].
pub const NOTIFY: &str = "notify/socket";
/// FIFOs for readiness by newline, one each, below [`RUN`].
pub const READY: &str = "notify";
/// FIFOs for output, one for each service, below [`RUN`].
pub const LOG: &str = "log";
/// FIFOs that services read, to which others log, below [`RUN`].
pub const INPUT: &str = "input";
/// What `cooper-log` was doing, should it be killed; below [`RUN`].
pub const LOG_JOURNAL: &str = "log-journal";
/// The catch-all log's name: what init and `supervise` themselves say.
pub const CATCH_ALL: &str = "cooper";
/// Compiled graphs on disk: `HASH`, and the symlinks `current` and `previous`.
pub const GRAPHS: &str = "/var/lib/cooper/graph";
/// Log files: `NAME/current`.
pub const LOGS: &str = "/var/log/cooper";
/// How the last shutdowns went.
pub const LAST_SHUTDOWN: &str = "/var/lib/cooper/last-shutdown.json";
/// Service files, the later wins whole.
pub const SERVICES: [&str; 3] =
    ["/usr/lib/cooper/services", "/etc/cooper/services", "/run/cooper/services"];
/// Where `profiles` and `hardware` are, the later wins whole.
pub const FACTS: [&str; 2] = ["/usr/lib/cooper", "/etc/cooper"];
/// The node's own settings.
pub const NODE: &str = "/etc/cooper/node.toml";
/// The link's file descriptor number in `supervise`, set by init.
pub const LINK_FD: i32 = 3;
