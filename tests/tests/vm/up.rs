//! What is true of a node that has come up. Each step says its rule first.

use crate::guest::{Guest, LONGRUNS, ONESHOTS};

/// The boot target and everything it needs comes up by itself. What is left out is left out for a
/// reason: a getty on a console that this machine does not have.
pub fn everything_is_up(guest: &mut Guest) {
    guest.run("svc start default");
    for service in guest.services() {
        let name = service["name"].as_str().expect("a name");
        let state = service["state"].as_str().expect("a word");
        let fine = match state {
            "ready" | "done" => true,
            "skipped" => name.starts_with("getty@"),
            "down" => service["goal"] == "down",
            _ => false,
        };
        assert!(fine, "{service}");
    }
    for (names, state) in [(&LONGRUNS[..], "ready"), (&ONESHOTS[..], "done")] {
        for name in names {
            assert_eq!(guest.service(name)["state"], state, "{name}");
        }
    }
    eprintln!("up {:.1} s after power-on", guest.begin.elapsed().as_secs_f32());
}

/// Who took how long, and which chain decided it, from PID 1's first instruction.
pub fn the_boot_report_names_every_service(guest: &mut Guest) {
    let text = guest.run("svc boot --all");
    assert!(text.starts_with("all services: "), "{text}");
    assert!(!text.contains("not ready"), "{text}");
    for name in LONGRUNS.iter().chain(&ONESHOTS) {
        assert!(text.contains(name), "{text}");
    }
    let report = guest.svc("boot");
    let traces = report["traces"].as_array().expect("a list");
    let trace = |name: &str| traces.iter().find(|trace| trace["name"] == name).expect("a trace");
    let time = |name: &str, what: &str| trace(name)[what].as_u64().expect("a time");
    let order = ["containerd", "hello-image", "hello", "default"];
    for pair in order.windows(2) {
        assert!(time(pair[0], "ready_us") <= time(pair[1], "start_us"), "{pair:?} in {report}");
    }
    assert_eq!(trace("hello")["after"], "hello-image");
    assert!(time("default", "ready_us") <= report["settled_us"].as_u64().expect("it is over"));
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

/// node-setup has made a machine of it that daemons recognise as one, whatever its clock and its
/// network began with.
pub fn the_host_is_set_up(guest: &mut Guest) {
    let name = guest.run("hostname");
    assert!(name.starts_with("cooper-"), "made of the machine's own number: {name}");
    let uuid = guest.run("cat /sys/class/dmi/id/product_uuid").trim().replace('-', "");
    assert_eq!(guest.run("cat /etc/machine-id").trim(), uuid, "a virtual machine's own");
    // The hardware clock is of 2001; chronyd has nobody to ask.
    let year: u32 = guest.run("date +%Y").trim().parse().expect("a year");
    assert!(year >= 2026, "{}", guest.run("date"));
    let addresses = guest.run("ip address show lo");
    assert!(addresses.contains("127.0.0.1/8") && addresses.contains("::1/128"), "{addresses}");
    // Debian's sshd asks for it in its tmpfiles.d.
    guest.run("test -d /run/sshd");
    assert_eq!(guest.run("readlink /var/run"), "/run\n");
    // A seed is used once: each time there is another, and what was there counts.
    let seed = "sha256sum /var/lib/seedrng/seed.credit";
    let before = guest.run(seed);
    guest.run("svc restart random-seed");
    assert_ne!(guest.run(seed), before);
    let said = guest.run("svc logs random-seed");
    assert!(said.contains("bytes, counted, in the kernel"), "{said}");
    for name in ["clock", "filesystems", "firmware", "hostname", "limits", "machine-id", "swap"] {
        let said = guest.run(&format!("svc logs {name}"));
        assert!(said.contains(" 0 could not"), "{name}: {said}");
    }
}

/// Each service of set-up was given its part of the table, and has made it true.
pub fn the_profile_is_set_up(guest: &mut Guest) {
    let profiles = guest.svc("profiles");
    let chosen = |profile: &&serde_json::Value| !profile["chosen_by"].is_null();
    let chosen: Vec<&str> = profiles["profiles"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(chosen)
        .filter_map(|profile| profile["name"].as_str())
        .collect();
    assert_eq!(chosen, ["demonstration"]);
    assert_eq!(guest.run("cat /proc/sys/vm/overcommit_memory"), "1\n");
    assert!(guest.run("cat /proc/mounts").contains(" /dev/mqueue mqueue "));
    guest.run("test -d /sys/module/overlay");
    for name in ["modules", "mounts", "cgroups", "sysctl"] {
        let said = guest.run(&format!("svc logs {name}"));
        assert!(said.contains(" 0 could not"), "{name}: {said}");
    }
}

/// The cgroup is the proof of membership; PID 1's must be named /init.scope (k3s reads it).
pub fn each_service_lives_in_its_own_cgroup(guest: &mut Guest) {
    assert_eq!(guest.run("cat /proc/1/cgroup"), "0::/init.scope\n");
    for name in LONGRUNS {
        let pid = guest.pid(name);
        let cgroup = guest.run(&format!("cat /proc/{pid}/cgroup"));
        // What is delegated has its process one below, so that it can give controllers away.
        let place = match name {
            "containerd" => "/podruntime/containerd/main".to_owned(),
            name => format!("/system/{name}"),
        };
        assert_eq!(cgroup, format!("0::{place}\n"));
        let parent = guest.run(&format!("awk '/^PPid/{{print $2}}' /proc/{pid}/status"));
        assert_eq!(parent, "1\n", "{name} is a child of init");
    }
}

/// containerd, chronyd and sshd by sd_notify, seatd by a newline on its descriptor.
pub fn each_daemon_said_by_itself_that_it_was_ready(guest: &mut Guest) {
    // sshd writes its title over its environment.
    for name in ["containerd", "chronyd"] {
        let pid = guest.pid(name);
        let variables = guest.run(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
        assert!(variables.contains("NOTIFY_SOCKET=/run/cooper/notify/"), "{name}: {variables}");
        assert!(!variables.contains("INVOCATION_ID"), "k3s would choose the wrong cgroup driver");
    }
    let pid = guest.pid("seatd");
    let variables = guest.run(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
    assert!(!variables.contains("NOTIFY_SOCKET"), "{variables}");
}

/// They are no stand-ins: each is asked for what it is for.
pub fn each_daemon_does_its_work(guest: &mut Guest) {
    guest.container();
    guest.run("test -S /run/seatd.sock");
    let banner = guest.run("bash -c 'exec 3<> /dev/tcp/127.0.0.1/22; head -n 1 <&3'");
    assert!(banner.starts_with("SSH-2.0-OpenSSH"), "{banner}");
    let activity = guest.run("chronyc activity");
    assert!(activity.contains("sources"), "{activity}");
}
