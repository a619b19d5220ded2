//! What Longhorn asks of its host.

use std::os::{
    linux::net::SocketAddrExt as _,
    unix::net::{SocketAddr, UnixStream},
};

use super::Case;
use crate::finding::Verdict;

/// Where iscsid listens: no file, so nothing to look for.
const ISCSID: &[u8] = b"ISCSIADM_ABSTRACT_NAMESPACE";
/// What distributions ship for people to replace.
const EXAMPLES: [&str; 2] = ["iqn.1987-05.com.cisco:01.", "iqn.2005-03.org.open-iscsi:example"];

/// Running under its own name, which is what Longhorn looks for, and answering.
pub fn iscsid_running(case: &Case<'_>) -> Verdict {
    let name = case.system.processes().iter().map(|process| process.name.as_str());
    let mut named = name.filter(|name| name.contains("iscsid"));
    match named.next() {
        None => Verdict::fails("iscsid does not run"),
        Some("iscsid") => {
            let address = SocketAddr::from_abstract_name(ISCSID);
            let answers =
                || address.is_ok_and(|address| UnixStream::connect_addr(&address).is_ok());
            if case.system.is_running() && !answers() {
                return Verdict::fails("iscsid runs, and does not answer");
            }
            Verdict::Holds("iscsid runs".into())
        }
        Some(other) if other.starts_with('.') => {
            Verdict::fails(format!("iscsid runs as `{other}`, which Longhorn does not know"))
                .fix("run iscsid itself, not a wrapper that renames it")
        }
        Some(_) => Verdict::fails("iscsid does not run"),
    }
}

/// The initiator has a name, its own.
pub fn initiator_name(case: &Case<'_>) -> Verdict {
    let path = case.with.word("path");
    let text = match case.system.text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Verdict::NeedsRoot(format!("{path} is for root"));
        }
        Err(_) => return Verdict::fails(format!("there is no {path}")),
    };
    let name = text.lines().find_map(|line| line.trim().strip_prefix("InitiatorName="));
    let Some(name) = name.map(str::trim).filter(|name| name.starts_with("iqn.")) else {
        return Verdict::fails(format!("{path} has no line InitiatorName=iqn.…"));
    };
    if EXAMPLES.contains(&name) {
        return Verdict::fails(format!("{name} is an example, which others have as well"));
    }
    Verdict::Holds(name.into())
}

/// Nobody of that name runs.
pub fn no_process(case: &Case<'_>) -> Verdict {
    let name = case.with.word("name");
    match case.system.processes_named(name).next() {
        Some(process) => Verdict::fails(format!("{name} runs (process {})", process.pid)),
        None => Verdict::Holds(format!("no {name} runs")),
    }
}

/// Nobody has chosen an old version of NFS for all mounts.
pub fn nfs_mount_version(case: &Case<'_>) -> Verdict {
    let (path, minimum) = (case.with.word("path"), case.with.number("minimum"));
    let text = case.system.text(path).unwrap_or_default();
    let old = text.lines().find_map(|line| {
        let (key, value) = line.split('#').next()?.split_once('=')?;
        let key = key.trim();
        let is_version =
            ["Defaultvers", "Nfsvers"].iter().any(|name| name.eq_ignore_ascii_case(key));
        let major = value.trim().split('.').next()?.parse::<u64>().ok()?;
        (is_version && major < minimum).then(|| line.trim().to_owned())
    });
    match old {
        Some(line) => Verdict::fails(format!("{path} says {line}")),
        None => Verdict::Holds(format!("{path} does not ask for less than {minimum}")),
    }
}

/// The processor has one of these.
pub fn cpu_features(case: &Case<'_>) -> Verdict {
    let text = case.system.text("/proc/cpuinfo").unwrap_or_default();
    let features = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        matches!(key.trim(), "flags" | "Features").then_some(value)
    });
    let Some(features) = features else {
        return Verdict::Unknown("/proc/cpuinfo does not say".into());
    };
    match case.with.words("any").find(|any| features.split_whitespace().any(|has| has == *any)) {
        Some(feature) => Verdict::Holds(feature.into()),
        None => Verdict::fails(format!("the processor has none of: {}", case.with.word("any"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ask, fault};
    use super::*;
    use crate::system::testing::Machine;

    #[test]
    fn iscsid_runs_under_its_own_name() {
        let running = |name| ask("iscsid-running", &Machine::new().process(7, name), &[]);
        assert_eq!(running("iscsid"), Verdict::Holds("iscsid runs".into()));
        assert_eq!(running("sshd"), Verdict::fails("iscsid does not run"));
        let found = "iscsid runs as `.iscsid-wrapped`, which Longhorn does not know";
        assert_eq!(fault(running(".iscsid-wrapped")).found, found);
    }

    #[test]
    fn an_initiator_has_a_name_of_its_own() {
        let with = [("path", "/etc/iscsi/initiatorname.iscsi")];
        let named = |text| ask("initiator-name", &Machine::new().file(with[0].1, text), &with);
        let name = "iqn.2004-10.com.ubuntu:01:9aa2c1f0";
        let text = format!("## comment\nInitiatorName={name}\n");
        assert_eq!(named(&text), Verdict::Holds(name.into()));
        assert!(
            fault(named("InitiatorName=iqn.1987-05.com.cisco:01.\n")).found.contains("example")
        );
        assert!(fault(named("#InitiatorName=iqn.x\n")).found.contains("no line"));
        assert!(fault(named("GenerateName=yes\n")).found.contains("no line"));
        let none = ask("initiator-name", &Machine::new(), &with);
        assert_eq!(fault(none).found, "there is no /etc/iscsi/initiatorname.iscsi");
    }

    #[test]
    fn who_must_not_run_is_found() {
        let with = [("name", "multipathd")];
        let ask = |machine: Machine| ask("no-process", &machine, &with);
        assert_eq!(ask(Machine::new()), Verdict::Holds("no multipathd runs".into()));
        let found = "multipathd runs (process 9)";
        assert_eq!(ask(Machine::new().process(9, "multipathd")), Verdict::fails(found));
    }

    #[test]
    fn an_old_version_of_nfs_is_found() {
        let with = [("path", "/etc/nfsmount.conf"), ("minimum", "4")];
        let ask = |text| ask("nfs-mount-version", &Machine::new().file(with[0].1, text), &with);
        for good in ["", "# Nfsvers=3\n", "Nfsvers=4.2\n", "Defaultvers = 4\n", "Port=3\n"] {
            assert!(matches!(ask(good), Verdict::Holds(_)), "{good}");
        }
        let found = "/etc/nfsmount.conf says Nfsvers = 3";
        assert_eq!(
            ask("[ NFSMount_Global_Options ]\nNfsvers = 3 # old\n"),
            Verdict::fails(format!("{found} # old"))
        );
        assert!(matches!(ask("defaultvers=3\n"), Verdict::Fails(_)));
    }

    #[test]
    fn one_feature_is_enough() {
        let with = [("any", "sse4_2 asimd")];
        let ask = |text| ask("cpu-features", &Machine::new().file("/proc/cpuinfo", text), &with);
        assert_eq!(ask("flags\t\t: fpu sse4_2\n"), Verdict::Holds("sse4_2".into()));
        assert_eq!(ask("Features\t: fp asimd\n"), Verdict::Holds("asimd".into()));
        let found = "the processor has none of: sse4_2 asimd";
        assert_eq!(ask("flags\t\t: fpu sse4_1\n"), Verdict::fails(found));
        assert!(matches!(ask(""), Verdict::Unknown(_)));
    }
}
