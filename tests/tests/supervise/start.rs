//! Starting: the order, the failures, what a process is given.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::tree::{Tree, members};

#[test]
fn services_start_in_order_and_are_children_of_init_in_their_cgroups() {
    let tree = Tree::start(&[
        ("first", "exec = [\"sleep\", \"1000\"]"),
        ("second", "exec = [\"sleep\", \"1000\"]\nrequires = [\"first\"]"),
        ("default", "type = \"bundle\"\nrequires = [\"second\"]"),
    ]);
    tree.wait("default", "ready");
    tree.until("end of the boot", || tree.live().settled_us > 0);
    let (first, second) = (tree.record("first"), tree.record("second"));
    assert!(first.ready_us <= second.start_us, "{first:?} {second:?}");
    for (name, record) in [("first", first), ("second", second)] {
        let stat = fs::read_to_string(format!("/proc/{}/stat", record.main_pid)).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        assert_eq!(rest.split(' ').nth(1), Some(tree.init().to_string().as_str()));
        assert_eq!(members(&tree.cgroup(name)), [record.main_pid]);
    }
}

#[test]
fn a_program_that_is_not_there_is_told_by_step_and_reason() {
    let tree = Tree::start(&[
        ("broken", "exec = [\"/nowhere/at/all\"]\nrestart = { policy = \"never\" }"),
        ("waits", "exec = [\"sleep\", \"1000\"]\nrequires = [\"broken\"]"),
        ("goes-on", "exec = [\"sleep\", \"1000\"]\nwants = [\"broken\"]"),
    ]);
    let broken = tree.wait("broken", "failed");
    assert_eq!(broken["last_end"]["cause"], "not_spawned");
    assert_eq!(broken["last_end"]["errno"], 2);
    assert!(broken["why"].as_str().unwrap().contains("no such file"), "{broken}");
    tree.wait("goes-on", "ready");
    let waits = tree.wait("waits", "waiting");
    assert_eq!(waits["waiting_on"], "broken");
    assert_ne!(waits["since_us"], 0, "since when: {waits}");
    let chain = tree.must("Explain", json!({ "name": "waits" }));
    assert_eq!(chain["chain"][1]["name"], "broken", "{chain}");
}

#[test]
fn a_dependent_goes_on_once_what_it_requires_comes_up() {
    let dir = std::env::temp_dir().join(format!("cooper-mark-{}", std::process::id()));
    let mark = dir.display();
    let tree = Tree::start(&[
        (
            "late",
            &format!(
                "type = \"oneshot\"\nexec = [\"test\", \"-e\", \"{mark}\"]\n\
                 restart = {{ policy = \"never\" }}"
            ),
        ),
        ("waits", "exec = [\"sleep\", \"1000\"]\nrequires = [\"late\"]"),
    ]);
    tree.wait("late", "failed");
    tree.wait("waits", "waiting");
    fs::write(&dir, "").unwrap();
    tree.must("Start", json!({ "names": ["late"], "wait": true }));
    tree.wait("waits", "ready");
    fs::remove_file(&dir).unwrap();
}

#[test]
fn conditions_and_templates_are_heeded() {
    let tree = Tree::start(&[
        ("never", "exec = [\"sleep\", \"1000\"]\n[condition]\npath-exists = \"/nowhere/at/all\""),
        ("always", "exec = [\"sleep\", \"1000\"]\n[condition]\npath-exists = \"/proc/self\""),
        ("pause@", "exec = [\"sleep\", \"%i\"]"),
        ("default", "type = \"bundle\"\nwants = [\"never\", \"always\", \"pause@1234\"]"),
    ]);
    tree.wait("default", "ready");
    let never = tree.wait("never", "skipped");
    assert!(never["why"].as_str().unwrap().contains("/nowhere/at/all"), "{never}");
    tree.wait("always", "ready");
    let pid = tree.pid("pause@1234");
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(command, b"sleep\x001234\0");
}

#[test]
fn one_hundred_services_come_up() {
    // More than may be between clone and exec at once.
    let names: Vec<String> = (0..100).map(|number| format!("s{number}")).collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "exec = [\"sleep\", \"1000\"]")).collect();
    let tree = Tree::start(&files);
    for name in &names {
        tree.wait(name, "ready");
    }
}

#[test]
fn every_attribute_is_there_on_the_live_process() {
    let tree = Tree::start(&[(
        "full",
        "exec = [\"sleep\", \"1000\"]\nwatchdog = \"10m\"\nready = { exec = [\"true\"] }\n\
         [environment]\nGREETING = \"hello\"\n\
         [run]\nuser = \"nobody\"\ngroup = \"65534\"\ngroups = [\"1234\"]\ncwd = \"/tmp\"\n\
         umask = \"0027\"\nnice = 5\noom-score-adj = 500\nno-new-privs = true\n\
         limits = { nofile = \"100:200\", core = \"0\" }\n\
         capabilities = { bounding = [\"net_bind_service\"], ambient = [\"net_bind_service\"] }\n\
         mounts = { tmpfs = [\"/mnt\"] }",
    )]);
    tree.wait("full", "ready");
    let pid = tree.pid("full");
    let read = |name: &str| {
        String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{name}")).unwrap()).into_owned()
    };
    let status = read("status");
    for line in [
        "Umask:\t0027",
        "Uid:\t65534\t65534\t65534\t65534",
        "Gid:\t65534\t65534\t65534\t65534",
        "Groups:\t1234 65534 ",
        "NoNewPrivs:\t1",
        "CapBnd:\t0000000000000400",
        "CapEff:\t0000000000000400",
    ] {
        assert!(status.lines().any(|found| found == line), "{line}: {status}");
    }
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(), Some("/tmp"));
    assert_eq!(read("oom_score_adj"), "500\n");
    assert_eq!(read("stat").rsplit_once(") ").unwrap().1.split(' ').nth(16), Some("5"), "nice");
    let limits = read("limits");
    assert!(limits.contains("Max open files            100                  200"), "{limits}");
    assert!(read("mounts").lines().any(|line| line.contains(" /mnt tmpfs ")));
    let environment = read("environ");
    let variables: Vec<&str> = environment.split('\0').collect();
    for variable in ["GREETING=hello", "WATCHDOG_USEC=600000000", &format!("WATCHDOG_PID={pid}")] {
        assert!(variables.contains(&variable), "{variable}: {variables:?}");
    }
    assert!(!environment.contains("INVOCATION_ID") && !environment.contains("COOPER_"));
}

#[test]
fn a_service_without_privileges_may_open_its_output_by_name() {
    // Programs are told to log to /dev/stderr, and open it anew; the log's FIFO is theirs.
    let tree = Tree::start(&[(
        "named",
        "exec = [\"sh\", \"-c\", \"echo by name > /dev/stderr; exec sleep 1000\"]\n\
         [run]\nuser = \"nobody\"",
    )]);
    tree.until("line in the log", || tree.log("named").contains("by name"));
}

#[test]
fn a_command_of_a_container_ends_the_tree_with_its_status() {
    let mut tree = Tree::start_command(&["sh", "-c", "sleep 0.2; exit 3"]);
    assert_eq!(tree.ended().code(), Some(3));
}

#[test]
fn an_idle_tree_never_wakes() {
    let tree = Tree::start(&[("a", "exec = [\"sleep\", \"1000\"]")]);
    tree.wait("a", "ready");
    let supervise = tree.supervise().unwrap();
    let switches = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    let both = || [switches(supervise), switches(tree.init())];
    // The last client's hanging up is heard first.
    let mut before = both();
    let mut since = Instant::now();
    tree.until("two seconds of silence", || {
        let now = both();
        if before != now {
            (before, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(2)
    });
}

#[test]
fn a_consumer_reads_what_another_service_says() {
    let out = std::env::temp_dir().join(format!("cooper-consumer-{}", std::process::id()));
    let tree = Tree::start(&[
        ("reads", &format!("exec = [\"sh\", \"-c\", \"exec cat > {}\"]", out.display())),
        ("says", "exec = [\"sh\", \"-c\", \"echo heard; exec sleep 1000\"]\nlog = \"reads\""),
    ]);
    tree.wait("says", "ready");
    tree.until("line", || fs::read_to_string(&out).is_ok_and(|text| text == "heard\n"));
    fs::remove_file(out).unwrap();
}
