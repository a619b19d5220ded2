//! Services beside a container's command: their order, what their ends mean, and mistakes.

use std::fs;

use rustix::process::Signal;

use crate::namespace::Plan;

#[test]
fn services_are_ready_before_the_command_begins_and_stop_after_it() {
    let database = "exec = [\"sh\", \"-c\", \"sleep 0.3; echo database up; echo >&3; exec 3>&-; \
                    trap 'echo database down; exit' TERM; while :; do sleep 0.02; done\"]\n\
                    ready = { fd = 3 }";
    let migrate = "type = \"oneshot\"\nexec = [\"echo\", \"migrated\"]\nrequires = [\"database\"]";
    let plan = Plan::new().subtree().service("database", database).service("migrate", migrate);
    let script =
        "echo command up; trap 'echo command down; exit 9' TERM; while :; do sleep 0.02; done";
    let mut container = plan.start(&["sh", "-c", script]);
    container.until_output("command up");
    let status = container.svc(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    for name in ["database", "main", "migrate"] {
        assert!(status.contains(name), "{status}");
    }
    container.signal(Signal::TERM);
    assert_eq!(container.ended().code(), Some(9), "{}", container.errors());
    let order = "database up\nmigrated\ncommand up\ncommand down\ndatabase down\n";
    assert_eq!(container.output(), order);
}

#[test]
fn a_service_that_needs_the_command_comes_after_it() {
    let exporter = "exec = [\"sh\", \"-c\", \"echo exporter; touch @/exporter; exec sleep 1000\"]\n\
                    after = [\"main\"]";
    let plan = Plan::new().subtree().service("exporter", exporter);
    let plan = plan.service("main", "ready = { path = \"@/ready\" }");
    let script = "echo command; sleep 0.2; touch @/ready; exec sleep 1000";
    let container = plan.start(&["sh", "-c", script]);
    container.until_file("exporter");
    assert_eq!(container.output(), "command\nexporter\n");
}

#[test]
fn a_file_for_the_command_says_what_it_needs_and_the_command_line_what_it_is() {
    let main = "exec = [\"echo\", \"from the file\"]\nrequires = [\"one\"]\n\
                [environment]\nCOLOUR = \"green\"";
    let one = "exec = [\"sleep\", \"1000\"]";
    // `two` would never let the command begin, if it had to wait for it.
    let two = "exec = [\"sleep\", \"1000\"]\nready = { path = \"@/never\" }";
    let files =
        || Plan::new().subtree().service("main", main).service("one", one).service("two", two);
    let mut container = files().variable("COLOUR", "brown").start(&["sh", "-c", "echo $COLOUR"]);
    assert_eq!(container.ended().code(), Some(0), "{}", container.errors());
    assert_eq!(container.output(), "green\n");
    let mut container = files().start(&[]);
    assert_eq!(container.ended().code(), Some(0), "{}", container.errors());
    assert_eq!(container.output(), "from the file\n");
}

#[test]
fn the_end_of_a_critical_service_is_the_containers() {
    let critical = "exec = [\"sh\", \"-c\", \"while [ ! -e @/go ]; do sleep 0.02; done; exit 5\"]\n\
                    critical = true";
    let mut container = Plan::new().subtree().service("critical", critical).start(&[
        "sh",
        "-c",
        "trap 'exit 99' TERM; touch @/go; while :; do sleep 0.02; done",
    ]);
    assert_eq!(container.ended().code(), Some(5), "{}", container.errors());
}

#[test]
fn another_services_end_is_not() {
    let other = "exec = [\"sh\", \"-c\", \"echo again; exit 5\"]\nrestart = { min = \"10ms\" }";
    let script = "while [ ! -e @/enough ]; do sleep 0.02; done; exit 6";
    let mut container = Plan::new().subtree().service("other", other).start(&["sh", "-c", script]);
    container.until("two restarts", || container.output().matches("again").count() > 2);
    fs::write(container.dir.join("enough"), "").unwrap();
    assert_eq!(container.ended().code(), Some(6), "{}", container.errors());
}

#[test]
fn services_alone_need_no_command() {
    // Signals mean then what they mean to a tree: SIGUSR1 ends it.
    let plan = Plan::new()
        .subtree()
        .service("one", "exec = [\"sh\", \"-c\", \"echo up; exec sleep 1000\"]");
    let mut container = plan.start(&[]);
    container.until_output("up");
    container.signal(Signal::USR1);
    assert_eq!(container.ended().code(), Some(0), "{}", container.errors());
}

#[test]
fn a_mistake_ends_it_at_once_with_all_that_is_wrong() {
    let plan = Plan::new().subtree().service("one", "exce = [\"true\"]");
    let plan = plan.service("two", "exec = [\"true\"]\nrequires = [\"thre\"]");
    let mut container = plan.start(&["sh", "-c", "echo began"]);
    assert_eq!(container.ended().code(), Some(4));
    assert_eq!(container.output(), "");
    for told in ["one.toml:1:1", "did you mean `exec`?", "two.toml:2:13", "no service `thre`"] {
        assert!(container.errors().contains(told), "{told}: {}", container.errors());
    }
}

#[test]
fn a_supervisor_that_is_killed_changes_nothing() {
    let plan = Plan::new().subtree().service("one", "exec = [\"sleep\", \"1000\"]");
    let script = "echo up; trap 'echo down; exit 8' QUIT; while :; do sleep 0.02; done";
    let mut container = plan.start(&["sh", "-c", script]);
    container.until_output("up");
    container.kill_supervise();
    container.until("a new one", || container.svc(&["explain", "main"]).status.success());
    container.signal(Signal::QUIT);
    assert_eq!(container.ended().code(), Some(8), "{}", container.errors());
    assert_eq!(container.output(), "up\ndown\n");
}
