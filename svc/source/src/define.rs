//! One service, from what its files say: everything but the services that it names.
//!
//! Single values have been checked; here is what several keys together mean, or must not mean.

use graph::{
    Bundle, CapabilitySet, CgroupSpec, Condition, ConditionTest, Environment, Health, KillMode,
    Kind, LogSpec, LogTo, MountSpec, OnChange, Probe, Process, Readiness, Reload, RestartPolicy,
    RestartSpec, RunSpec, Service, StopSpec, TtySpec, UserSpec,
};

use crate::{
    kind::Parsed,
    reader::{Fields, Typed},
    report::Findings,
    schema::{Named, Schema},
    text::At,
    units,
};

/// A service whose relations are still names.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Without relations, fingerprint and log consumer.
    pub service: Service,
    /// What its files say; none for what is built in.
    pub fields: Option<Fields>,
    /// Where it is defined.
    pub at: At,
    pub requires: Vec<Named>,
    pub wants: Vec<Named>,
    pub after: Vec<Named>,
    pub conflicts: Vec<Named>,
    pub provides: Vec<Named>,
    /// The service that reads its output.
    pub consumer: Option<Named>,
}

impl Draft {
    /// What is built in, or made up: no file says it.
    pub fn built_in(service: Service, requires: &[&str]) -> Self {
        let named = |name: &&str| Named { name: (*name).to_string(), at: At::NOWHERE };
        Self {
            service,
            fields: None,
            at: At::NOWHERE,
            requires: requires.iter().map(named).collect(),
            wants: Vec::new(),
            after: Vec::new(),
            conflicts: Vec::new(),
            provides: Vec::new(),
            consumer: None,
        }
    }

    /// Its process, if it has one.
    pub fn process(&self) -> Option<&Process> {
        match &self.service.kind {
            Kind::Longrun(process) | Kind::Oneshot(process) => Some(process),
            Kind::Bundle(_) => None,
        }
    }
}

/// Makes the service `name` of `fields`.
pub(crate) fn define(
    schema: &Schema,
    name: &str,
    file: &str,
    at: At,
    mut fields: Fields,
    findings: &mut Findings,
) -> Draft {
    let kind = Typed { schema, fields: &fields }.text("type");
    fields.oneshot = kind == "oneshot";
    fields.check_type(kind != "bundle", kind == "longrun", findings);
    let mut define = Define { read: Typed { schema, fields: &fields }, findings };
    let kind = match kind.as_str() {
        "bundle" => Kind::Bundle(Bundle {}),
        "oneshot" => Kind::Oneshot(define.process(name, at, true)),
        _ => Kind::Longrun(define.process(name, at, false)),
    };
    let read = define.read;
    let service = Service {
        name: name.to_string(),
        description: read.text("description"),
        kind,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        conflicts: Vec::new(),
        provides: read.texts("provides"),
        conditions: define.conditions(),
        on_change: define.on_change(),
        critical: read.flag("critical"),
        file: file.to_string(),
        fingerprint: 0,
    };
    let target = read.text("log.to");
    let consumer = (!matches!(target.as_str(), "files" | "none" | "console") && !target.is_empty())
        .then(|| Named { name: target, at: fields.value_at("log.to").unwrap_or(at) });
    Draft {
        requires: read.named("requires"),
        wants: read.named("wants"),
        after: read.named("after"),
        conflicts: read.named("conflicts"),
        provides: read.named("provides"),
        consumer: consumer.filter(|_| !matches!(service.kind, Kind::Bundle(_))),
        service,
        at,
        fields: Some(fields),
    }
}

struct Define<'a, 'f> {
    read: Typed<'a>,
    findings: &'f mut Findings,
}

impl Define<'_, '_> {
    fn process(&mut self, name: &str, at: At, oneshot: bool) -> Process {
        let read = self.read;
        if !read.fields.has("exec") && read.fields.whole {
            self.findings.error(
                at,
                format!("`{name}` has no `exec`"),
                "write the program and its arguments: exec = [\"/usr/bin/PROGRAM\"]",
            );
        }
        Process {
            exec: read.texts("exec"),
            ready: self.readiness(oneshot),
            start_timeout_ms: read.millis("ready.timeout"),
            probe_every_ms: read.millis("ready.every"),
            finish: read.texts("finish.exec"),
            finish_timeout_ms: read.millis("finish.timeout"),
            stop: StopSpec {
                exec: read.texts("stop.exec"),
                signal: read.signal("stop.signal"),
                timeout_ms: read.millis("stop.timeout"),
                kill: match read.text("stop.kill").as_str() {
                    "process" => KillMode::Process,
                    "cgroup" => KillMode::Cgroup,
                    _ => KillMode::Mixed,
                },
            },
            restart: self.restart(oneshot),
            reload: self.reload(),
            health: self.health(),
            watchdog_ms: read.millis("watchdog"),
            run: self.run(),
            environment: environment(read),
            cgroup: cgroup(read, name),
            log: self.log(),
        }
    }

    fn at(&self, path: &str) -> At {
        let fields = self.read.fields;
        fields.key_at(path).or_else(|| fields.value_at(path)).unwrap_or(At::NOWHERE)
    }

    fn readiness(&mut self, oneshot: bool) -> Readiness {
        let given = |key: &str| self.read.fields.has(&format!("ready.{key}"));
        if oneshot {
            return Readiness::Exit;
        }
        if given("exit") {
            self.findings.error(
                self.at("ready.exit"),
                "`ready.exit` means nothing for a longrun: it runs until it is stopped",
                "set `type = \"oneshot\"`, or choose how it says that it is ready",
            );
        }
        if given("notify") {
            return Readiness::Notify;
        }
        if given("fd") {
            return Readiness::Fd(self.read.number("ready.fd"));
        }
        probe(self.read, "ready").map_or(Readiness::Exec, Readiness::Probe)
    }

    fn restart(&mut self, oneshot: bool) -> RestartSpec {
        let read = self.read;
        let policy = match read.text("restart.policy").as_str() {
            "never" => RestartPolicy::Never,
            "on-failure" => RestartPolicy::OnFailure,
            // Its end is to be the end of everything.
            _ if read.flag("critical") && !read.fields.has("restart.policy") => {
                RestartPolicy::Never
            }
            _ => RestartPolicy::Always,
        };
        if oneshot && policy == RestartPolicy::Always {
            self.findings.error(
                read.fields.value_at("restart.policy").unwrap_or(At::NOWHERE),
                "a oneshot that has succeeded is done: it cannot be restarted always",
                "write \"on-failure\", or set `type = \"longrun\"`",
            );
        }
        let (min_ms, max_ms) = (read.millis("restart.min"), read.millis("restart.max"));
        if min_ms > max_ms {
            let at = if read.fields.has("restart.min") { "restart.min" } else { "restart.max" };
            self.findings.error(
                self.at(at),
                "`restart.min` is longer than `restart.max`",
                "the delay grows from the one to the other: write the smaller one as `min`",
            );
        }
        RestartSpec { policy, min_ms, max_ms }
    }

    fn reload(&mut self) -> Option<Reload> {
        let fields = self.read.fields;
        if fields.has("reload.signal") {
            return Some(Reload::Signal(self.read.signal("reload.signal")));
        }
        if fields.has("reload.exec") {
            return Some(Reload::Exec(self.read.texts("reload.exec")));
        }
        if fields.has("reload") {
            self.findings.error(
                self.at("reload"),
                "`reload` says neither `signal` nor `exec`",
                "write reload = { signal = \"SIGHUP\" } or reload = { exec = [...] }",
            );
        }
        None
    }

    fn health(&mut self) -> Option<Health> {
        let read = self.read;
        if !read.fields.has("health") {
            return None;
        }
        let probe = probe(read, "health");
        let wrong = ["socket", "tcp", "http", "exec", "path"]
            .iter()
            .any(|form| read.fields.has(&format!("health.{form}")));
        if probe.is_none() && !wrong {
            self.findings.error(
                self.at("health"),
                "`health` says nothing to try",
                "write one of: socket, tcp, http, exec, path",
            );
        }
        Some(Health {
            probe: probe?,
            every_ms: read.millis("health.every"),
            timeout_ms: read.millis("health.timeout"),
            failures: read.number("health.failures"),
            restart: read.flag("health.restart"),
        })
    }

    fn on_change(&mut self) -> OnChange {
        let text = self.read.text("on-change");
        if text == "reload" && !self.read.fields.has("reload") {
            self.findings.error(
                self.at("on-change"),
                "`on-change = \"reload\"`, but it cannot reload",
                "say how: reload = { signal = \"SIGHUP\" }, or choose \"restart\" or \"keep\"",
            );
        }
        match text.as_str() {
            "reload" => OnChange::Reload,
            "keep" => OnChange::Keep,
            _ => OnChange::Restart,
        }
    }

    fn run(&mut self) -> RunSpec {
        let read = self.read;
        let user = read.text("run.user");
        for path in ["run.group", "run.groups", "run.capabilities.ambient"] {
            if user.is_empty() && read.fields.has(path) && !read.fields.has("run.user") {
                self.findings.error(
                    self.at(path),
                    format!("`{path}` without `run.user`"),
                    "say who it runs as: user = \"root\", or another one",
                );
            }
        }
        let tty = read.text("run.tty");
        if !tty.is_empty() && read.fields.has("log.to") && read.text("log.to") != "none" {
            self.findings.error(
                self.at("log.to"),
                "its output goes to its terminal (`run.tty`), not to a log",
                "leave `log` out, or `run.tty`",
            );
        }
        if tty.is_empty() && read.fields.has("run.tty-reset") {
            self.findings.error(
                self.at("run.tty-reset"),
                "`run.tty-reset` without `run.tty`",
                "say which terminal: tty = \"/dev/tty1\"",
            );
        }
        let bounding = read.mask("run.capabilities.bounding");
        let ambient = read.mask("run.capabilities.ambient").unwrap_or(0);
        if bounding.is_some_and(|bounding| ambient & !bounding != 0) {
            self.findings.error(
                self.at("run.capabilities.ambient"),
                "an ambient capability is not in the bounding set",
                "add it to `run.capabilities.bounding`",
            );
        }
        RunSpec {
            user: (!user.is_empty()).then(|| UserSpec {
                user,
                group: read.text("run.group"),
                groups: read.fields.has("run.groups").then(|| read.texts("run.groups")),
            }),
            cwd: read.text("run.cwd"),
            umask: read.mode("run.umask"),
            nice: read.fields.has("run.nice").then(|| read.number("run.nice")),
            oom_score_adj: read
                .fields
                .has("run.oom-score-adj")
                .then(|| read.number("run.oom-score-adj")),
            limits: read.limits("run.limits"),
            capabilities: (bounding.is_some() || ambient != 0)
                .then_some(CapabilitySet { bounding, ambient }),
            no_new_privs: read.flag("run.no-new-privs"),
            tty: (!tty.is_empty())
                .then(|| TtySpec { path: tty, reset: read.flag("run.tty-reset") }),
            mounts: mounts(read),
            directories: read.texts("run.directories"),
        }
    }

    fn log(&mut self) -> LogSpec {
        let read = self.read;
        let to = match read.text("log.to").as_str() {
            "none" => LogTo::None,
            "console" => LogTo::Console,
            // A terminal is its own output.
            _ if read.fields.has("run.tty") => LogTo::None,
            // A consumer is filled in when names are resolved.
            _ => LogTo::Files,
        };
        let spec = LogSpec {
            to,
            file_size_max: read.wide("log.file-size-max"),
            files_max: read.number("log.files-max"),
            age_max_s: read.wide("log.age-max"),
            quota: read.wide("log.quota"),
            rate_max: read.number("log.rate-max"),
            timestamps: read.flag("log.timestamps"),
            block: read.flag("log.block"),
        };
        if spec.file_size_max > spec.quota {
            let at = if read.fields.has("log.quota") { "log.quota" } else { "log.file-size-max" };
            self.findings.error(
                self.at(at),
                "`log.quota` is smaller than one file (`log.file-size-max`)",
                "raise the quota or make the files smaller",
            );
        }
        if spec.file_size_max < FILE_SIZE_MIN && read.fields.has("log.file-size-max") {
            self.findings.error(
                self.at("log.file-size-max"),
                "such a file would be rotated with every line",
                "write at least \"4K\"",
            );
        }
        spec
    }

    fn conditions(&mut self) -> Vec<Condition> {
        type Test = fn(String) -> ConditionTest;
        let tests: [(&str, Test); 5] = [
            ("condition.kernel-command-line", ConditionTest::KernelCommandLine),
            ("condition.path-exists", ConditionTest::PathExists),
            ("condition.virtualization", ConditionTest::Virtualization),
            ("condition.architecture", ConditionTest::Architecture),
            ("condition.hardware", ConditionTest::Hardware),
        ];
        let mut conditions = Vec::new();
        for (path, test) in tests {
            for Named { name, at } in self.read.named(path) {
                let (negated, text) = match name.strip_prefix('!') {
                    Some(text) => (true, text),
                    None => (false, name.as_str()),
                };
                match check_condition(path, text) {
                    Ok(()) => conditions.push(Condition { negated, test: test(text.to_string()) }),
                    Err(wrong) => {
                        self.findings.error(at, format!("`{path}`: {}", wrong.message), wrong.help);
                    }
                }
            }
        }
        conditions
    }
}

const FILE_SIZE_MIN: u64 = 4096;

fn check_condition(path: &str, text: &str) -> Result<(), units::Wrong> {
    if text.is_empty() {
        return units::wrong("an empty condition", "write what must hold, or leave the key out");
    }
    match path {
        "condition.path-exists" => units::path(text).map(drop),
        "condition.virtualization" if !matches!(text, "vm" | "container" | "none") => units::wrong(
            format!("`{text}` is not known here"),
            "write \"vm\", \"container\" or \"none\" (bare metal)",
        ),
        "condition.architecture" => match text {
            "amd64" | "x86-64" => {
                units::wrong(format!("`{text}` is another one's word"), "write \"x86_64\"")
            }
            "arm64" => units::wrong("`arm64` is another one's word", "write \"aarch64\""),
            _ => Ok(()),
        },
        "condition.kernel-command-line" if text.contains(char::is_whitespace) => {
            units::wrong(format!("`{text}` is more than one word"), "write a list of words")
        }
        _ => Ok(()),
    }
}

fn probe(read: Typed<'_>, table: &str) -> Option<Probe> {
    let given = |key: &str| read.fields.given(&format!("{table}.{key}"));
    let text = |key: &str| match given(key) {
        Some(Parsed::Text(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(Parsed::Http { address, host, path }) = given("http") {
        let (address, host, path) = (address.clone(), host.clone(), path.clone());
        return Some(Probe::Http { address, host, path });
    }
    if given("exec").is_some() {
        return Some(Probe::Exec(read.texts(&format!("{table}.exec"))));
    }
    text("socket")
        .map(Probe::Unix)
        .or_else(|| text("tcp").map(Probe::Tcp))
        .or_else(|| text("path").map(Probe::Path))
}

fn environment(read: Typed<'_>) -> Environment {
    let pairs = read.pairs("environment");
    let mut variables: Vec<(String, String)> =
        pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect();
    if !variables.iter().any(|(name, _)| name == "PATH") {
        variables.insert(0, ("PATH".to_string(), graph::PATH.to_string()));
    }
    Environment { variables, files: read.texts("env-file") }
}

fn cgroup(read: Typed<'_>, name: &str) -> CgroupSpec {
    let path = read.text("cgroup.path");
    let settings = read.pairs("cgroup").iter();
    CgroupSpec {
        path: if path.is_empty() { format!("system/{name}") } else { path },
        delegate: read.flag("cgroup.delegate"),
        settings: settings.map(|pair| (pair.name.clone(), pair.value.clone())).collect(),
    }
}

/// From the shortest target to the longest, so that a mount in a mount comes second.
fn mounts(read: Typed<'_>) -> Vec<MountSpec> {
    let paths = |key: &str| read.texts(&format!("run.mounts.{key}")).into_iter();
    let binds = paths("bind").filter_map(|text| {
        let (source, target) = text.split_once(':')?;
        Some(MountSpec::Bind { source: source.to_string(), target: target.to_string() })
    });
    let mut mounts: Vec<MountSpec> = paths("read-only")
        .map(MountSpec::ReadOnly)
        .chain(binds)
        .chain(paths("tmpfs").map(MountSpec::Tmpfs))
        .chain(paths("inaccessible").map(MountSpec::Inaccessible))
        .collect();
    mounts.sort_by_key(|mount| match mount {
        MountSpec::Bind { target, .. } => target.len(),
        MountSpec::Tmpfs(path) | MountSpec::ReadOnly(path) | MountSpec::Inaccessible(path) => {
            path.len()
        }
    });
    mounts
}
