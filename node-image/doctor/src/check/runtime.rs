//! The container runtime.

use super::{
    Case,
    daemon::{KUBELET_CONFIG, KubeletConfig, containerd_configs, values},
};
use crate::{
    cri,
    finding::Verdict,
    system::{Process, System},
};

use facts::Severity;

/// Where kubeadm writes flags of kubelet's.
const KUBEADM_FLAGS: &str = "/var/lib/kubelet/kubeadm-flags.env";
/// Where containerd keeps its data when nobody says otherwise.
const CONTAINERD_ROOT: &str = "/var/lib/containerd";
/// Where it looks for CNI plugins then.
const CNI_BIN_DIR: &str = "/opt/cni/bin";

/// A runtime answers on one of its sockets, and manages cgroups as files.
pub fn cri_socket(case: &Case<'_>) -> Verdict {
    let there: Vec<&str> =
        case.with.words("sockets").filter(|path| case.system.exists(path)).collect();
    let Some(first) = there.first() else {
        return Verdict::fails("no runtime's socket is there").at_most(Severity::Warning);
    };
    if !case.system.is_running() {
        return Verdict::Holds(format!("{first} is there"));
    }
    let mut refused = None;
    for path in there {
        match cri::ask(path) {
            Ok(answer) if answer.is_systemd => {
                return Verdict::fails(format!("{answer}, and has systemd manage cgroups"))
                    .fix("SystemdCgroup = false in containerd's configuration of runc");
            }
            Ok(answer) => return Verdict::Holds(format!("{answer} answers on {path}")),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Verdict::NeedsRoot(format!("{path} is for root"));
            }
            Err(error) => refused = Some(format!("{path}: {error}")),
        }
    }
    Verdict::fails(refused.unwrap_or_default())
        .at_most(Severity::Warning)
        .fix("start the runtime; in containerd's configuration, CRI may not be in disabled_plugins")
}

/// Nobody has been told that systemd manages cgroups.
pub fn cgroup_driver(case: &Case<'_>) -> Verdict {
    let path = Some(case.with.word("kubelet-config")).filter(|path| !path.is_empty());
    let path = path.unwrap_or(KUBELET_CONFIG);
    let kubelet = KubeletConfig::at(path, case.system);
    if kubelet.value("cgroupDriver") == Some("systemd") {
        return Verdict::fails(format!("{path} says cgroupDriver: systemd"));
    }
    for (path, table) in containerd_configs(case.with.words("containerd-config"), case.system) {
        let systemd =
            values(&table, "SystemdCgroup").iter().any(|value| value.as_bool() == Some(true));
        if systemd || values(&table, "systemd_cgroup").iter().any(|it| it.as_bool() == Some(true)) {
            return Verdict::fails(format!("{path} says SystemdCgroup = true"))
                .fix(format!("SystemdCgroup = false in {path}"));
        }
    }
    let flags = case.system.text(KUBEADM_FLAGS).unwrap_or_default();
    let mut words: Vec<String> = flags.split(['"', ' ', '\n']).map(str::to_owned).collect();
    for kubelet in case.system.processes_named("kubelet") {
        words.extend(kubelet.command_line(case.system));
    }
    let systemd = words.iter().any(|word| word == "--cgroup-driver=systemd")
        || words.windows(2).any(|pair| pair == ["--cgroup-driver", "systemd"]);
    if systemd {
        return Verdict::fails("kubelet is told --cgroup-driver=systemd");
    }
    Verdict::Holds("nobody asks for systemd's driver".into())
}

/// kubelet and containerd mean the same image.
pub fn sandbox_image(case: &Case<'_>) -> Verdict {
    let flags = case.system.text(KUBEADM_FLAGS).unwrap_or_default();
    let wanted = flags
        .split(['"', ' ', '\n'])
        .find_map(|word| word.strip_prefix("--pod-infra-container-image="));
    let config = containerd_configs(case.with.words("containerd-config"), case.system);
    let of =
        |key| config.iter().flat_map(|(_, table)| values(table, key)).find_map(|it| it.as_str());
    match (of("sandbox_image").or_else(|| of("sandbox")), wanted) {
        (Some(has), Some(wanted)) if has != wanted => {
            Verdict::fails(format!("containerd takes {has}, kubelet keeps {wanted}"))
        }
        (Some(image), _) | (None, Some(image)) => Verdict::Holds(image.into()),
        (None, None) => Verdict::Holds("nobody asks for a particular one".into()),
    }
}

/// Two that share their data: the second waits for ever.
pub fn single_containerd(case: &Case<'_>) -> Verdict {
    let here = case.system.link("/proc/self/ns/mnt");
    let mut seen: Vec<(String, &Process)> = Vec::new();
    for process in case.system.processes_named("containerd") {
        let there = case.system.link(&format!("/proc/{}/ns/mnt", process.pid));
        // One inside a container has its own files, whatever it calls them.
        if there.is_some() && there != here {
            continue;
        }
        let root = root_of(&process.command_line(case.system), case.system);
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == root) {
            return Verdict::fails(format!(
                "processes {} and {} both are containerd, and share {root}",
                other.pid, process.pid
            ))
            .fix(format!(
                "stop process {}, or give it a --root and --state of its own",
                process.pid
            ));
        }
        seen.push((root, process));
    }
    let roots: Vec<&str> = seen.iter().map(|(root, _)| root.as_str()).collect();
    match roots.as_slice() {
        [] => Verdict::Holds("none runs".into()),
        roots => Verdict::Holds(format!("each has its own: {}", roots.join(", "))),
    }
}

/// `--root DIR`, else what the file of `--config FILE` says.
fn root_of(words: &[String], system: &System) -> String {
    let option = |names: [&str; 2]| {
        let mut rest = words.iter().skip(1);
        while let Some(word) = rest.next() {
            let word = word.trim_start_matches('-');
            match word.split_once('=') {
                Some((name, value)) if names.contains(&name) => return Some(value.to_owned()),
                None if names.contains(&word) => return rest.next().cloned(),
                Some(_) | None => {}
            }
        }
        None
    };
    let from_file = || {
        let path = option(["config", "c"]).unwrap_or_else(|| "/etc/containerd/config.toml".into());
        let (_, table) = containerd_configs([path.as_str()].into_iter(), system).pop()?;
        table.get("root")?.as_str().map(str::to_owned)
    };
    option(["root", "root"]).or_else(from_file).unwrap_or_else(|| CONTAINERD_ROOT.into())
}

/// Plugins are where containerd looks for them.
pub fn cni_bin_dirs(case: &Case<'_>) -> Verdict {
    let config = containerd_configs(case.with.words("containerd-config"), case.system);
    let mut searched: Vec<String> = Vec::new();
    for (_, table) in &config {
        let lists = values(table, "bin_dirs").into_iter().filter_map(|value| value.as_array());
        searched.extend(lists.flatten().filter_map(|it| it.as_str()).map(str::to_owned));
        let single = values(table, "bin_dir").into_iter().filter_map(|value| value.as_str());
        searched.extend(single.filter(|path| !path.is_empty()).map(str::to_owned));
    }
    if searched.is_empty() {
        searched.push(CNI_BIN_DIR.into());
    }
    let is_searched = |directory: &str| {
        searched.iter().any(|path| case.system.resolve(path) == case.system.resolve(directory))
    };
    let missed: Vec<&str> = case
        .with
        .words("directories")
        .filter(|directory| !case.system.names(directory).is_empty() && !is_searched(directory))
        .collect();
    let searched = searched.join(", ");
    if missed.is_empty() {
        return Verdict::Holds(format!("containerd searches {searched}"));
    }
    Verdict::fails(format!("plugins in {}, and containerd searches {searched}", missed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::{ask, fault};
    use super::*;
    use crate::system::testing::Machine;

    const CONFIG: &str = "/etc/containerd/config.toml";

    #[test]
    fn a_runtime_has_a_socket() {
        let with = [("sockets", "/run/containerd/containerd.sock /run/crio/crio.sock")];
        let none = fault(ask("cri-socket", &Machine::new(), &with));
        assert_eq!(none.at_most, Severity::Warning);
        let machine = Machine::new().file("/run/crio/crio.sock", "");
        let found = "/run/crio/crio.sock is there".into();
        assert_eq!(ask("cri-socket", &machine, &with), Verdict::Holds(found));
    }

    #[test]
    fn systemd_s_driver_is_found_wherever_it_is_asked_for() {
        let with = [("kubelet-config", KUBELET_CONFIG), ("containerd-config", CONFIG)];
        let driver = |machine: Machine| ask("cgroup-driver", &machine, &with);
        assert!(matches!(driver(Machine::new()), Verdict::Holds(_)));
        let kubelet = |text| driver(Machine::new().file(KUBELET_CONFIG, text));
        assert!(matches!(kubelet("cgroupDriver: cgroupfs\n"), Verdict::Holds(_)));
        assert!(matches!(kubelet("cgroupDriver: systemd\n"), Verdict::Fails(_)));
        let runc = "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\n";
        let containerd = |value: &str| {
            driver(Machine::new().file(CONFIG, &format!("{runc}SystemdCgroup = {value}\n")))
        };
        assert!(matches!(containerd("false"), Verdict::Holds(_)));
        assert!(matches!(containerd("true"), Verdict::Fails(_)));
        let flags = "KUBELET_KUBEADM_ARGS=\"--cgroup-driver=systemd --x\"\n";
        assert!(matches!(driver(Machine::new().file(KUBEADM_FLAGS, flags)), Verdict::Fails(_)));
        let line = "kubelet\0--cgroup-driver\0systemd\0";
        let machine = Machine::new().process(7, "kubelet").file("/proc/7/cmdline", line);
        assert!(matches!(driver(machine), Verdict::Fails(_)));
    }

    #[test]
    fn both_mean_the_same_image() {
        let with = [("containerd-config", CONFIG)];
        let images = |containerd: &str, kubelet: &str| {
            let machine = Machine::new()
                .file(CONFIG, &format!("[plugins.x.pinned_images]\nsandbox = '{containerd}'\n"))
                .file(KUBEADM_FLAGS, &format!("A=\"--pod-infra-container-image={kubelet}\"\n"));
            ask("sandbox-image", &machine, &with)
        };
        assert_eq!(images("r/pause:3.10", "r/pause:3.10"), Verdict::Holds("r/pause:3.10".into()));
        let found = "containerd takes r/pause:3.8, kubelet keeps r/pause:3.10";
        assert_eq!(images("r/pause:3.8", "r/pause:3.10"), Verdict::fails(found));
        assert!(matches!(ask("sandbox-image", &Machine::new(), &with), Verdict::Holds(_)));
    }

    #[test]
    fn two_that_share_their_data_are_found() {
        let run = |second: &str| {
            let machine = Machine::new()
                .file("/etc/k3s.toml", "root = '/var/lib/rancher/k3s/agent/containerd'\n")
                .process(7, "containerd")
                .file("/proc/7/cmdline", "/usr/bin/containerd\0")
                .process(8, "containerd")
                .file("/proc/8/cmdline", second)
                .process(9, "containerd-shim");
            ask("single-containerd", &machine, &[])
        };
        assert!(matches!(run("containerd\0-c\0/etc/k3s.toml\0"), Verdict::Holds(_)));
        assert!(matches!(run("containerd\0--root=/srv\0"), Verdict::Holds(_)));
        let two = fault(run("containerd\0--log-level\0debug\0"));
        let found = "processes 7 and 8 both are containerd, and share /var/lib/containerd";
        assert_eq!(two.found, found);
        let alone = ask("single-containerd", &Machine::new(), &[]);
        assert_eq!(alone, Verdict::Holds("none runs".into()));
    }

    /// Another one inside a container shares nothing with ours.
    #[test]
    fn one_in_a_container_does_not_count() {
        let machine = Machine::new()
            .link("/proc/self/ns/mnt", "mnt:[1]")
            .process(7, "containerd")
            .link("/proc/7/ns/mnt", "mnt:[1]")
            .process(8, "containerd")
            .link("/proc/8/ns/mnt", "mnt:[2]");
        assert!(matches!(ask("single-containerd", &machine, &[]), Verdict::Holds(_)));
    }

    #[test]
    fn plugins_are_where_they_are_looked_for() {
        let with =
            [("directories", "/opt/cni/bin /usr/libexec/cni"), ("containerd-config", CONFIG)];
        let plugins = |directory: &str, config: &str| {
            let machine = Machine::new()
                .program(&format!("{directory}/loopback"))
                .file(CONFIG, &format!("[plugins.x.cni]\n{config}\n"));
            ask("cni-bin-dirs", &machine, &with)
        };
        assert!(matches!(plugins("/opt/cni/bin", ""), Verdict::Holds(_)));
        let found = "plugins in /usr/libexec/cni, and containerd searches /opt/cni/bin";
        assert_eq!(plugins("/usr/libexec/cni", ""), Verdict::fails(found));
        let both = "bin_dirs = ['/opt/cni/bin', '/usr/libexec/cni']";
        assert!(matches!(plugins("/usr/libexec/cni", both), Verdict::Holds(_)));
        assert!(matches!(
            plugins("/opt/cni/bin", "bin_dir = '/usr/libexec/cni'"),
            Verdict::Fails(_)
        ));
    }
}
