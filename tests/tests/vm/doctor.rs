//! `svc doctor` on a real node: healthy, with faults planted, set up again, and mended. Each step
//! says its rule first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::guest::Guest;

/// Profiles of which much holds here, and whose faults can be planted.
const PROFILES: &str = "-p kubelet -p kube-proxy -p cilium";

/// How a finding stands, by its name.
type Findings = BTreeMap<String, String>;

struct Fault {
    /// Who finds it.
    id: &'static str,
    /// What else is then not as it was.
    also: &'static [&'static str],
    plant: &'static str,
    /// What a person does; none: set-up sees to it.
    mend: Option<&'static str>,
}

const fn owned(id: &'static str, plant: &'static str) -> Fault {
    Fault { id, also: &[], plant, mend: None }
}

const fn foreign(id: &'static str, plant: &'static str, mend: &'static str) -> Fault {
    Fault { id, also: &[], plant, mend: Some(mend) }
}

/// Whoever has set the clock, it is not synchronised any more.
const UNSYNCHRONISED: &[&str] = &["time-synchronised"];

/// The clock comes last: nothing else is to happen in another century.
const FAULTS: &[Fault] = &[
    Fault { also: &["mount:/var/lib/kubelet"], ..owned("mount:/", "mount --make-private /") },
    owned("sysctl:net.ipv4.conf.all.rp_filter", "sysctl -w net.ipv4.conf.all.rp_filter=1"),
    // It is the sum of those of all interfaces, and sets them.
    Fault {
        also: &["sysctl:net.ipv4.conf.all.forwarding", "sysctl:net.ipv4.conf.default.forwarding"],
        ..owned("sysctl:net.ipv4.ip_forward", "sysctl -w net.ipv4.ip_forward=0")
    },
    owned("sysctl:kernel.panic", "sysctl -w kernel.panic=120"),
    Fault {
        also: &[
            "sysctl:net.bridge.bridge-nf-call-iptables",
            "sysctl:net.bridge.bridge-nf-call-ip6tables",
            "sysctl:net.bridge.bridge-nf-call-arptables",
        ],
        ..owned("module:br_netfilter", "modprobe -r br_netfilter")
    },
    // A group below has it only while the one above gives it.
    owned(
        "cgroup-controllers",
        "cd /sys/fs/cgroup
         for given in $(find . -mindepth 2 -name cgroup.subtree_control | sort -r); do
           if grep -qw io $given; then echo -io > $given; fi
         done
         echo -io > cgroup.subtree_control",
    ),
    foreign(
        "single-containerd",
        "(containerd < /dev/null > /dev/null 2>&1 & echo $! > /tmp/second)",
        "kill -9 $(cat /tmp/second); until [ ! -e /proc/$(cat /tmp/second) ]; do :; done",
    ),
    foreign(
        "swap",
        "printf 'Filename Type Size Used Priority\\n/dev/planted partition 1 0 -2\\n' > /tmp/swaps
         mount --bind /tmp/swaps /proc/swaps",
        "umount /proc/swaps",
    ),
    foreign(
        "memory-cgroup-cmdline",
        "echo cgroup_disable=memory > /tmp/cmdline; mount --bind /tmp/cmdline /proc/cmdline",
        "umount /proc/cmdline",
    ),
    Fault {
        also: &["firmware-missing"],
        ..foreign("file:/dev/kmsg", "mv /dev/kmsg /dev/away", "mv /dev/away /dev/kmsg")
    },
    Fault {
        also: &["no-systemd-traces"],
        ..foreign(
            "file:/run/systemd/system",
            "mkdir -p /run/systemd/system",
            "rmdir -p /run/systemd/system || true",
        )
    },
    foreign(
        "port:10250/tcp",
        "(/usr/sbin/sshd -D -p 10250 -o PidFile=none < /dev/null > /dev/null 2>&1 &
          echo $! > /tmp/listener)
         until grep -q ':280A 0' /proc/net/tcp /proc/net/tcp6; do :; done",
        "kill -9 $(cat /tmp/listener); until [ ! -e /proc/$(cat /tmp/listener) ]; do :; done",
    ),
    owned("hostname", "echo Not_A_Name > /proc/sys/kernel/hostname"),
    foreign(
        "cgroup-driver",
        "mkdir -p /var/lib/kubelet; echo cgroupDriver: systemd > /var/lib/kubelet/config.yaml",
        "rm /var/lib/kubelet/config.yaml",
    ),
    foreign(
        "sysctl-overridden",
        "mkdir -p /usr/lib/sysctl.d; echo kernel.panic = 120 > /usr/lib/sysctl.d/00-alpine.conf",
        "rm /usr/lib/sysctl.d/00-alpine.conf",
    ),
    Fault { also: UNSYNCHRONISED, ..owned("clock-plausible", "date -s @978307200") },
];

/// What an installation does on any machine.
pub fn install(guest: &mut Guest) {
    guest.run("echo node > /etc/hostname && echo node > /proc/sys/kernel/hostname");
    guest.run("grep -q 'node$' /etc/hosts || echo 127.0.1.1 node >> /etc/hosts");
    guest.run("[ -s /etc/machine-id ] || tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id");
}

/// A node that is set up has no error; what set-up could do is done.
pub fn a_healthy_node_has_no_errors(guest: &mut Guest) {
    let (status, report) = examine(guest, "-p base --fix");
    assert_ne!(status, 1, "{report:#}");
    assert_eq!(report["summary"]["error"], 0, "{report:#}");
    let left = report["findings"].as_array().expect("a list").iter();
    let left: Vec<_> = left.filter(|finding| finding.get("set_up").is_some()).collect();
    assert!(left.is_empty(), "{left:#?}");
}

/// On a node of a profile nothing is left to do that set-up sees to. What the hardware that is
/// recognised wants beside it nobody has told set-up: `node.toml` names none.
pub fn nothing_is_left_to_set_up(guest: &mut Guest, profile: &str) {
    let (_, report) = examine(guest, &format!("-p {profile}"));
    let findings = report["findings"].as_array().expect("a list");
    let of_profiles = |finding: &&Value| {
        let mut by = finding["by"].as_array().expect("a list").iter();
        by.any(|by| by.as_str().is_some_and(|by| !by.starts_with("hardware ")))
    };
    let left: Vec<_> =
        findings.iter().filter(|it| it.get("set_up").is_some()).filter(of_profiles).collect();
    assert!(left.is_empty(), "{left:#?}");
    // The kernel's configuration is there to be read.
    assert_eq!(finding(&report, "kernel-config")["status"], "ok");
    let unknown: Vec<_> = findings
        .iter()
        .filter(|it| it["id"].as_str().is_some_and(|id| id.starts_with("kernel:")))
        .filter(|it| it["status"] == "skipped")
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// Each fault is found by its own name, and nothing else changes; set-up mends what it owns; and
/// when a person has mended the rest, all is as it was.
pub fn each_planted_fault_is_found(guest: &mut Guest) {
    examine(guest, &format!("{PROFILES} --fix"));
    let healthy = findings(guest, PROFILES);
    for Fault { id, plant, .. } in FAULTS {
        let before = healthy.get(*id).unwrap_or_else(|| panic!("nobody looks for {id}"));
        assert_eq!(before, "ok", "{id}");
        guest.run(plant);
    }
    let ids = |wanted: fn(&Fault) -> bool| -> BTreeSet<&str> {
        let faults = FAULTS.iter().filter(|fault| wanted(fault));
        faults.flat_map(|fault| fault.also.iter().copied().chain([fault.id])).collect()
    };
    let planted = findings(guest, PROFILES);
    for Fault { id, .. } in FAULTS {
        let status = &planted[*id];
        assert!(["warning", "error"].contains(&status.as_str()), "{id} is not found: {status}");
    }
    let stray: Vec<_> = changed(&healthy, &planted).difference(&ids(|_| true)).copied().collect();
    assert!(stray.is_empty(), "who planted {stray:?}?");

    let (status, report) = examine(guest, &format!("{PROFILES} --fix"));
    assert_eq!(status, 1, "much is left: {report:#}");
    let now = by_id(&report);
    let left = changed(&healthy, &now);
    let mut foreign = ids(|fault| fault.mend.is_some());
    foreign.extend(UNSYNCHRONISED);
    let undone: Vec<_> = left.difference(&foreign).collect();
    assert!(undone.is_empty(), "set-up has not seen to {undone:?}: {:#}", report["fixed"]);
    for fault in FAULTS.iter().filter(|fault| fault.mend.is_some()) {
        assert!(left.contains(fault.id), "{} was not set-up's to mend", fault.id);
    }

    for mend in FAULTS.iter().rev().filter_map(|fault| fault.mend) {
        guest.run(mend);
    }
    let mended = findings(guest, PROFILES);
    assert!(changed(&healthy, &mended).is_empty(), "{:?}", changed(&healthy, &mended));
}

/// A module that is not even there is another matter than one that is not loaded.
pub fn what_the_kernel_lacks_cannot_be_set_up(guest: &mut Guest) {
    guest.run("modprobe -r br_netfilter && cp /lib/modules/*/modules.dep /tmp/modules.dep");
    guest.run("sed -i /br_netfilter/d /lib/modules/*/modules.dep");
    let (_, report) = examine(guest, &format!("{PROFILES} --fix"));
    let finding = finding(&report, "module:br_netfilter");
    assert_eq!(finding["status"], "error", "{finding}");
    assert!(finding.get("set_up").is_none(), "{finding}");
    guest.run("cp /tmp/modules.dep /lib/modules/*/modules.dep");
    let (_, report) = examine(guest, &format!("{PROFILES} --fix"));
    assert_eq!(by_id(&report)["module:br_netfilter"], "ok");
}

/// Whoever is not root sees most, is told what he does not, and may change nothing.
pub fn anybody_may_look(guest: &mut Guest) {
    let as_nobody =
        |words: &str| format!("su -s /bin/sh nobody -c 'svc doctor -p base {words}' 2>&1");
    let (status, text) = guest.try_run(&as_nobody("--all"));
    assert!([0, 5].contains(&status), "{status}: {text}");
    assert!(text.contains("ok       cgroup-v2"), "{text}");
    let (status, text) = guest.try_run(&as_nobody("--fix"));
    assert_eq!((status, text.contains("only root")), (1, true), "{text}");
}

fn examine(guest: &mut Guest, words: &str) -> (i32, Value) {
    let (status, text) = guest.try_run(&format!("svc doctor --json {words}"));
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (status, report)
}

fn findings(guest: &mut Guest, words: &str) -> Findings {
    by_id(&examine(guest, words).1)
}

fn by_id(report: &Value) -> Findings {
    let list = report["findings"].as_array().expect("a list").iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    list.map(|finding| (text(finding, "id"), text(finding, "status"))).collect()
}

fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    let mut list = report["findings"].as_array().expect("a list").iter();
    list.find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id}: {report:#}"))
}

/// What stands otherwise than before, or was not there.
fn changed<'a>(before: &'a Findings, now: &'a Findings) -> BTreeSet<&'a str> {
    let ids = before.keys().chain(now.keys());
    ids.filter(|id| before.get(*id) != now.get(*id)).map(String::as_str).collect()
}
