//! The keys of `node.toml` that matter to the graph.

use super::{For::All, Key};
use crate::kind::Shape::{Accounts, Duration, DurationOrOff, Names, Path, Table};

/// In the order of `docs/services.md`.
pub(crate) const NODE: &[Key] = &[
    Key::new(
        "services",
        Names,
        All,
        "What this node runs beside what the bundle `default` says: added to its `wants`.",
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
        "All services are stopped within this; what is left is killed.",
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
];

/// Keys of `node.toml` that other programs read (node-setup, node-image): taken as they
/// are. A key that is neither here nor in [`NODE`] is an error.
pub(crate) const ELSEWHERE: &[&str] = &["profiles", "hardware", "setup"];
