//! What must go on whatever dies. Each step says its rule first.

use crate::guest::Guest;

/// kill = "process": a runtime's restart leaves its containers alone.
pub fn the_container_outlives_containerd(guest: &mut Guest) {
    let (daemon, container) = (guest.pid("containerd"), guest.container());
    guest.run("svc restart containerd");
    assert_ne!(guest.pid("containerd"), daemon, "containerd was not restarted");
    assert_eq!(guest.container(), container, "the container was restarted");
    let said = guest.run("svc logs -n 1 hello");
    assert!(said.contains("hello "), "the container's output is in its log: {said}");
}

/// `kill -9` of `supervise` disturbs nothing, and the next one knows everything.
pub fn everything_outlives_the_supervisor(guest: &mut Guest) {
    let (before, container) = (guest.pids(), guest.container());
    for _ in 0..5 {
        let old = guest.run("pidof supervise");
        guest.run("kill -9 $(pidof supervise)");
        guest.run("svc status containerd && svc start default");
        assert_ne!(guest.run("pidof supervise"), old);
    }
    assert_eq!(guest.pids(), before);
    assert_eq!(guest.container(), container);
}

/// A fatal signal to PID 1 makes it execute itself anew; nothing else notices.
pub fn everything_outlives_init_itself(guest: &mut Guest) {
    let (before, supervise) = (guest.pids(), guest.run("pidof supervise"));
    guest.run("kill -SEGV 1");
    guest.run("svc start default");
    assert_eq!(guest.pids(), before);
    assert_eq!(guest.run("pidof supervise"), supervise);
    let said = guest.run("svc logs cooper");
    assert!(said.contains("ended by signal 11"), "{said}");
}

/// The logger is restarted; what was written meanwhile waits in the pipes.
pub fn everything_outlives_the_logger(guest: &mut Guest) {
    let (before, old) = (guest.pids(), guest.run("pidof cooper-log"));
    guest.run("kill -9 $(pidof cooper-log)");
    // busybox takes `svc` for its own. The logger is there again when it has written what comes
    // next.
    guest.run("timeout 60 /usr/bin/svc logs -f -n 0 hello | head -n 1 | grep .");
    assert_ne!(guest.run("pidof cooper-log"), old);
    assert_eq!(guest.pids(), before);
}

/// Its own restart, counted; nobody else's.
pub fn a_daemon_that_is_killed_comes_back(guest: &mut Guest) {
    let before = guest.pids();
    let restarts = guest.service("chronyd")["restarts"].as_u64().expect("a number");
    guest.run("kill -9 $(pidof chronyd)");
    guest.run("svc start chronyd");
    let service = guest.service("chronyd");
    assert_eq!(service["restarts"].as_u64(), Some(restarts + 1), "{service}");
    assert_eq!(service["last_end"]["signal"], 9, "{service}");
    let after = guest.pids();
    let gone: Vec<_> = before.difference(&after).map(|(name, _)| name.as_str()).collect();
    assert_eq!(gone, ["chronyd"]);
}

/// After all of that: the container counts, and no number is missing, or there twice.
pub fn no_line_of_the_container_is_lost(guest: &mut Guest) {
    let said = guest.run("svc logs -n 100000 hello");
    let numbers: Vec<u32> =
        said.lines().filter_map(|line| line.rsplit_once("hello ")?.1.parse().ok()).collect();
    assert!(numbers.len() >= 10, "{said}");
    for (expected, number) in (0..).zip(&numbers) {
        assert_eq!(expected, *number, "{said}");
    }
}
