//! What daemons inherit, and what makes them think that another init runs.

use std::io::ErrorKind;

use super::{Case, daemon::DAEMONS};
use crate::{
    finding::Verdict,
    system::{Process, System},
};

/// Files that containers may need open.
pub fn nofile_limit(case: &Case<'_>) -> Verdict {
    let minimum = case.with.number("minimum");
    let most = case.system.sysctl("fs.nr_open").and_then(|text| text.parse::<u64>().ok());
    if let Some(most) = most.filter(|most| *most < minimum) {
        return Verdict::fails(format!("fs.nr_open is {most}: no process can have {minimum}"))
            .fix(format!("sysctl -w fs.nr_open={minimum}"));
    }
    let mut seen = Vec::new();
    for process in heirs(case.system) {
        let Some(limit) = process.nofile_max(case.system) else { continue };
        let found = format!("{} {limit}", process.name);
        if limit < minimum {
            return Verdict::fails(format!("{found}, and {minimum} are needed"));
        }
        seen.push(found);
    }
    if seen.is_empty() {
        return Verdict::DoesNotApply("nothing runs that containers inherit from".into());
    }
    Verdict::Holds(seen.join(", "))
}

/// Those whose limits containers get. Under Cooper each service has its own, whatever init has;
/// under another init services have init's.
fn heirs(system: &System) -> Vec<&Process> {
    let is_ours = system.exists("/run/cooper");
    let inherits = |process: &&Process| {
        DAEMONS.contains(&process.name.as_str()) || (process.pid == "1" && !is_ours)
    };
    system.processes().iter().filter(inherits).collect()
}

/// Nobody tells k3s and containerd that systemd runs, unless it does.
pub fn of_systemd(case: &Case<'_>) -> Verdict {
    if case.system.processes().iter().any(|it| it.pid == "1" && it.name == "systemd") {
        return Verdict::DoesNotApply("systemd runs this machine".into());
    }
    let mut is_hidden = false;
    for process in heirs_and_init(case.system) {
        match process.environment(case.system) {
            Ok(words) if words.iter().any(|word| is_invocation(word)) => {
                let found = format!("{} has INVOCATION_ID in its environment", process.name);
                return Verdict::fails(found);
            }
            Ok(_) => {}
            Err(error) => is_hidden |= error.kind() == ErrorKind::PermissionDenied,
        }
    }
    if case.system.exists("/run/systemd/system") {
        return Verdict::fails("/run/systemd/system is there");
    }
    if is_hidden {
        return Verdict::NeedsRoot("environments of daemons are for root".into());
    }
    Verdict::Holds("no INVOCATION_ID, no /run/systemd/system".into())
}

fn heirs_and_init(system: &System) -> impl Iterator<Item = &Process> {
    let is_asked =
        |process: &&Process| DAEMONS.contains(&process.name.as_str()) || process.pid == "1";
    system.processes().iter().filter(is_asked)
}

/// An empty one is as good as none.
fn is_invocation(word: &str) -> bool {
    word.strip_prefix("INVOCATION_ID=").is_some_and(|value| !value.is_empty())
}

/// The kernel starts no program for each event of a device.
pub fn uevent_helper(case: &Case<'_>) -> Verdict {
    match case.system.sysctl("kernel.hotplug").filter(|helper| !helper.is_empty()) {
        Some(helper) => Verdict::fails(format!("kernel.hotplug is {helper}")),
        None => Verdict::Holds("there is none".into()),
    }
}

/// What AppArmor needs in order to be of use, where the kernel has it on.
pub fn apparmor(case: &Case<'_>) -> Verdict {
    let enabled = case.system.word("/sys/module/apparmor/parameters/enabled");
    if enabled.as_deref() != Some("Y") {
        return Verdict::Holds("AppArmor is off".into());
    }
    match case.system.program("apparmor_parser") {
        Some(path) => Verdict::Holds(path),
        None => Verdict::fails("AppArmor is on, and there is no apparmor_parser"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ask;
    use super::*;
    use crate::system::testing::Machine;

    fn limits(hard: &str) -> String {
        format!(
            "Limit                     Soft Limit           Hard Limit           Units\n\
             Max open files            1024                 {hard}               files\n"
        )
    }

    #[test]
    fn limits_that_containers_inherit_are_looked_at() {
        let with = [("minimum", "524288")];
        let ask = |machine: Machine| ask("nofile-limit", &machine, &with);
        let of = |pid: u32, name: &str, hard: &str| {
            Machine::new().process(pid, name).file(&format!("/proc/{pid}/limits"), &limits(hard))
        };
        assert_eq!(ask(of(7, "containerd", "524288")), Verdict::Holds("containerd 524288".into()));
        let found = "containerd 4096, and 524288 are needed";
        assert_eq!(ask(of(7, "containerd", "4096")), Verdict::fails(found));
        assert!(matches!(ask(of(7, "containerd", "unlimited")), Verdict::Holds(_)));
        assert!(matches!(ask(of(7, "sshd", "4096")), Verdict::DoesNotApply(_)));
        assert!(matches!(ask(of(1, "init", "4096")), Verdict::Fails(_)));
        let ours = of(1, "init", "4096").directory("/run/cooper");
        assert!(matches!(ask(ours), Verdict::DoesNotApply(_)));
        let few = of(7, "containerd", "524288").file("/proc/sys/fs/nr_open", "1024\n");
        assert!(matches!(ask(few), Verdict::Fails(_)));
    }

    #[test]
    fn traces_of_systemd_are_found() {
        let ask = |machine: Machine| ask("no-systemd-traces", &machine, &[]);
        let of = |environment: &str| {
            Machine::new()
                .process(1, "init")
                .process(7, "k3s-server")
                .file("/proc/7/environ", environment)
        };
        assert!(matches!(ask(of("PATH=/bin\0INVOCATION_ID=\0")), Verdict::Holds(_)));
        let found = "k3s-server has INVOCATION_ID in its environment";
        assert_eq!(ask(of("INVOCATION_ID=0123\0")), Verdict::fails(found));
        let directory = of("").directory("/run/systemd/system");
        assert_eq!(ask(directory), Verdict::fails("/run/systemd/system is there"));
        let systemd = Machine::new().process(1, "systemd").directory("/run/systemd/system");
        assert!(matches!(ask(systemd), Verdict::DoesNotApply(_)));
    }

    #[test]
    fn a_helper_for_events_is_found() {
        let helper = |text| {
            ask("uevent-helper", &Machine::new().file("/proc/sys/kernel/hotplug", text), &[])
        };
        assert!(matches!(helper("\n"), Verdict::Holds(_)));
        assert_eq!(helper("/sbin/mdev\n"), Verdict::fails("kernel.hotplug is /sbin/mdev"));
        assert!(matches!(ask("uevent-helper", &Machine::new(), &[]), Verdict::Holds(_)));
    }

    #[test]
    fn apparmor_comes_with_its_parser() {
        let on = || Machine::new().file("/sys/module/apparmor/parameters/enabled", "Y\n");
        let ask = |machine: Machine| ask("apparmor", &machine, &[]);
        assert!(matches!(ask(Machine::new()), Verdict::Holds(_)));
        assert!(matches!(ask(on()), Verdict::Fails(_)));
        assert!(matches!(ask(on().program("/sbin/apparmor_parser")), Verdict::Holds(_)));
    }
}
