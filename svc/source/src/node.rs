//! `node.toml`: what one node is, and what it adds to its services.

use facts::{About, Choice, Settings, hostname};
use graph::{LimitSpec, Watchdog};

use crate::{
    budget::Budget,
    reader::{self, Fields, Typed},
    report::Findings,
    schema::{NODE, Named, Schema},
    text::At,
    tree::Found,
    value::{self, Value},
    watchdog,
};

/// What `node.toml` says.
pub(crate) struct NodeFile {
    /// The file as a whole.
    pub at: At,
    pub services: Vec<Named>,
    /// Services of profiles that this node leaves out.
    pub without: Vec<Named>,
    pub operators: Vec<String>,
    pub shutdown_budget: Budget,
    pub watchdog: Option<Watchdog>,
    /// Profiles, hardware and what they are told.
    pub choice: Choice,
    /// The words of the choice, and where they stand.
    words: Vec<(About, At)>,
}

impl NodeFile {
    pub fn read(found: &Found, findings: &mut Findings) -> Self {
        let schema = Schema::new(NODE);
        let mut value = match found.node {
            Some(file) => value::parse(&found.sources, file, findings).0,
            None => Value { at: At::NOWHERE, data: value::Data::Table(Vec::new()) },
        };
        reader::expand_shorthands(&schema, &mut value);
        let fields = reader::read(&schema, &value, findings);
        let read = Typed { schema: &schema, fields: &fields };
        Self {
            at: found.node.map_or(At::NOWHERE, At::top_of),
            services: read.named("services"),
            without: read.named("without"),
            operators: read.texts("control.operators"),
            shutdown_budget: match fields.has("shutdown.budget") {
                true => Budget::Given(read.millis("shutdown.budget")),
                false => Budget::AtLeast(read.millis("shutdown.budget")),
            },
            watchdog: watchdog::read(read, findings),
            choice: Choice {
                profiles: read.texts("profiles"),
                hardware: given(read, "hardware"),
                settled: read.texts("settled"),
                settings: settings(read, findings),
            },
            words: words(read, &fields),
        }
    }

    /// Where a word of the choice stands.
    pub fn place(&self, about: &About) -> At {
        self.words.iter().find(|(word, _)| word == about).map_or(self.at, |(_, at)| *at)
    }
}

/// What a key of text was given.
fn given(read: Typed<'_>, path: &str) -> Option<String> {
    read.fields.given(path).map(|_| read.text(path))
}

fn settings(read: Typed<'_>, findings: &mut Findings) -> Settings {
    let name = given(read, "setup.hostname");
    if let Some((message, help)) = name.as_deref().and_then(wrong_hostname) {
        let at = read.fields.value_at("setup.hostname").unwrap_or(At::NOWHERE);
        findings.error(at, format!("`setup.hostname`: {message}"), help);
    }
    let limits = read.limits("setup.limits");
    let sysctls = read.pairs("setup.sysctl");
    Settings {
        hostname: name,
        swap: read.flag("setup.swap"),
        rtc_is_local: read.text("setup.rtc") == "local",
        firmware: given(read, "setup.firmware"),
        limits: limits.iter().map(|limit| (limit.name.clone(), spelled(limit))).collect(),
        sysctl: sysctls.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect(),
    }
}

/// A limit as a service's `run.limits` spells it, in plain numbers.
fn spelled(limit: &LimitSpec) -> String {
    let number = |limit: u64| match limit {
        u64::MAX => "infinity".to_string(),
        limit => limit.to_string(),
    };
    format!("{}:{}", number(limit.soft), number(limit.hard))
}

/// What is wrong with a host's name, and what to write.
fn wrong_hostname(name: &str) -> Option<(String, String)> {
    let wrong = hostname::wrong(name)?;
    let lower = name.to_lowercase();
    let help = match hostname::wrong(&lower) {
        None => format!("write \"{lower}\""),
        Some(_) => format!(
            "write letters, digits and `-`, in labels parted by `.`, {} in all",
            hostname::NAME_MAX
        ),
    };
    Some((format!("`{name}` {wrong}"), help))
}

/// Every word of the choice and its place.
fn words(read: Typed<'_>, fields: &Fields) -> Vec<(About, At)> {
    let list = |path, about: fn(String) -> About| {
        let named = read.named(path).into_iter();
        named.map(move |Named { name, at }| (about(name), at))
    };
    let sysctls = read.pairs("setup.sysctl").iter();
    let hardware = fields.value_at("hardware").map(|at| (read.text("hardware"), at));
    list("profiles", About::Profile)
        .chain(list("settled", About::Settled))
        .chain(hardware.map(|(name, at)| (About::Hardware(name), at)))
        .chain(sysctls.map(|pair| (About::Sysctl(pair.name.clone()), pair.at)))
        .collect()
}
