//! Tables of profiles: one for each kind of entry, in it one for each profile.

use facts::{Conflict, Library, Module, Profile, Protocol, Severity};

use crate::text::{cell, code, codes, grouped, reason, severity, table};

pub fn profiles(library: &Library) -> String {
    let rows = library.profiles.iter().map(|(name, profile)| {
        let includes = codes(profile.includes.iter().map(String::as_str));
        vec![code(name), cell(&profile.description), includes]
    });
    table(&["profile", "what it is", "includes"], rows)
}

/// Each conflict once, with its ways out.
pub fn conflicts(library: &Library) -> String {
    let of = |(name, profile): (&String, &Profile)| {
        let name = name.clone();
        profile.conflicts.clone().into_iter().map(move |conflict| explained(&name, &conflict))
    };
    library.profiles.iter().flat_map(of).collect::<Vec<_>>().join("\n")
}

fn explained(name: &str, conflict: &Conflict) -> String {
    let Conflict { with, severity: how_bad, why, ways_out, name: settled, source } = conflict;
    let settled = match how_bad {
        // Nobody is told, so nobody need silence it.
        Severity::Info => String::new(),
        Severity::Warning | Severity::Error => format!(", `settled = [\"{settled}\"]`"),
    };
    let how_bad = severity(*how_bad);
    let mut text = format!("**{name}** and **{with}** ({how_bad}{settled}): ");
    text.push_str(&format!("{}\n\n", reason(why, source)));
    for (way, number) in ways_out.iter().zip(1_u32..) {
        text.push_str(&format!("{number}. {}\n", way.replace('<', "&lt;")));
    }
    text
}

/// The rows of each profile, under its name.
fn each(
    library: &Library,
    heading: &[&str],
    rows: impl Fn(&Profile) -> Vec<Vec<String>>,
) -> String {
    let profiles = library.profiles.iter();
    grouped(heading, profiles.map(|(name, profile)| (name.as_str(), rows(profile))))
}

fn optional(optional: bool) -> &'static str {
    if optional { ", optional" } else { "" }
}

pub fn services(library: &Library) -> String {
    each(library, &["what", "why"], |profile| {
        let services = profile.services.iter().map(|service| {
            let required = if service.required { ", required" } else { "" };
            let what = format!("{}{required}", code(&service.name));
            vec![what, reason(&service.why, &service.source)]
        });
        services.collect()
    })
}

/// Those of hardware targets as well.
pub fn modules(library: &Library) -> String {
    let row = |off: bool, module: &Module| {
        let name = code(format!("{} {}", module.name, module.options).trim());
        let off = if off { "not " } else { "" };
        let what = format!("{off}{name}{}", optional(module.optional));
        vec![what, reason(&module.why, &module.source)]
    };
    let rows = |modules: &[Module], blacklist: &[Module]| -> Vec<Vec<String>> {
        let loaded = modules.iter().map(|module| row(false, module));
        loaded.chain(blacklist.iter().map(|module| row(true, module))).collect()
    };
    let profiles =
        each(library, &["what", "why"], |profile| rows(&profile.modules, &profile.blacklist));
    let targets = library.hardware.iter();
    let targets = targets.map(|(name, t)| (name.as_str(), rows(&t.modules, &t.blacklist)));
    let targets = grouped(&["what", "why"], targets);
    format!("{profiles}Of hardware targets:\n\n{targets}")
}

pub fn sysctls(library: &Library) -> String {
    each(library, &["what", "value", "why"], |profile| {
        let sysctls = profile.sysctls.iter().map(|sysctl| {
            let module = sysctl.module.as_ref().map(|module| format!(" (of {})", code(module)));
            let (key, optional) = (code(&sysctl.key), optional(sysctl.optional));
            let what = format!("{key}{optional}{}", module.unwrap_or_default());
            vec![what, cell(&sysctl.wish()), reason(&sysctl.why, &sysctl.source)]
        });
        sysctls.collect()
    })
}

pub fn mounts(library: &Library) -> String {
    each(library, &["what", "options", "why"], |profile| {
        let mounts = profile.mounts.iter().map(|mount| {
            let shared = if mount.shared { ", shared" } else { "" };
            let what = match mount.fstype.as_str() {
                "any" => code(&mount.at),
                fstype => format!("{}: {fstype}", code(&mount.at)),
            };
            let what = format!("{what}{shared}{}", optional(mount.optional));
            let options = mount.options.split(',').filter(|option| !option.is_empty());
            vec![what, options.collect::<Vec<_>>().join(", "), reason(&mount.why, &mount.source)]
        });
        mounts.collect()
    })
}

pub fn cgroups(library: &Library) -> String {
    each(library, &["what", "keys", "why"], |profile| {
        let cgroups = profile.cgroups.iter().map(|cgroup| {
            let set = cgroup.set.iter().map(|(file, value)| code(&format!("{file} = {value}")));
            let keys = set.collect::<Vec<_>>().join(" ");
            vec![code(&format!("/{}", cgroup.path)), keys, reason(&cgroup.why, &cgroup.source)]
        });
        cgroups.collect()
    })
}

pub fn ports(library: &Library) -> String {
    each(library, &["what", "whose", "why"], |profile| {
        let ports = profile.ports.iter().map(|port| {
            let protocol = match port.protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
            };
            let what = format!("{}/{protocol}, {}", port.port, severity(port.severity));
            let owner = codes(port.owner.iter().map(String::as_str));
            vec![what, owner, reason(&port.why, &port.source)]
        });
        ports.collect()
    })
}

pub fn binaries(library: &Library) -> String {
    each(library, &["what", "packages", "why"], |profile| {
        let binaries = profile.binaries.iter().map(|binary| {
            let busybox = if binary.not_busybox { ", not BusyBox'" } else { "" };
            let what = format!("{}, {}{busybox}", code(&binary.name), severity(binary.severity));
            let packages = binary.package.iter().map(|(of, name)| format!("{of}: {}", cell(name)));
            let packages = packages.collect::<Vec<_>>().join(", ");
            vec![what, packages, reason(&binary.why, &binary.source)]
        });
        binaries.collect()
    })
}

pub fn files(library: &Library) -> String {
    each(library, &["what", "why", "otherwise"], |profile| {
        let files = profile.files.iter().map(|file| {
            let absent = if file.absent { "not " } else { "" };
            let what = format!("{absent}{}, {}", code(&file.path), severity(file.severity));
            vec![what, reason(&file.why, &file.source), cell(&file.fix)]
        });
        files.collect()
    })
}

pub fn kernel(library: &Library) -> String {
    each(library, &["what", "how bad", "why"], |profile| {
        let kernel = profile.kernel.iter().map(|group| {
            let options = codes(group.options.iter().map(String::as_str));
            let how_bad = severity(group.severity).to_string();
            vec![options, how_bad, reason(&group.why, &group.source)]
        });
        kernel.collect()
    })
}

pub fn checks(library: &Library) -> String {
    each(library, &["what", "why", "otherwise"], |profile| {
        let checks = profile.checks.iter().map(|check| {
            let with = check.with.iter().map(|(key, value)| code(&format!("{key} = {value}")));
            let with = with.collect::<Vec<_>>().join(" ");
            let what = format!("{}, {}", code(&check.id), severity(check.severity));
            let what = if with.is_empty() { what } else { format!("{what}: {with}") };
            vec![what, reason(&check.why, &check.source), cell(&check.fix)]
        });
        checks.collect()
    })
}
