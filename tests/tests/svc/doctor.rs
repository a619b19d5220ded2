//! `svc doctor` finds faults that are planted in namespaces of its own, and sets up what it can.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::program;

/// What is looked at: entries of every kind that a namespace can make true and untrue.
const PROFILE: &str = r#"
description = "What a namespace can have"

[[mount]]
at = "/"
fstype = "any"
shared = true
why = "w"
source = "s"

[[sysctl]]
key = "net.ipv4.ip_forward"
value = "1"
why = "w"
source = "s"

[[sysctl]]
key = "net.ipv4.conf.all.rp_filter"
value = "0"
why = "w"
source = "s"

[[port]]
port = 6443
protocol = "tcp"
owner = ["kube-apiserver"]
why = "w"
source = "s"

[[file]]
path = "/run/planted"
absent = true
why = "w"
fix = "f"
source = "s"
"#;

/// Sections of set-up that no profile lists entries of: a service stands for each.
const SECTIONS: &[&str] = &["filesystems", "limits", "loopback", "random-seed", "tmpfiles"];

/// What they are about here, beside files.
const NODE: &str = "profiles = [\"planted\"]\n[setup]\nhostname = \"good\"\n\
                    limits = { core = \"0:2048\" }\n";

/// Questions, with what they take.
const CHECKS: &[(&str, &str)] = &[
    ("cgroup-driver", "{ kubelet-config = \"/var/lib/kubelet/config.yaml\" }"),
    ("cidr-overlap", "{ cidrs = \"10.42.0.0/16\" }"),
    ("clock-plausible", "{}"),
    ("hostname", "{}"),
    ("machine-id", "{}"),
    ("memory-cgroup-cmdline", "{}"),
    ("no-process", "{ name = \"multipathd\" }"),
    ("no-systemd-traces", "{}"),
    ("single-containerd", "{}"),
    ("swap", "{}"),
];

/// A healthy namespace, as a shell makes it. Files of `/proc` and `/etc` are laid over.
const HEALTHY: &str = r#"
set -e
mount --make-rshared /
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/kubelet
mount -t tmpfs tmpfs /var/lib/kubelet
mkdir -p /var/lib/seedrng
mount -t tmpfs tmpfs /var/lib/seedrng
touch /var/lib/seedrng/seed.credit
for dir in /etc/tmpfiles.d /usr/local/lib/tmpfiles.d /usr/lib/tmpfiles.d /lib/tmpfiles.d; do
  if [ -d $dir ]; then mount -t tmpfs tmpfs $dir; fi
done
mkdir /run/tmpfiles.d /run/wanted /run/data
echo 'd /run/wanted' > /run/tmpfiles.d/planted.conf
mount -t tmpfs data /run/data
ulimit -S -c 0
ulimit -H -c 2
over() { printf "$1" > "/run/over${2//\//_}"; mount --bind "/run/over${2//\//_}" "$2"; }
over 'Filename Type Size Used Priority\n' /proc/swaps
over 'quiet\n' /proc/cmdline
over '#1 SMP (2024-01-01)\n' /proc/sys/kernel/version
[ -e /etc/fstab ] || touch /etc/fstab
over 'data /run/data tmpfs defaults 0 0\n' /etc/fstab
over '0123456789abcdef0123456789abcdef\n' /etc/machine-id
over 'nameserver 192.0.2.1\n' /etc/resolv.conf
over '127.0.0.1 localhost good\n' /etc/hosts
echo good > /proc/sys/kernel/hostname
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
cp /bin/sleep /run/containerd
cp /bin/sleep /run/multipathd
/run/containerd 1000 < /dev/null > /dev/null 2>&1 &
"#;

/// A fault, as a shell plants it, and the finding that tells of it.
const FAULTS: &[(&str, &str)] = &[
    ("mount:/", "mount --make-private /"),
    ("sysctl:net.ipv4.ip_forward", "echo 0 > /proc/sys/net/ipv4/ip_forward"),
    ("sysctl:net.ipv4.conf.all.rp_filter", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter"),
    ("port:6443/tcp", "listen 6443"),
    ("file:/run/planted", "touch /run/planted"),
    ("filesystems:/run/data", "umount /run/data"),
    ("limits:core of init", "ulimit -S -c 1"),
    ("loopback:lo", "ip link set lo down"),
    ("random-seed:seed", "rm /var/lib/seedrng/seed.credit"),
    ("tmpfiles:/run/wanted", "rmdir /run/wanted"),
    ("cgroup-driver", "echo 'cgroupDriver: systemd' > /var/lib/kubelet/config.yaml"),
    ("cidr-overlap", "ip route add 10.42.7.0/24 dev lo"),
    ("clock-plausible", "over '#1 SMP (2099-01-01)\\n' /proc/sys/kernel/version"),
    ("hostname", "echo Not_Good > /proc/sys/kernel/hostname"),
    ("machine-id", "over 'uninitialized\\n' /etc/machine-id"),
    ("memory-cgroup-cmdline", "over 'cgroup_disable=memory\\n' /proc/cmdline"),
    ("no-process:multipathd", "/run/multipathd 1000 < /dev/null > /dev/null 2>&1 &"),
    (
        "no-systemd-traces",
        "cp /bin/sleep /run/kubelet
         INVOCATION_ID=1 /run/kubelet 1000 < /dev/null > /dev/null 2>&1 &",
    ),
    ("single-containerd", "/run/containerd 1001 < /dev/null > /dev/null 2>&1 &"),
    (
        "swap",
        "over 'Filename Type Size Used Priority\\n/dev/planted partition 1 0 -2\\n' /proc/swaps",
    ),
];

/// Somebody who takes a port; it is taken when the function returns.
const LISTEN: &str = r#"
listen() {
  mkfifo /run/listening
  python3 -c '
import signal, socket, sys
server = socket.create_server(("", int(sys.argv[1])))
open("/run/listening", "w").close()
signal.pause()' "$1" < /dev/null > /dev/null 2>&1 &
  cat /run/listening
}
"#;

struct Planted {
    directory: TempDir,
}

impl Planted {
    fn new() -> Self {
        let directory = TempDir::new().expect("room");
        fs::create_dir(directory.path().join("profiles")).expect("room");
        let mut profile = PROFILE.to_owned();
        for (id, with) in CHECKS {
            profile += &format!(
                "[[check]]\nid = \"{id}\"\nwith = {with}\nwhy = \"w\"\nfix = \"f\"\nsource = \"s\"\n"
            );
        }
        for name in SECTIONS {
            profile += &format!(
                "[[service]]\nname = \"{name}\"\nrequired = true\nwhy = \"w\"\nsource = \"s\"\n"
            );
        }
        fs::write(directory.path().join("profiles/planted.toml"), profile).expect("room");
        fs::write(directory.path().join("node.toml"), NODE).expect("room");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The findings of `svc doctor` and its exit status, in a namespace of which this script has
    /// made what it shall be.
    fn doctor(&self, script: &str, arguments: &str) -> (BTreeMap<String, Value>, i32, Value) {
        let svc = program().display();
        let out = self.path("report");
        // A script that fails leaves none.
        let _ = fs::remove_file(&out);
        // The exit status is the shell's; what it left running ends with its pid namespace.
        let script = format!(
            "{LISTEN}{HEALTHY}{script}\nset +e\n{svc} doctor --json {arguments} > {}\nexit $?",
            out.display()
        );
        let status = Command::new("unshare")
            .args(["--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["bash", "-c", &script])
            .env("COOPER_FACTS", self.directory.path())
            .env("COOPER_NODE", self.path("node.toml"))
            .env("COOPER_RUN", self.path("run"))
            .env_remove("INVOCATION_ID")
            .status()
            .expect("util-linux");
        let report: Value =
            serde_json::from_str(&read(&out)).unwrap_or_else(|error| panic!("{script}: {error}"));
        let findings = report["findings"].as_array().expect("a list");
        let by_id = |finding: &Value| (finding["id"].as_str().unwrap().to_owned(), finding.clone());
        (findings.iter().map(by_id).collect(), status.code().expect("an exit"), report)
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn bad(findings: &BTreeMap<String, Value>) -> Vec<&str> {
    let is_bad = |finding: &Value| matches!(finding["status"].as_str(), Some("error" | "warning"));
    findings.iter().filter(|(_, it)| is_bad(it)).map(|(id, _)| id.as_str()).collect()
}

#[test]
fn each_planted_fault_is_found_and_no_other() {
    // On a machine without faults nothing is found; with one, that one, with what is so.
    if !tests::may_unshare() {
        return;
    }
    let planted = Planted::new();
    let (findings, status, _) = planted.doctor("", "");
    assert_eq!((bad(&findings), status), (Vec::new(), 0), "{findings:#?}");
    // The hardware that is recognised wants its own.
    let asked: Vec<&str> = findings
        .iter()
        .filter(|(_, finding)| finding["by"][0] == "planted")
        .map(|(id, _)| id.as_str())
        .collect();
    let healthy = |id: &&'static str| match id.split_once(':') {
        // Where all is well one finding speaks for the section.
        Some((section, _)) if SECTIONS.contains(&section) => section,
        Some(_) | None => id,
    };
    let mut planned: Vec<&str> = FAULTS.iter().map(|(id, _)| healthy(id)).collect();
    planned.sort_unstable();
    assert_eq!(asked, planned, "each has its fault");
    for (id, fault) in FAULTS {
        let (findings, status, _) = planted.doctor(fault, "");
        assert_eq!(bad(&findings), [*id], "{fault}: {findings:#?}");
        let is_error = findings[*id]["status"] == "error";
        assert_eq!(status, if is_error { 1 } else { 5 }, "{fault}");
        // Set-up says of itself which of the things that it does a node works without.
        let is_mild = ["limits:", "random-seed:", "tmpfiles:"].iter().any(|it| id.starts_with(it));
        assert_eq!(is_error, !is_mild, "{fault}");
    }
}

#[test]
fn what_set_up_owns_is_set_up_and_nothing_else() {
    // Several faults at once: --fix mends what set-up does at boot, and the rest is left.
    if !tests::may_unshare() {
        return;
    }
    let planted = Planted::new();
    let owned = [
        "filesystems:/run/data",
        "hostname",
        "limits:core of init",
        "loopback:lo",
        "mount:/",
        "random-seed:seed",
        "sysctl:net.ipv4.conf.all.rp_filter",
        "sysctl:net.ipv4.ip_forward",
        "tmpfiles:/run/wanted",
    ];
    let others = ["cidr-overlap", "file:/run/planted", "port:6443/tcp", "single-containerd"];
    let plant = |ids: &[&str]| -> String {
        let faults = FAULTS.iter().filter(|(id, _)| ids.contains(id));
        faults.map(|(_, fault)| format!("{fault}\n")).collect()
    };
    let (findings, status, report) = planted.doctor(&plant(&owned), "--fix");
    assert_eq!((bad(&findings), status), (Vec::new(), 0), "{report:#}");
    // The route that overlaps goes through the loopback interface, and needs it.
    let owned = owned.iter().filter(|id| !id.starts_with("loopback"));
    let both: Vec<&str> = owned.chain(&others).copied().collect();
    let (findings, status, report) = planted.doctor(&plant(&both), "--fix");
    assert_eq!((bad(&findings), status), (others.to_vec(), 1), "{report:#}");
    let said = report["fixed"].as_array().expect("what set-up said");
    assert!(
        said.iter().any(|line| line.as_str().unwrap().contains("ip_forward: 0 → 1")),
        "{said:?}"
    );
}
