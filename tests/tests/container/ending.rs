//! The exit status, and what is left behind.

use crate::namespace::Plan;

#[test]
fn the_exit_status_is_the_commands() {
    let cases = [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)];
    for (script, status) in cases {
        let mut container = Plan::new().subtree().start(&["sh", "-c", script]);
        assert_eq!(container.ended().code(), Some(status), "{script}: {}", container.errors());
        assert_eq!(container.errors(), "", "{script}");
    }
}

#[test]
fn a_command_that_cannot_be_executed_has_a_shells_exit_status() {
    for (command, status, why) in
        [("no-such-program", 127, "no such file"), ("/etc/passwd", 126, "permission denied")]
    {
        let mut container = Plan::new().subtree().start(&[command]);
        assert_eq!(container.ended().code(), Some(status), "{}", container.errors());
        assert!(container.errors().contains(why), "{}", container.errors());
    }
}

#[test]
fn nothing_to_run_is_wrong_usage() {
    let mut container = Plan::new().subtree().start(&[]);
    assert_eq!(container.ended().code(), Some(100));
    assert!(container.errors().contains("nothing to run"), "{}", container.errors());
}

#[test]
fn a_thousand_orphans_are_reaped() {
    if !tests::may_unshare() {
        return;
    }
    let script = "i=0; while [ $i -lt 1000 ]; do (true &); i=$((i + 1)); done; \
                  while grep -qs '^State:.Z' /proc/[0-9]*/status; do sleep 0.05; done; echo none";
    let mut container = Plan::new().start(&["sh", "-c", script]);
    assert_eq!(container.ended().code(), Some(0), "{}", container.errors());
    assert_eq!(container.output(), "none\n");
}

#[test]
fn what_the_command_leaves_running_ends_with_it() {
    let plan = Plan::new().subtree();
    let script = "setsid sh -c 'echo $$ > @/left; exec sleep 1000' & \
                  while [ ! -s @/left ]; do sleep 0.02; done; exit 3";
    let mut container = plan.start(&["sh", "-c", script]);
    assert_eq!(container.ended().code(), Some(3));
    let left = std::fs::read_to_string(container.dir.join("left")).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/comm", left.trim()));
    assert!(!stat.is_ok_and(|name| name.trim() == "sleep"), "{left} lives");
}

#[test]
fn the_command_has_what_the_container_has() {
    // Variables, directory, umask, limits and priority are the engine's work, not ours to redo.
    let script = "echo $COLOUR; pwd; umask; ulimit -n; cat /proc/self/oom_score_adj; nice";
    let launch = "umask 027; ulimit -n 777; echo 321 > /proc/self/oom_score_adj; exec nice -n 3 \"$0\" \"$@\"";
    let plan = Plan::new().subtree().variable("COLOUR", "brown").through(&["sh", "-c", launch]);
    let mut container = plan.start(&["sh", "-c", script]);
    assert_eq!(container.ended().code(), Some(0), "{}", container.errors());
    let own = std::process::Command::new("nice").output().unwrap().stdout;
    let nice = (String::from_utf8(own).unwrap().trim().parse::<i32>().unwrap() + 3).min(19);
    let dir = container.dir.display().to_string();
    assert_eq!(container.output(), format!("brown\n{dir}\n0027\n777\n321\n{nice}\n"));
}
