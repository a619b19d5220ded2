//! What an admin does with a node that runs. Each step says its rule first.

use crate::guest::Guest;

/// `svc status` reads the state table, asks nobody, and needs no privileges.
pub fn status_answers_while_the_supervisor_is_stopped(guest: &mut Guest) {
    guest.run("kill -STOP $(pidof supervise)");
    let (status, text) = guest.try_run("su -s /bin/sh nobody -c 'id -un && svc status'");
    guest.run("kill -CONT $(pidof supervise)");
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("nobody\n") && text.contains("containerd"), "{text}");
}

/// Every state has a reason that a person can read.
pub fn explain_says_why(guest: &mut Guest) {
    let (status, text) = guest.try_run("svc stop seatd");
    assert_eq!(status, 1, "it would stop `default`, too, and nobody can be asked: {text}");
    assert!(text.contains("default"), "{text}");
    guest.run("svc stop --force seatd");
    let text = guest.run("svc explain seatd");
    assert!(text.starts_with("seatd: down, stopped on purpose"), "{text}");
    guest.run("svc start default");
    let text = guest.run("svc explain seatd");
    assert!(text.starts_with("seatd: ready"), "{text}");
}

/// `svc logs -f` shows what is written while it runs.
pub fn logs_follow(guest: &mut Guest) {
    let text = guest.run("timeout 60 /usr/bin/svc logs -f -n 0 hello | head -n 2");
    assert_eq!(text.lines().filter(|line| line.contains("hello ")).count(), 2, "{text}");
}

/// As the service's file says: by SIGHUP.
pub fn reload_keeps_the_process(guest: &mut Guest) {
    let pid = guest.pid("sshd");
    guest.run("svc reload sshd");
    assert_eq!(guest.pid("sshd"), pid);
    let said = guest.run("svc logs sshd");
    assert!(said.contains("Received SIGHUP; restarting."), "{said}");
}

/// The plan says what restarts and why; nothing else does.
pub fn apply_restarts_what_changed_and_nothing_else(guest: &mut Guest) {
    let before = guest.pids();
    guest.run(
        "mkdir -p /etc/cooper/services/chronyd.toml.d && \
         printf '[run]\\nnice = 5\\n' > /etc/cooper/services/chronyd.toml.d/nice.toml",
    );
    let plan = guest.run("svc apply --dry-run");
    assert!(plan.starts_with("restart  chronyd  run changed"), "{plan}");
    assert_eq!(plan.lines().count(), 2, "one change, and that it was not made: {plan}");
    assert_eq!(guest.pids(), before, "a dry run changed something");
    guest.run("svc apply && svc start default");
    let changed: Vec<_> = guest.pids().difference(&before).cloned().collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].0, "chronyd");
    let pid = guest.pid("chronyd");
    let nice = guest.run(&format!("awk '{{print $19}}' /proc/{pid}/stat"));
    assert_eq!(nice, "5\n");
}

/// A node that becomes one of another profile as well is set up for it at once; of set-up only that
/// runs again whose own part of the table has changed. What contradicts itself is refused.
pub fn apply_sets_up_what_another_profile_wants(guest: &mut Guest) {
    let wanting = |name: &str, key: &str, value: &str| {
        let entry = format!(r#"key = "{key}"\nvalue = "{value}"\nwhy = "a test"\nsource = "it""#);
        let text = format!(r#"description = "{name}"\n[[sysctl]]\n{entry}\n"#);
        let profiles =
            r#"s/^profiles.*/profiles = ["demonstration", "NAME"]/"#.replace("NAME", name);
        format!(
            "printf '{text}' > /etc/cooper/profiles/{name}.toml && \
             sed -i '{profiles}' /etc/cooper/node.toml"
        )
    };
    let setting = |key: &str| format!("cat /proc/sys/{}", key.replace('.', "/"));
    guest.run(&wanting("second", "vm.max_map_count", "262145"));
    let before = guest.pids();
    let plan = guest.run("svc apply --dry-run");
    assert!(plan.contains("sysctl "), "{plan}");
    for other in ["modules", "mounts", "cgroups", "containerd", "hello"] {
        assert!(!plan.contains(&format!("  {other} ")), "{other}: {plan}");
    }
    guest.run("svc apply && svc start default");
    assert_eq!(guest.run(&setting("vm.max_map_count")), "262145\n");
    assert_eq!(guest.run(&setting("vm.overcommit_memory")), "1\n", "the first one's");
    let changed: Vec<_> = guest.pids().difference(&before).cloned().collect();
    assert!(changed.iter().all(|(name, _)| name == "sysctl-watch"), "{changed:?}");

    guest.run(&wanting("third", "vm.overcommit_memory", "2"));
    let (status, text) = guest.try_run("svc apply");
    assert_eq!(status, 4, "{text}");
    let told = "`vm.overcommit_memory` cannot be both 1 (demonstration) and 2 (third)";
    assert!(text.contains(told), "{text}");
    guest.run(r#"sed -i 's/, "third"//' /etc/cooper/node.toml && svc apply"#);
}

/// A module that the kernel lacks is told by name, and holds nothing up.
pub fn a_module_that_is_missing_holds_nothing_up(guest: &mut Guest) {
    let entry = r#"name = "nosuch"\nwhy = "a test"\nsource = "it""#;
    guest.run(&format!(
        "printf 'description = \"lacking\"\n[[module]]\n{entry}\n' \
         > /etc/cooper/profiles/lacking.toml && cp /etc/cooper/node.toml /tmp && \
         sed -i 's/^profiles = ./&\"lacking\", /' /etc/cooper/node.toml"
    ));
    let before = guest.pids();
    guest.try_run("svc apply");
    let (_, status) = guest.try_run("svc status modules");
    let (_, why) = guest.try_run("svc explain modules");
    for said in [&status, &why] {
        assert!(said.contains("exit 111: cannot load nosuch: the kernel "), "{said}");
    }
    guest.run("svc restart containerd sshd");
    let changed: Vec<_> = guest.pids().difference(&before).map(|(name, _)| name.clone()).collect();
    assert_eq!(changed, ["containerd", "sshd"], "{status}");
    guest.run("mv /tmp/node.toml /etc/cooper && svc apply && svc start modules");
}

/// A mistake is told with its place, and neither the graph in force nor the next boot's changes.
pub fn a_broken_file_changes_nothing(guest: &mut Guest) {
    let graph = "readlink /var/lib/cooper/graph/current; sha256sum < /run/cooper/graph";
    let before = (guest.pids(), guest.run(graph));
    guest.run("printf 'exce = [\"/bin/true\"]\\n' > /etc/cooper/services/broken.toml");
    let (status, text) = guest.try_run("svc apply");
    assert_eq!(status, 4, "{text}");
    assert!(text.contains("/etc/cooper/services/broken.toml:1:1"), "{text}");
    assert!(text.contains("did you mean `exec`"), "{text}");
    guest.run("rm /etc/cooper/services/broken.toml");
    assert_eq!((guest.pids(), guest.run(graph)), before);
}

/// Everyone may look; nobody but root and operators may touch.
pub fn only_root_may_change_something(guest: &mut Guest) {
    let before = guest.pids();
    let (status, text) = guest.try_run("su -s /bin/sh nobody -c 'svc restart sshd'");
    assert_eq!(status, 1, "{text}");
    assert_eq!(guest.pids(), before);
}
