//! The keys of `node.toml` that matter to the graph.

use super::{For::All, Key};
use crate::kind::Shape::{
    Accounts, Choice, Duration, DurationOrOff, Flag, Limits, Line, Names, Path, Sysctls, Table,
};

/// In the order of `docs/services.md`.
pub(crate) const NODE: &[Key] = &[
    Key::new(
        "profiles",
        Accounts,
        All,
        "What this node is for: what each profile needs is set up, checked and brought up.",
    )
    .default("[]"),
    Key::new("hardware", Line, All, "The hardware target that this node's image is made for."),
    Key::new(
        "settled",
        Accounts,
        All,
        "Names of conflicts between profiles that somebody has dealt with: they are not told any \
         more.",
    )
    .default("[]"),
    Key::new(
        "services",
        Names,
        All,
        "What this node runs beside what the bundle `default` and its profiles say: added to its \
         `wants`.",
    )
    .default("[]"),
    Key::new(
        "without",
        Names,
        All,
        "Services that profiles bring up and this node does not: nothing else that it brings up \
         may require them; what wants them goes on without. They can be started by hand.",
    )
    .default("[]"),
    Key::new("control", Table { shorthand: "" }, All, "Who may do what."),
    Key::new(
        "control.operators",
        Accounts,
        All,
        "Users, and groups as `@GROUP`, who may operate services; root always may.",
    )
    .default("[]"),
    Key::new("shutdown", Table { shorthand: "" }, All, "The end."),
    Key::new(
        "shutdown.budget",
        Duration,
        All,
        "All services are stopped within this; what is left is killed. Unless it is given, it is \
         longer if need be: what the stop timeouts along the longest chain of services add up to.",
    )
    .default("\"90s\""),
    Key::new(
        "watchdog",
        Table { shorthand: "timeout" },
        All,
        "The hardware watchdog: it resets a machine that nobody supervises any more.",
    ),
    Key::new("watchdog.device", Path, All, "Its device.").default("\"/dev/watchdog\""),
    Key::new(
        "watchdog.timeout",
        DurationOrOff,
        All,
        "How long after the last sign of life of `supervise`; 30s at least. A quarter of it passes \
         before `supervise` is asked, half of it may be silence, and the rest is for its \
         replacement.",
    )
    .default("\"off\""),
    Key::new("setup", Table { shorthand: "" }, All, "What no profile can know of this node."),
    Key::new("setup.hostname", Line, All, "The host's name, instead of `/etc/hostname`."),
    Key::new("setup.swap", Flag, All, "Swap that `/etc/fstab` lists is used; otherwise none is.")
        .default("false"),
    Key::new(
        "setup.rtc",
        Choice(&["utc", "local"]),
        All,
        "Whether the hardware clock runs in UTC or, for the sake of another system, in local time.",
    )
    .default("\"utc\""),
    Key::new("setup.firmware", Path, All, "A directory where the kernel looks for firmware first."),
    Key::new(
        "setup.limits",
        Limits,
        All,
        "Resource limits that every service begins with, as in a service's `run.limits`.",
    ),
    Key::new(
        "setup.sysctl",
        Sysctls,
        All,
        "Kernel parameters that count more than those of profiles: \
         `\"net.ipv4.conf.all.rp_filter\" = \"2\"`.",
    ),
];
