//! Starting again: when, and how often.

use std::time::Duration;

use serde_json::json;

use crate::tree::Tree;

#[test]
fn pauses_double_up_to_the_limit() {
    let tree = Tree::start(&[(
        "crashes",
        "exec = [\"false\"]\nready = { path = \"/nowhere/at/all\" }\n\
         restart = { min = \"50ms\", max = \"200ms\" }",
    )]);
    let mut starts: Vec<u64> = Vec::new();
    for life in 1..=6 {
        tree.wait_for("crashes", |service| service["incarnation"].as_u64() >= Some(life));
        starts.push(tree.record("crashes").start_us);
    }
    let lives = tree.record("crashes").unit.incarnation.0;
    assert!(lives >= 6);
    let pauses: Vec<Duration> =
        starts.windows(2).map(|pair| Duration::from_micros(pair[1] - pair[0])).collect();
    // The first restart is at once; then 50, 100, 200, 200 ms, and the time that it ran.
    for (pause, least) in pauses.iter().zip([0, 50, 100, 200, 200]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
    let service = tree.status("crashes");
    assert_eq!(service["crash_looping"], true, "{service}");
}

#[test]
fn policies_are_kept() {
    let tree = Tree::start(&[
        ("never", "exec = [\"false\"]\nrestart = { policy = \"never\" }"),
        ("success", "exec = [\"true\"]\nrestart = { policy = \"on-failure\" }"),
        ("permanent", "exec = [\"false\"]\nfinish = [\"sh\", \"-c\", \"exit 125\"]"),
    ]);
    assert_eq!(tree.wait("never", "failed")["last_end"]["code"], 1);
    let ended = tree.wait_for("success", |service| {
        service["incarnation"] == 1 && service["pid"].is_null() && service["state"] != "starting"
    });
    assert_eq!(ended["failures"], 0, "{ended}");
    assert_eq!(tree.wait("permanent", "failed")["last_end"]["cause"], "permanent");
}

#[test]
fn a_restart_moves_nobody_else_unless_it_is_told_to() {
    let tree = Tree::start(&[
        ("base", "exec = [\"sleep\", \"1000\"]"),
        ("top", "exec = [\"sleep\", \"1000\"]\nrequires = [\"base\"]"),
    ]);
    tree.wait("top", "ready");
    let (base, top) = (tree.pid("base"), tree.pid("top"));
    tree.must("Restart", json!({ "names": ["base"], "wait": true }));
    assert_ne!(tree.pid("base"), base);
    assert_eq!(tree.pid("top"), top);
    tree.must("Restart", json!({ "names": ["base"], "with_dependents": true, "wait": true }));
    tree.wait_for("top", |service| service["state"] == "ready" && service["incarnation"] == 2);
    let (base, top) = (tree.record("base"), tree.record("top"));
    assert!(base.ready_us <= top.start_us, "in order");
}

#[test]
fn a_reload_reaches_the_process_and_says_when_it_cannot() {
    let dir = std::env::temp_dir().join(format!("cooper-reload-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let out = dir.display();
    let hears = format!(
        "exec = [\"sh\", \"-c\", \"trap 'echo >> {out}/heard' HUP; echo >&3; \
         while :; do sleep 0.02; done\"]\nready = {{ fd = 3 }}\nreload = {{ signal = \"SIGHUP\" }}"
    );
    let command = format!(
        "exec = [\"sleep\", \"1000\"]\nreload = {{ exec = [\"sh\", \"-c\", \"echo >> {out}/ran\"] }}"
    );
    let tree = Tree::start(&[
        ("hears", &hears),
        ("command", &command),
        ("cannot", "exec = [\"sleep\", \"1000\"]"),
    ]);
    for name in ["hears", "command", "cannot"] {
        tree.wait(name, "ready");
    }
    tree.must("Reload", json!({ "names": ["hears", "command"], "wait": true }));
    assert_eq!(std::fs::read_to_string(dir.join("ran")).unwrap(), "\n");
    tree.until("trapped signal", || dir.join("heard").exists());
    let (error, _) = tree.call("Reload", json!({ "names": ["cannot"] })).unwrap_err();
    assert_eq!(error, "Failed");
    drop(tree);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_reload_that_fails_is_said_and_outlives_the_supervisor() {
    // Whoever waits is refused with the reason; it stays to be read until a reload succeeds.
    let dir = tempfile::tempdir().unwrap();
    let flag = dir.path().join("works");
    let text = format!(
        "exec = [\"sleep\", \"1000\"]\nreload = {{ exec = [\"test\", \"-e\", \"{}\"] }}",
        flag.display()
    );
    let tree = Tree::start(&[("web", &text)]);
    tree.wait("web", "ready");
    let reload = || tree.call("Reload", json!({ "names": ["web"], "wait": true }));
    let (error, said) = reload().unwrap_err();
    assert_eq!(
        (error.as_str(), &said["why"]),
        ("Failed", &json!("its reload command failed: exit 1"))
    );
    let pid = tree.pid("web");
    tree.kill_supervise();
    let service = tree.wait_for("web", |service| service["reload_failed"]["code"] == 1);
    assert_eq!((tree.pid("web"), &service["state"]), (pid, &json!("ready")));
    std::fs::write(&flag, "").unwrap();
    reload().unwrap();
    let service = tree.status("web");
    assert_eq!((&service["reload_failed"], &service["why"]), (&json!(null), &json!("")));
}
