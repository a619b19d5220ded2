//! What two entries about the same thing make, kind by kind.

use std::collections::BTreeMap;

use super::{Entry, Said, Side, Tell};
use crate::entry::{
    Binary, Cgroup, Check, File, KernelOptions, Module, Mount, Port, Protocol, Service, Sysctl,
};

/// Why an entry is there, and who wants it: the same three fields in each kind.
macro_rules! said {
    () => {
        fn said(&mut self) -> Said<'_> {
            Said { why: &mut self.why, source: &mut self.source, by: &mut self.by }
        }

        fn by(&self) -> &[String] {
            &self.by
        }
    };
}

impl Entry for Module {
    type Key = String;

    /// For the kernel, `-` and `_` are the same in a module's name.
    fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    fn absorb(&mut self, other: &Self, tell: &mut Tell<'_>) {
        self.optional &= other.optional;
        match words(&self.options, &other.options, ' ') {
            Ok(options) => self.options = options,
            Err((ours, theirs)) => tell.contradiction(
                &format!("the option of the module `{}`", self.name),
                &[
                    side(&self.by, &ours, &self.why, &self.source),
                    side(&other.by, &theirs, &other.why, &other.source),
                ],
            ),
        }
    }

    said!();
}

/// Merged by a rule of its own; see `merge::sysctl`.
impl Entry for Sysctl {
    type Key = (bool, String);

    /// Patterns first: what names a key alone counts more.
    fn key(&self) -> (bool, String) {
        (!self.key.contains('*'), self.key.clone())
    }

    fn absorb(&mut self, other: &Self, _: &mut Tell<'_>) {
        self.optional &= other.optional;
        if self.module.is_none() {
            self.module.clone_from(&other.module);
        }
    }

    said!();
}

impl Entry for Mount {
    type Key = String;

    fn key(&self) -> String {
        self.at.clone()
    }

    fn absorb(&mut self, other: &Self, tell: &mut Tell<'_>) {
        let differing = |what: &str, ours: &str, theirs: &str, tell: &mut Tell<'_>| {
            tell.contradiction(
                &format!("{what} on {}", other.at),
                &[
                    side(&self.by, ours, &self.why, &self.source),
                    side(&other.by, theirs, &other.why, &other.source),
                ],
            );
        };
        let any = |mount: &Self| mount.fstype == "any";
        if self.fstype != other.fstype && !any(self) && !any(other) {
            differing("what is mounted", &self.fstype, &other.fstype, tell);
        }
        if let (Some(ours), Some(theirs)) = (&self.device, &other.device) {
            if ours != theirs {
                differing("what is mounted", ours, theirs, tell);
            }
        }
        if let (Some(ours), Some(theirs)) = (&self.mode, &other.mode) {
            if ours != theirs {
                differing("the mode of what is mounted", ours, theirs, tell);
            }
        }
        match words(&self.options, &other.options, ',') {
            Ok(options) => self.options = options,
            Err((ours, theirs)) => differing("the mount option", &ours, &theirs, tell),
        }
        if any(self) {
            self.fstype.clone_from(&other.fstype);
        }
        self.device = self.device.take().or_else(|| other.device.clone());
        self.mode = self.mode.take().or_else(|| other.mode.clone());
        self.shared |= other.shared;
        self.optional &= other.optional;
    }

    said!();
}

impl Entry for Cgroup {
    type Key = String;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn absorb(&mut self, other: &Self, tell: &mut Tell<'_>) {
        for (file, value) in &other.set {
            let ours = self.set.entry(file.clone()).or_insert_with(|| value.clone());
            if ours != value {
                tell.contradiction(
                    &format!("`{file}` of the cgroup {}", self.path),
                    &[
                        side(&self.by, ours, &self.why, &self.source),
                        side(&other.by, value, &other.why, &other.source),
                    ],
                );
            }
        }
    }

    said!();
}

impl Entry for Service {
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn absorb(&mut self, other: &Self, _: &mut Tell<'_>) {
        self.required |= other.required;
    }

    said!();
}

impl Entry for Check {
    /// Asked with other words, it is another question.
    type Key = (String, BTreeMap<String, String>);

    fn key(&self) -> Self::Key {
        (self.id.clone(), self.with.clone())
    }

    fn absorb(&mut self, other: &Self, _: &mut Tell<'_>) {
        self.severity = self.severity.max(other.severity);
        add_line(&mut self.fix, &other.fix);
    }

    said!();
}

impl Entry for KernelOptions {
    type Key = Vec<String>;

    fn key(&self) -> Vec<String> {
        self.options.clone()
    }

    fn absorb(&mut self, other: &Self, _: &mut Tell<'_>) {
        self.severity = self.severity.max(other.severity);
    }

    said!();
}

impl Entry for Binary {
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn absorb(&mut self, other: &Self, _: &mut Tell<'_>) {
        self.severity = self.severity.max(other.severity);
        self.not_busybox |= other.not_busybox;
        for (distribution, package) in &other.package {
            self.package.entry(distribution.clone()).or_insert_with(|| package.clone());
        }
    }

    said!();
}

impl Entry for Port {
    type Key = (Protocol, u16);

    fn key(&self) -> (Protocol, u16) {
        (self.protocol, self.port)
    }

    /// Two daemons cannot have one port; one daemon may have several names.
    fn absorb(&mut self, other: &Self, tell: &mut Tell<'_>) {
        self.severity = self.severity.max(other.severity);
        let known = self.owner.iter().any(|owner| other.owner.contains(owner));
        if !known && !self.owner.is_empty() && !other.owner.is_empty() {
            let owner = |port: &Self| format!("that of {}", port.owner.join(" or "));
            tell.contradiction(
                &format!("port {}/{}", self.port, protocol(self.protocol)),
                &[
                    side(&self.by, &owner(self), &self.why, &self.source),
                    side(&other.by, &owner(other), &other.why, &other.source),
                ],
            );
        }
        self.owner.extend(other.owner.iter().cloned());
        self.owner.sort();
        self.owner.dedup();
    }

    said!();
}

impl Entry for File {
    type Key = String;

    fn key(&self) -> String {
        self.path.clone()
    }

    fn absorb(&mut self, other: &Self, tell: &mut Tell<'_>) {
        if self.absent != other.absent {
            let wants = |file: &Self| if file.absent { "absent" } else { "there" };
            tell.contradiction(
                &self.path,
                &[
                    side(&self.by, wants(self), &self.why, &self.source),
                    side(&other.by, wants(other), &other.why, &other.source),
                ],
            );
        }
        self.severity = self.severity.max(other.severity);
        add_line(&mut self.fix, &other.fix);
    }

    said!();
}

pub(super) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

fn side<'a>(by: &'a [String], wants: &str, why: &'a str, source: &'a str) -> Side<'a> {
    Side { by, wants: wants.to_string(), why, source }
}

/// What else helps, unless it has been said.
fn add_line(text: &mut String, more: &str) {
    if !text.contains(more) {
        text.push_str("; ");
        text.push_str(more);
    }
}

/// The options of both, sorted; or two that exclude each other: the same key with two values, or
/// a word and its opposite (`exec`, `noexec`; `ro`, `rw`).
fn words(ours: &str, theirs: &str, separator: char) -> Result<String, (String, String)> {
    let split = |text: &'_ str| -> Vec<String> {
        let words = text.split(separator).map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_string).collect()
    };
    let (mut ours, theirs) = (split(ours), split(theirs));
    for word in &theirs {
        if let Some(enemy) = ours.iter().find(|our| *our != word && meaning(our) == meaning(word)) {
            return Err((enemy.clone(), word.clone()));
        }
    }
    ours.extend(theirs);
    ours.sort();
    ours.dedup();
    Ok(ours.join(&separator.to_string()))
}

/// What a word decides; of two words that decide the same, only one can be had.
fn meaning(word: &str) -> &str {
    match word {
        "ro" | "rw" => "ro",
        word => match word.split_once('=') {
            Some((key, _)) => key,
            None => word.strip_prefix("no").unwrap_or(word),
        },
    }
}
