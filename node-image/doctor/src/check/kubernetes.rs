//! What kubelet, kubeadm and k3s have left or brought.

use std::io::ErrorKind;

use super::{Case, daemon::KubeletConfig};
use crate::finding::Verdict;

/// A kubelet may be this many minor versions older than the API server.
const SKEW_MAX: u32 = 3;
/// What `kubeadm init` and `join` write, and refuse to find.
const KUBEADM_FILES: [&str; 4] = [
    "/etc/kubernetes/kubelet.conf",
    "/etc/kubernetes/bootstrap-kubelet.conf",
    "/etc/kubernetes/pki/ca.crt",
    "/etc/kubernetes/admin.conf",
];
const MANIFESTS: &str = "/etc/kubernetes/manifests";
const ETCD: &str = "/var/lib/etcd";
/// Where kubelet finds somebody to tell it of a shutdown.
const LOGIN1: &str = "/run/cooper/login1";

/// Nothing of a cluster, or all of it.
pub fn kubeadm_state(case: &Case<'_>) -> Verdict {
    let system = case.system;
    let mut left: Vec<String> =
        KUBEADM_FILES.into_iter().filter(|path| system.exists(path)).map(str::to_owned).collect();
    let manifests = system.names(MANIFESTS);
    left.extend(manifests.iter().map(|name| format!("{MANIFESTS}/{name}")));
    let names_etcd = std::fs::read_dir(system.path(ETCD));
    let etcd = match names_etcd {
        Ok(mut names) => names.next().is_some(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Verdict::NeedsRoot(format!("{ETCD} is for root"));
        }
        Err(_) => false,
    };
    if etcd {
        left.push(ETCD.into());
    }
    let [kubelet, _, ca, _] = KUBEADM_FILES;
    if left.is_empty() {
        return Verdict::Holds("nothing of a cluster is here".into());
    }
    if system.exists(kubelet) && system.exists(ca) {
        return Verdict::Holds("this node has joined a cluster".into());
    }
    Verdict::fails(format!("left by a former attempt: {}", left.join(", ")))
}

/// kubelet is not newer than the API server, nor much older.
pub fn version_skew(case: &Case<'_>) -> Verdict {
    if !case.system.is_running() {
        return Verdict::Unknown("programs of that machine cannot be run".into());
    }
    let version = |program, arguments: &[&str]| minor(&case.system.run(program, arguments)?);
    let Some(kubelet) = version("kubelet", &["--version"]) else {
        return Verdict::DoesNotApply("there is no kubelet".into());
    };
    let server = version("kube-apiserver", &["--version"])
        .map(|minor| ("kube-apiserver", minor))
        .or_else(|| Some(("kubeadm", version("kubeadm", &["version", "-o", "short"])?)));
    match server {
        Some((name, minor)) => skew(kubelet, name, minor),
        None => Verdict::DoesNotApply("there is neither a kube-apiserver nor kubeadm".into()),
    }
}

fn skew(kubelet: u32, name: &str, server: u32) -> Verdict {
    let found = format!("kubelet 1.{kubelet}, {name} 1.{server}");
    let is_newer = kubelet > server;
    if is_newer || server.saturating_sub(kubelet) > SKEW_MAX {
        return Verdict::fails(found);
    }
    Verdict::Holds(found)
}

/// 34 in `Kubernetes v1.34.1`.
fn minor(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("v1.")?;
    rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// Programs by which others recognise an init system.
pub fn init_system(case: &Case<'_>) -> Verdict {
    match case.with.words("names").find_map(|name| case.system.program(name)) {
        Some(path) => Verdict::Holds(path),
        None => Verdict::fails(format!("none of: {}", case.with.word("names"))),
    }
}

/// All that k3s has unpacked is still there.
pub fn k3s_bundle(case: &Case<'_>) -> Verdict {
    let programs = format!("{}/bin", case.with.word("path"));
    if !case.system.exists(&programs) {
        return Verdict::DoesNotApply("k3s has not unpacked itself yet".into());
    }
    let list = |file: &str, column: usize| {
        let text = case.system.text(&format!("{programs}/{file}")).unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split_whitespace().nth(column));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    // `SUM FILE`, and `LINK TARGET`.
    let names = [list(".sha256sums", 1), list(".links", 0)].concat();
    let missing: Vec<String> = names
        .into_iter()
        .map(|name| name.trim_start_matches(['*', '.', '/']).to_owned())
        .filter(|name| !case.system.exists(&format!("{programs}/{name}")))
        .collect();
    if missing.is_empty() {
        return Verdict::Holds(format!("{programs} is whole"));
    }
    Verdict::fails(format!("missing in {programs}: {}", missing.join(", ")))
}

/// kubelet gives pods time to end, hears when, and is itself given that time.
pub fn graceful_shutdown(case: &Case<'_>) -> Verdict {
    if !case.system.exists("/run/cooper") {
        return Verdict::DoesNotApply("Cooper has not booted this machine".into());
    }
    let config = KubeletConfig::read(case.system);
    let period = config.value("shutdownGracePeriod").and_then(seconds).unwrap_or(0);
    if period == 0 {
        return Verdict::fails("kubelet's configuration has no shutdownGracePeriod");
    }
    if !case.system.exists(LOGIN1) {
        return Verdict::fails(format!("{LOGIN1} is not there: kubelet hears of no shutdown"))
            .fix("`svc start login1`, then restart kubelet");
    }
    let budget = case.budget_ms.map(|ms| u64::from(ms) / 1000);
    match budget {
        // As login1 has it: what stops after the pods needs a third, or two minutes.
        Some(budget) if budget.saturating_sub((budget / 3).min(120)) < period => Verdict::fails(
            format!("pods have {period} s to end, which is too much of a shutdown of {budget} s"),
        ),
        Some(_) | None => Verdict::Holds(format!("pods have {period} s to end")),
    }
}

/// As Go writes a duration: `1m30s`.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(end);
        let whole: u64 = number.split('.').next()?.parse().ok()?;
        let unit_end = after.find(|letter: char| letter.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let factor = match unit {
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            "ms" | "us" | "µs" | "ns" => 0,
            _ => return None,
        };
        total = total.checked_add(whole.checked_mul(factor)?)?;
        rest = after;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::super::{ask, ask_with, fault};
    use super::*;
    use crate::system::testing::Machine;

    #[test]
    fn a_half_of_a_cluster_is_found() {
        let state = |machine: Machine| ask("kubeadm-state", &machine, &[]);
        assert_eq!(state(Machine::new()), Verdict::Holds("nothing of a cluster is here".into()));
        let joined = Machine::new()
            .file("/etc/kubernetes/kubelet.conf", "")
            .file("/etc/kubernetes/pki/ca.crt", "");
        assert_eq!(state(joined), Verdict::Holds("this node has joined a cluster".into()));
        let half = Machine::new()
            .file("/etc/kubernetes/manifests/etcd.yaml", "")
            .directory("/var/lib/etcd/member");
        let found = "left by a former attempt: /etc/kubernetes/manifests/etcd.yaml, /var/lib/etcd";
        assert_eq!(state(half), Verdict::fails(found));
        let empty = Machine::new().directory("/var/lib/etcd").directory(MANIFESTS);
        assert!(matches!(state(empty), Verdict::Holds(_)));
    }

    #[test]
    fn kubelet_follows_the_server() {
        assert_eq!(minor("Kubernetes v1.34.1\n"), Some(34));
        assert_eq!(minor("v1.33.0+k3s1"), Some(33));
        assert_eq!(minor("usage"), None);
        for (kubelet, good) in [(35, false), (34, true), (31, true), (30, false)] {
            let holds = matches!(skew(kubelet, "kubeadm", 34), Verdict::Holds(_));
            assert_eq!(holds, good, "{kubelet}");
        }
        assert!(matches!(ask("version-skew", &Machine::new(), &[]), Verdict::Unknown(_)));
    }

    #[test]
    fn an_init_system_is_what_others_look_for() {
        let with = [("names", "systemctl rc-service")];
        let machine = Machine::new().program("/sbin/rc-service");
        let found = Verdict::Holds("/sbin/rc-service".into());
        assert_eq!(ask("init-system", &machine, &with), found);
        let none = Verdict::fails("none of: systemctl rc-service");
        assert_eq!(ask("init-system", &Machine::new(), &with), none);
    }

    #[test]
    fn what_k3s_unpacked_is_whole() {
        let with = [("path", "/data/current")];
        let unpacked = || {
            Machine::new()
                .link("/data/current", "/data/0123")
                .file("/data/0123/bin/.sha256sums", "abc  ./runc\ndef *cni\n")
                .file("/data/0123/bin/.links", "containerd k3s\n")
                .program("/data/0123/bin/runc")
                .program("/data/0123/bin/cni")
        };
        let ask = |machine: Machine| ask("k3s-bundle", &machine, &with);
        let whole = unpacked().link("/data/0123/bin/containerd", "/data/0123/bin/cni");
        assert!(matches!(ask(whole), Verdict::Holds(_)));
        let found = "missing in /data/current/bin: containerd";
        assert_eq!(ask(unpacked()), Verdict::fails(found));
        assert!(matches!(ask(Machine::new()), Verdict::DoesNotApply(_)));
    }

    #[test]
    fn pods_have_time_to_end() {
        let machine = |period: &str| {
            Machine::new()
                .file(LOGIN1, "")
                .file("/var/lib/kubelet/config.yaml", &format!("shutdownGracePeriod: {period}\n"))
        };
        let ask = |machine: &Machine, budget| ask_with("graceful-shutdown", machine, &[], budget);
        let holds = Verdict::Holds("pods have 90 s to end".into());
        assert_eq!(ask(&machine("1m30s"), Some(135_000)), holds);
        let found = "pods have 90 s to end, which is too much of a shutdown of 133 s";
        assert_eq!(ask(&machine("90s"), Some(133_000)), Verdict::fails(found));
        let found = "kubelet's configuration has no shutdownGracePeriod";
        assert_eq!(fault(ask(&machine("0s"), None)).found, found);
        let deaf = Machine::new()
            .directory("/run/cooper")
            .file("/var/lib/kubelet/config.yaml", "shutdownGracePeriod: 60s\n");
        assert!(fault(ask(&deaf, None)).found.contains("hears of no shutdown"));
        assert!(matches!(ask(&Machine::new(), None), Verdict::DoesNotApply(_)));
    }

    #[test]
    fn durations_are_go_s() {
        for (text, value) in
            [("1m30s", Some(90)), ("2h", Some(7200)), ("1.5s", Some(1)), ("0", None)]
        {
            assert_eq!(seconds(text), value, "{text}");
        }
    }
}
