//! The graph of last resort, built in: a shell on the console.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use crate::{
    Bundle, CgroupSpec, Environment, Graph, KillMode, Kind, LogSpec, LogTo, OnChange, Process,
    Readiness, RestartPolicy, RestartSpec, RunSpec, Service, ServiceId, StopSpec, TtySpec,
    fingerprint,
};

/// The bundle that a boot brings up, unless `cooper.target=` names another one.
pub const DEFAULT_TARGET: &str = "default";
/// The bundle that is always there.
pub const RESCUE_TARGET: &str = "rescue";
/// The service in it: a shell on the console.
pub const RESCUE_SHELL: &str = "rescue-shell";
/// `PATH`, where a service does not set its own.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The longest that a shutdown may take before its final phase, where `node.toml` does not say.
pub const SHUTDOWN_BUDGET_MS: u32 = 90_000;

/// What `supervise` runs when no compiled graph can be read. Every boot leads to the shell.
#[must_use]
pub fn rescue() -> Graph {
    let mut bundle = rescue_bundle(ServiceId(0));
    bundle.provides.push(DEFAULT_TARGET.to_string());
    Graph {
        operators: Vec::new(),
        shutdown_budget_ms: SHUTDOWN_BUDGET_MS,
        watchdog: None,
        services: vec![rescue_shell(), bundle],
    }
}

/// The bundle `rescue`, of which `shell` is the [`rescue_shell`].
#[must_use]
pub fn rescue_bundle(shell: ServiceId) -> Service {
    let mut bundle = built_in(RESCUE_TARGET, Kind::Bundle(Bundle {}));
    bundle.description = "A shell on the console and nothing else".to_string();
    bundle.requires.push(shell);
    bundle.fingerprint = fingerprint(&bundle, None);
    bundle
}

/// A root shell on the console, without a question: who stands there has the machine anyway.
#[must_use]
pub fn rescue_shell() -> Service {
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(ToString::to_string).collect() };
    let process = Process {
        exec: words(&["/bin/sh", "-l"]),
        ready: Readiness::Exec,
        start_timeout_ms: 120_000,
        probe_every_ms: 100,
        finish: Vec::new(),
        finish_timeout_ms: 5_000,
        // An interactive shell ignores SIGTERM.
        stop: StopSpec {
            exec: Vec::new(),
            signal: SIGHUP,
            timeout_ms: 5_000,
            kill: KillMode::Cgroup,
        },
        restart: RestartSpec { policy: RestartPolicy::Always, min_ms: 1_000, max_ms: 5_000 },
        reload: None,
        health: None,
        watchdog_ms: 0,
        run: RunSpec {
            tty: Some(TtySpec { path: "/dev/console".to_string(), reset: true }),
            ..RunSpec::default()
        },
        environment: Environment {
            variables: vec![
                ("PATH".to_string(), PATH.to_string()),
                ("HOME".to_string(), "/root".to_string()),
                ("TERM".to_string(), "linux".to_string()),
            ],
            files: Vec::new(),
        },
        cgroup: CgroupSpec { path: "system/rescue-shell".to_string(), ..CgroupSpec::default() },
        // A terminal is its own output.
        log: LogSpec {
            to: LogTo::None,
            file_size_max: 0,
            files_max: 0,
            age_max_s: 0,
            quota: 0,
            rate_max: 0,
            timestamps: false,
            block: false,
        },
    };
    let mut shell = built_in(RESCUE_SHELL, Kind::Longrun(process));
    shell.description = "A root shell on the console".to_string();
    shell.fingerprint = fingerprint(&shell, None);
    shell
}

const SIGHUP: u8 = 1;

fn built_in(name: &str, kind: Kind) -> Service {
    Service {
        name: name.to_string(),
        description: String::new(),
        kind,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        conflicts: Vec::new(),
        provides: Vec::new(),
        conditions: Vec::new(),
        on_change: OnChange::Keep,
        critical: false,
        file: "(built in)".to_string(),
        fingerprint: 0,
    }
}
