//! What must be true of a node. Each step says its rule first.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::guest::Guest;

/// What the node is for.
const LONGRUNS: [&str; 4] = ["containerd", "seatd", "chronyd", "sshd"];
/// How long an ordered end may take under emulation.
const END_MAX: Duration = Duration::from_secs(60);

/// The boot target and everything it needs comes up by itself.
pub fn everything_is_up(guest: &mut Guest) {
    guest.run("svc start default");
    for service in services(guest) {
        let state = service["state"].as_str().expect("a word");
        let fine = ["ready", "done", "skipped"].contains(&state) || service["goal"] == "down";
        assert!(fine, "{service}");
    }
    eprintln!("up {:.1} s after power-on", guest.begin.elapsed().as_secs_f32());
}

/// Who took how long, and which chain decided it, from PID 1's first instruction.
pub fn the_boot_report_names_every_service(guest: &mut Guest) {
    let report = guest.run("svc boot");
    for name in LONGRUNS {
        assert!(report.contains(name), "{report}");
    }
}

/// node.md §2.6: Longhorn, Cilium and kubelet fail without these, and say so badly.
pub fn the_mounts_are_what_daemons_expect(guest: &mut Guest) {
    let mounts = guest.run("cat /proc/self/mountinfo");
    let of = |place: &str| {
        let found = mounts.lines().find(|line| line.split(' ').nth(4) == Some(place));
        found.unwrap_or_else(|| panic!("{place} is not mounted:\n{mounts}")).to_owned()
    };
    for place in ["/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/run", "/sys/fs/bpf"] {
        of(place);
    }
    assert!(of("/sys/fs/cgroup").contains("nsdelegate"), "{}", of("/sys/fs/cgroup"));
    assert!(of("/sys/fs/cgroup").contains("memory_recursiveprot"), "{}", of("/sys/fs/cgroup"));
    for place in ["/", "/sys", "/sys/fs/bpf"] {
        assert!(of(place).contains(" shared:"), "{place} is private: {}", of(place));
    }
    let missing = guest.run(
        "for c in $(cat /sys/fs/cgroup/cgroup.controllers); do \
         grep -qw $c /sys/fs/cgroup/cgroup.subtree_control || echo $c; done",
    );
    assert_eq!(missing, "", "controllers that are not enabled at the root");
}

/// The cgroup is the proof of membership; PID 1's must be named /init.scope (k3s reads it).
pub fn each_service_lives_in_its_own_cgroup(guest: &mut Guest) {
    assert_eq!(guest.run("cat /proc/1/cgroup"), "0::/init.scope\n");
    for name in LONGRUNS {
        let pid = guest.pid(name);
        let cgroup = guest.run(&format!("cat /proc/{pid}/cgroup"));
        assert!(cgroup.starts_with(&format!("0::/system/{name}")), "{name}: {cgroup}");
        let parent = guest.run(&format!("awk '/^PPid/{{print $2}}' /proc/{pid}/status"));
        assert_eq!(parent, "1\n", "{name} is a child of init");
    }
}

/// containerd, chronyd and sshd by sd_notify, seatd by a newline on its descriptor.
pub fn each_daemon_said_by_itself_that_it_was_ready(guest: &mut Guest) {
    for name in LONGRUNS {
        assert_eq!(guest.service(name)["state"], "ready", "{name}");
    }
    for name in ["containerd", "chronyd", "sshd"] {
        let pid = guest.pid(name);
        let variables = guest.run(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
        assert!(variables.contains("NOTIFY_SOCKET=/run/cooper/notify/"), "{name}: {variables}");
        assert!(!variables.contains("INVOCATION_ID"), "k3s would choose the wrong cgroup driver");
    }
    guest.run("test -S /run/seatd.sock && test -S /run/containerd/containerd.sock");
}

/// kill = "process": a runtime's restart leaves its containers alone.
pub fn the_container_outlives_containerd(guest: &mut Guest) {
    let (daemon, container) = (guest.pid("containerd"), container(guest));
    guest.run("svc restart containerd");
    assert_ne!(guest.pid("containerd"), daemon, "containerd was not restarted");
    assert_eq!(self::container(guest), container, "the container was restarted");
    let said = guest.run("svc logs -n 1 hello");
    assert!(said.contains("hello "), "the container's output is in its log: {said}");
}

/// `kill -9` of `supervise` disturbs nothing, and the next one knows everything.
pub fn everything_outlives_the_supervisor(guest: &mut Guest) {
    let (before, container) = (pids(guest), container(guest));
    for _ in 0..5 {
        let old = guest.run("pidof supervise");
        guest.run("kill -9 $(pidof supervise)");
        guest.run("svc status containerd && svc start default");
        assert_ne!(guest.run("pidof supervise"), old);
    }
    assert_eq!(pids(guest), before);
    assert_eq!(self::container(guest), container);
}

/// A fatal signal to PID 1 makes it execute itself anew; nothing else notices.
pub fn everything_outlives_init_itself(guest: &mut Guest) {
    let before = pids(guest);
    guest.run("kill -SEGV 1");
    guest.run("svc start default");
    assert_eq!(pids(guest), before);
    guest.run("kill -0 1");
}

/// `svc status` reads the state table, and asks nobody.
pub fn status_answers_while_the_supervisor_is_stopped(guest: &mut Guest) {
    guest.run("kill -STOP $(pidof supervise)");
    let status =
        guest.run("setpriv --reuid 65534 svc status 2>&1 || su -s /bin/sh nobody -c 'svc status'");
    guest.run("kill -CONT $(pidof supervise)");
    assert!(status.contains("containerd"), "{status}");
}

/// Every state has a reason that a person can read.
pub fn explain_says_why(guest: &mut Guest) {
    let text = guest.run("svc stop --force seatd; svc explain seatd; svc start default");
    assert!(text.contains("seatd"), "{text}");
    assert!(text.contains("stopped"), "{text}");
}

/// `svc logs -f` shows what is written while it runs.
pub fn logs_follow(guest: &mut Guest) {
    let text = guest.run("timeout 20 svc logs -f -n 0 hello | head -n 2");
    assert_eq!(text.lines().filter(|line| line.contains("hello ")).count(), 2, "{text}");
}

/// The plan says what restarts and why; nothing else does.
pub fn apply_restarts_what_changed_and_nothing_else(guest: &mut Guest) {
    let before = pids(guest);
    guest.run(
        "mkdir -p /etc/cooper/services/chronyd.toml.d && \
         printf '[run]\\nnice = 5\\n' > /etc/cooper/services/chronyd.toml.d/nice.toml",
    );
    let plan = guest.run("svc apply --dry-run");
    assert!(plan.contains("chronyd") && plan.contains("nice"), "{plan}");
    assert_eq!(pids(guest), before, "a dry run changed something");
    guest.run("svc apply && svc start default");
    let changed: Vec<_> = pids(guest).difference(&before).cloned().collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].0, "chronyd");
    let pid = guest.pid("chronyd");
    let nice = guest.run(&format!("awk '{{print $19}}' /proc/{pid}/stat"));
    assert_eq!(nice, "5\n");
}

/// A mistake is told with its place, and neither the graph in force nor the next boot's changes.
pub fn a_broken_file_changes_nothing(guest: &mut Guest) {
    let before = (pids(guest), guest.run("readlink /var/lib/cooper/graph/current"));
    guest.run("printf 'exce = [\"/bin/true\"]\\n' > /etc/cooper/services/broken.toml");
    let (status, text) = guest.try_run("svc apply");
    assert_eq!(status, 4, "{text}");
    assert!(text.contains("broken.toml:1") && text.contains("exec"), "{text}");
    guest.run("rm /etc/cooper/services/broken.toml");
    assert_eq!((pids(guest), guest.run("readlink /var/lib/cooper/graph/current")), before);
}

/// Everything stops in order, the machine switches off by itself, within its deadline.
pub fn poweroff_ends_it_in_order(guest: Guest) {
    let before = guest.console();
    let (took, console) = guest.end("svc poweroff");
    eprintln!("down {:.1} s after `svc poweroff`", took.as_secs_f32());
    assert!(took < END_MAX, "it took {took:?}:\n{console}");
    let end = console.get(before.len()..).unwrap_or(&console);
    for bad in ["Kernel panic", "Call Trace", "would not die", "cannot unmount"] {
        assert!(!end.contains(bad), "{bad}:\n{end}");
    }
}

fn services(guest: &mut Guest) -> Vec<Value> {
    guest.svc("status")["services"].as_array().expect("a list").clone()
}

/// Every service that has a process, with its process.
fn pids(guest: &mut Guest) -> BTreeSet<(String, u64)> {
    services(guest)
        .iter()
        .filter(|service| service["kind"] == "longrun")
        .filter_map(|service| {
            Some((service["name"].as_str()?.to_owned(), service["pid"].as_u64()?))
        })
        .collect()
}

/// The container's own process.
fn container(guest: &mut Guest) -> String {
    guest.run("ctr tasks list | awk '$1 == \"hello\" && $3 == \"RUNNING\" {print $2}' | grep .")
}
