//! What is allowed and probably wrong.
//!
//! Each rule has cost somebody a node: most of them are facts about one daemon. A rule warns where
//! it is sure, and says what to write instead; it never changes anything.

use std::collections::{BTreeMap, BTreeSet};

use graph::{KillMode, Kind, LogTo, MountSpec, Process, Readiness, Reload, RestartPolicy};

use crate::{
    define::Draft,
    report::Findings,
    text::{At, Sources},
    units::signal_name,
};

/// Where something that is missing altogether is told: at the first definition.
pub(crate) fn first_place(drafts: &BTreeMap<String, Draft>) -> At {
    drafts.values().map(|draft| draft.at).min().unwrap_or(At::NOWHERE)
}

/// Warns of everything that is doubtful in `drafts`.
pub(crate) fn lint(drafts: &BTreeMap<String, Draft>, sources: &Sources, findings: &mut Findings) {
    let required: BTreeSet<&str> = drafts
        .values()
        .flat_map(|draft| &draft.requires)
        .map(|named| named.name.as_str())
        .collect();
    for draft in drafts.values().filter(|draft| draft.fields.is_some()) {
        let mut lint = Lint { draft, sources, findings };
        lint.cgroup_path();
        match &draft.service.kind {
            Kind::Longrun(process) => {
                lint.process(process);
                lint.daemon(process);
                // With a critical one, all ends.
                if process.restart.policy == RestartPolicy::Never
                    && !draft.service.critical
                    && required.contains(draft.service.name.as_str())
                {
                    lint.warn(
                        "restart.policy",
                        "it is never restarted, and others require it",
                        "they wait for ever once it has ended: write \"always\" or \"on-failure\"",
                    );
                }
            }
            Kind::Oneshot(process) => lint.process(process),
            Kind::Bundle(_) => {
                if draft.requires.is_empty() && draft.wants.is_empty() {
                    lint.warn(
                        "type",
                        "a bundle of nothing",
                        "name its members in `requires` or `wants`",
                    );
                }
            }
        }
    }
}

struct Lint<'a, 'f> {
    draft: &'a Draft,
    sources: &'a Sources,
    findings: &'f mut Findings,
}

const SIGHUP: u8 = 1;

/// Programs whose children must outlive them.
const CONTAINER_RUNTIMES: [&str; 4] = ["containerd", "dockerd", "k3s", "rke2"];

/// Daemons that go into the background unless told not to: their program, the options that keep
/// them in the foreground (one is enough), and the one to recommend.
const FOREGROUND: [(&str, &[&str], &str); 16] = [
    ("acpid", &["-f", "--foreground", "-d"], "-f"),
    ("chronyd", &["-n", "-d", "-dd", "-x", "-Q", "-q"], "-n"),
    ("crond", &["-f", "-d", "-n"], "-f"),
    ("dbus-daemon", &["--nofork"], "--nofork"),
    ("dhcpcd", &["-B", "--nobackground"], "-B"),
    ("haveged", &["-F", "--Foreground"], "-F"),
    ("iscsid", &["-f", "--foreground"], "-f"),
    ("klogd", &["-n"], "-n"),
    ("lighttpd", &["-D"], "-D"),
    ("named", &["-f", "-g"], "-f"),
    ("ntpd", &["-n", "-d"], "-n"),
    ("rsyslogd", &["-n", "-iNONE"], "-n"),
    ("smartd", &["-n", "--no-fork", "-d"], "-n"),
    ("sshd", &["-D", "-d"], "-D"),
    ("syslogd", &["-n", "-F"], "-n"),
    ("udhcpc", &["-f", "--foreground"], "-f"),
];

/// Options that put a daemon into the background, or make it write its pid somewhere.
const BACKGROUND: [&str; 5] = ["--daemon", "--daemonize", "--background", "--fork", "--detach"];
const PIDFILE: [&str; 4] = ["--pidfile", "--pid-file", "--pid", "--write-pid"];

/// Daemons that take minutes to be ready, by nature.
const SLOW: [&str; 4] = ["k3s", "kubelet", "etcd", "rke2"];

impl Lint<'_, '_> {
    fn warn(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let fields = self.draft.fields.as_ref();
        let at = fields.and_then(|fields| fields.value_at(path).or_else(|| fields.key_at(path)));
        self.findings.warning(at.unwrap_or(self.draft.at), message, help);
    }

    fn has(&self, path: &str) -> bool {
        self.draft.fields.as_ref().is_some_and(|fields| fields.has(path))
    }

    /// What every process can get wrong.
    fn process(&mut self, process: &Process) {
        self.shell(process);
        let flag = |options: &[&str]| {
            let arguments = process.exec.iter().skip(1);
            let mut found = arguments.filter(|argument| {
                let name = argument.split_once('=').map_or(argument.as_str(), |(name, _)| name);
                options.contains(&name)
            });
            found.next().cloned()
        };
        if let (Some(option), Kind::Longrun(_)) = (flag(&BACKGROUND), &self.draft.service.kind) {
            self.warn(
                "exec",
                format!("`{option}` sends it into the background, where nobody supervises it"),
                "take the option out: a service stays in the foreground",
            );
        }
        if let Some(option) = flag(&PIDFILE) {
            self.warn(
                "exec",
                format!("`{option}`: nobody needs a pid file here"),
                "take the option out: Cooper knows its processes, and a stale file misleads",
            );
        }
        if process.environment.variables.iter().any(|(name, _)| name == "INVOCATION_ID") {
            self.warn(
                "environment",
                "`INVOCATION_ID` makes k3s believe that systemd runs",
                "take it out: k3s would choose the systemd cgroup driver, and no pod would start",
            );
        }
        if process.log.to == LogTo::None
            && self.draft.consumer.is_none()
            && process.run.tty.is_none()
            && !program(process).ends_with("getty")
        {
            self.no_log();
        }
    }

    /// A shell between Cooper and the program takes the signals, unless it execs.
    fn shell(&mut self, process: &Process) {
        let program = program(process);
        let shell = ["sh", "bash", "ash", "dash", "busybox"].contains(&program);
        let script = process.exec.iter().skip_while(|word| *word != "-c").nth(1);
        let longrun = matches!(self.draft.service.kind, Kind::Longrun(_));
        let Some(script) = script.filter(|_| shell && longrun) else { return };
        if !script.split_whitespace().any(|word| word == "exec") {
            self.warn(
                "exec",
                "a shell stands between Cooper and the program, and takes its signals",
                "name the program itself, or end the script with `exec PROGRAM`",
            );
        }
    }

    /// Not to log is fine, with a reason in a comment, on the line or on the one before.
    fn no_log(&mut self) {
        let fields = self.draft.fields.as_ref();
        let Some(at) = fields.and_then(|fields| fields.value_at("log.to")) else { return };
        let text = self.sources.text(at.file).get(..at.start).unwrap_or_default();
        let mut before = text.lines().rev();
        let same_line = self.sources.rest_of_line(at).contains('#');
        let commented = |line: &str| line.trim_start().starts_with('#');
        if !same_line && !before.nth(1).is_some_and(commented) {
            self.warn(
                "log.to",
                "its output is thrown away, and nothing says why",
                "give the reason in a comment on this line or the one before, or keep the output",
            );
        }
    }

    /// What is known of single daemons.
    fn daemon(&mut self, process: &Process) {
        let program = program(process);
        if CONTAINER_RUNTIMES.contains(&program) {
            self.container_runtime(process, program);
        }
        if program == "kubelet" {
            self.no_mounts(&process.run.mounts, program);
        }
        if program == "sshd" && process.stop.kill != KillMode::Process {
            self.warn(
                "stop.kill",
                "stopping sshd ends every session, also the one that restarts it",
                "write stop = { kill = \"process\" }",
            );
        }
        if program == "seatd" {
            self.seatd(process);
        }
        let daemon = FOREGROUND.iter().find(|(name, options, _)| {
            *name == program && !process.exec.iter().any(|word| foreground(options, word))
        });
        if let Some((_, _, right)) = daemon {
            self.warn(
                "exec",
                format!("{program} goes into the background, where nobody supervises it"),
                format!("add \"{right}\" to its arguments"),
            );
        }
        if SLOW.contains(&program)
            && process.ready == Readiness::Notify
            && !self.has("ready.timeout")
        {
            self.warn(
                "ready.notify",
                format!("{program} can take longer to be ready than the default of 2m"),
                "say how long it may take: ready = { notify = \"systemd\", timeout = \"10m\" }",
            );
        }
    }

    fn container_runtime(&mut self, process: &Process, program: &str) {
        if process.stop.kill != KillMode::Process {
            self.warn(
                "stop.kill",
                format!("stopping {program} kills every container: they live in its cgroup"),
                "write stop = { kill = \"process\" }",
            );
        }
        if !process.cgroup.delegate {
            self.warn(
                "cgroup",
                format!("{program} makes cgroups of its own, and this one is not delegated"),
                "write delegate = true in [cgroup]",
            );
        }
        if process.reload == Some(Reload::Signal(SIGHUP)) {
            self.warn(
                "reload.signal",
                format!("{program} does not handle SIGHUP: it dies of it"),
                "take `reload` out: a restart is the way to a new configuration",
            );
        }
        self.no_mounts(&process.run.mounts, program);
    }

    fn no_mounts(&mut self, mounts: &[MountSpec], program: &str) {
        if !mounts.is_empty() {
            self.warn(
                "run.mounts",
                format!("{program} must share the host's mounts: volumes would not propagate"),
                "take `mounts` out",
            );
        }
    }

    fn seatd(&mut self, process: &Process) {
        let sent = match process.reload {
            Some(Reload::Signal(signal)) => vec![("reload.signal", signal)],
            Some(Reload::Exec(_)) | None => Vec::new(),
        };
        for (path, signal) in sent.into_iter().chain([("stop.signal", process.stop.signal)]) {
            let name = signal_name(signal);
            if matches!(name.as_str(), "SIGUSR1" | "SIGUSR2") {
                self.warn(
                    path,
                    format!("{name} makes seatd switch the virtual terminal"),
                    "use SIGTERM to stop it; it has nothing to reload",
                );
            }
        }
    }

    /// k3s looks at the names of cgroups.
    fn cgroup_path(&mut self) {
        let path = self.draft.process().map_or("", |process| &process.cgroup.path);
        if path.contains(".scope") {
            self.warn(
                "cgroup.path",
                "k3s takes a cgroup with `.scope` in its path for a container",
                "choose a path without it",
            );
        }
    }
}

/// `-n` is given by itself or among other short options: `-nx`.
fn foreground(options: &[&str], word: &str) -> bool {
    let short = word.starts_with('-') && !word.starts_with("--");
    options.iter().any(|option| {
        let letter = option.strip_prefix('-').filter(|rest| rest.len() == 1);
        *option == word || (short && letter.is_some_and(|letter| word.contains(letter)))
    })
}

fn program(process: &Process) -> &str {
    let path = process.exec.first().map_or("", String::as_str);
    path.rsplit('/').next().unwrap_or(path)
}
