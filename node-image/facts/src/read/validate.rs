//! What the types of a table cannot say: names, paths, numbers, and that nothing stands twice.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Mistake;
use crate::{
    entry::{Binary, Cgroup, Check, Conflict, File, KernelOptions, Module, Mount, Port, Sysctl},
    hardware::Hardware,
    merge::Entry,
    profile::Profile,
};

pub(super) fn profile(profile: &Profile, text: &str) -> Vec<Mistake> {
    let mut look = Look::at(text);
    look.each("module", &profile.modules, module);
    look.each("blacklist", &profile.blacklist, module);
    look.each("sysctl", &profile.sysctls, sysctl);
    look.each("mount", &profile.mounts, mount);
    look.each("cgroup", &profile.cgroups, cgroup);
    look.each("service", &profile.services, |service| {
        vec![("name", word(&service.name, "a service", "._@:+-"))]
    });
    look.each("check", &profile.checks, check);
    look.each("kernel", &profile.kernel, kernel);
    look.each("binary", &profile.binaries, binary);
    look.each("port", &profile.ports, port);
    look.each("file", &profile.files, file);
    for (index, conflict) in profile.conflicts.iter().enumerate() {
        look.tell("conflict", index, conflicts(conflict));
    }
    look.mistakes
}

pub(super) fn hardware(target: &Hardware, text: &str) -> Vec<Mistake> {
    let mut look = Look::at(text);
    look.each("module", &target.modules, module);
    look.each("blacklist", &target.blacklist, module);
    let empty = |fields: &crate::Match| {
        let given = [&fields.vendor, &fields.product, &fields.board, &fields.cpu];
        let mut given = given.into_iter().chain([&fields.compatible]).flatten();
        given.clone().count() == 0 || given.any(|text| text.trim().is_empty())
    };
    for (index, fields) in target.matches.iter().enumerate() {
        let help = "write what the machine says of itself, or leave [[match]] out";
        let wrong = empty(fields).then(|| wrong("a match without a word matches anything", help));
        look.tell("match", index, vec![("", wrong)]);
    }
    look.mistakes
}

/// A message and what to do; none: it is right.
type Finding = Option<(String, String)>;

/// What was found of an entry, by the key that it is about; an empty key: the entry as a whole.
type Findings = Vec<(&'static str, Finding)>;

fn module(module: &Module) -> Findings {
    let options = module.options.split_whitespace().all(|word| word.contains('='));
    vec![
        ("name", word(&module.name, "a module", "_-")),
        ("options", unless(options, "an option is NAME=VALUE", "separate several with spaces")),
    ]
}

fn sysctl(sysctl: &Sysctl) -> Findings {
    let components = sysctl.key.split('.').all(|part| {
        part == "*"
            || (!part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "_-".contains(c)))
    });
    let number = sysctl.value.parse::<u64>().is_ok();
    vec![
        (
            "key",
            unless(
                components && sysctl.key.contains('.'),
                "not a kernel parameter",
                "write it with dots: net.ipv4.ip_forward; `*` stands for one component",
            ),
        ),
        (
            "at-least",
            unless(
                number || !sysctl.at_least,
                "only a number can be a least one",
                "leave `at-least` out, or write the other good values as `accept`",
            ),
        ),
    ]
}

fn mount(mount: &Mount) -> Findings {
    let octal = |mode: &String| u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o7777);
    let mode = mount.mode.as_ref().is_none_or(octal);
    vec![
        ("at", absolute(&mount.at)),
        ("fstype", word(&mount.fstype, "a file system", "._-")),
        ("mode", unless(mode, "not a mode", "write octal digits: \"0755\"")),
    ]
}

fn cgroup(cgroup: &Cgroup) -> Findings {
    let relative = !cgroup.path.is_empty()
        && cgroup.path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let files = cgroup.set.keys().all(|file| file.contains('.') && !file.contains('/'));
    vec![
        ("path", unless(relative, "not a cgroup's path", "write it without a leading `/`")),
        ("set", unless(files, "not a file of a cgroup", "write the kernel's: \"memory.min\"")),
    ]
}

fn check(check: &Check) -> Findings {
    vec![("id", word(&check.id, "a check", "-")), ("fix", said(&check.fix, "what to do"))]
}

fn kernel(kernel: &KernelOptions) -> Findings {
    let bare = kernel.options.iter().flat_map(|option| option.split('|')).all(|name| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty() && name.chars().all(plain) && !name.starts_with("CONFIG_")
    });
    vec![(
        "options",
        unless(
            bare && !kernel.options.is_empty(),
            "not options of the kernel",
            "write them without CONFIG_; `A|B` where one of them is enough",
        ),
    )]
}

fn binary(binary: &Binary) -> Findings {
    vec![("name", word(&binary.name, "a program", "._+-["))]
}

fn port(port: &Port) -> Findings {
    vec![("port", unless(port.port != 0, "no port", "write 1 to 65535"))]
}

fn file(file: &File) -> Findings {
    vec![("path", absolute(&file.path)), ("fix", said(&file.fix, "what to do"))]
}

fn conflicts(conflict: &Conflict) -> Findings {
    let ways = !conflict.ways_out.is_empty();
    vec![
        ("with", word(&conflict.with, "a profile", "-")),
        ("name", word(&conflict.name, "a conflict", "-")),
        ("ways-out", unless(ways, "no way out", "write what people do about it, best first")),
        ("why", said(&conflict.why, "why")),
        ("source", said(&conflict.source, "where that is written")),
    ]
}

fn wrong(message: &str, help: &str) -> (String, String) {
    (message.to_string(), help.to_string())
}

fn unless(right: bool, message: &str, help: &str) -> Finding {
    (!right).then(|| wrong(message, help))
}

fn said(text: &str, what: &str) -> Finding {
    unless(!text.trim().is_empty(), "this says nothing", &format!("say {what}"))
}

/// Letters, digits and what `others` holds.
fn word(text: &str, what: &str, others: &str) -> Finding {
    let right = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || others.contains(c));
    let others: String = others.chars().map(|c| format!(" {c}")).collect();
    let help = format!("write letters, digits and{others}");
    unless(right, &format!("not the name of {what}"), &help)
}

fn absolute(path: &str) -> Finding {
    let plain = path == "/"
        || path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..")));
    unless(plain, "not an absolute path", "begin it with `/`, without `.` and `..`")
}

/// A text in which entries are looked up again, to say where they stand.
struct Look<'a> {
    table: Spanned<DeTable<'a>>,
    mistakes: Vec<Mistake>,
}

impl<'a> Look<'a> {
    fn at(text: &'a str) -> Self {
        Self { table: DeTable::parse_recoverable(text).0, mistakes: Vec::new() }
    }

    /// Looks at all entries of a kind: each on its own, and that none stands twice.
    fn each<E: Entry>(&mut self, kind: &str, entries: &[E], look: impl Fn(&E) -> Findings) {
        let mut seen: BTreeMap<E::Key, usize> = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let mut findings = look(entry);
            let mut entry = entry.clone();
            let key = entry.key();
            let reason = entry.said();
            findings.push(("why", said(reason.why, "why it is there")));
            findings.push(("source", said(reason.source, "where that is written")));
            findings.push(("by", unless(reason.by.is_empty(), "not for files", "leave it out")));
            if seen.insert(key, index).is_some() {
                findings.push(("", Some(wrong("this stands twice", "make one entry of both"))));
            }
            self.tell(kind, index, findings);
        }
    }

    fn tell(&mut self, kind: &str, index: usize, findings: Findings) {
        for (key, finding) in findings {
            if let Some((message, help)) = finding {
                let span = self.place(kind, index, key);
                let what = if key.is_empty() { kind } else { key };
                self.mistakes.push(Mistake { span, message: format!("`{what}`: {message}"), help });
            }
        }
    }

    /// Where the key of an entry stands; else the entry; else the top of the file.
    fn place(&self, kind: &str, index: usize, key: &str) -> Range<usize> {
        let Some(DeValue::Array(entries)) = find(self.table.get_ref(), kind).map(Spanned::get_ref)
        else {
            return 0..0;
        };
        let Some(entry) = entries.get(index) else { return 0..0 };
        let DeValue::Table(fields) = entry.get_ref() else { return entry.span() };
        find(fields, key).map_or_else(|| entry.span(), Spanned::span)
    }
}

fn find<'t, 'a>(table: &'t DeTable<'a>, key: &str) -> Option<&'t Spanned<DeValue<'a>>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
}
