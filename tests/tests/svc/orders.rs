//! Orders: what they wait for, what they refuse, and supervisors that die meanwhile.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::program::{Said, command, expect, svc, svc_as_nobody};
use crate::tree::Tree;

const SLEEP: &str = "exec = [\"/bin/sleep\", \"1000\"]\n";
const ABOVE: &str = "exec = [\"/bin/sleep\", \"1000\"]\nrequires = [\"a\"]\n";
const NEVER: &str =
    "exec = [\"/bin/sleep\", \"1000\"]\nready = { notify = \"systemd\", timeout = \"1m\" }\n";
const FAILS: &str = "type = \"oneshot\"\nexec = [\"/bin/false\"]\n";
const DEFAULT: &str = "type = \"bundle\"\nwants = [\"above\", \"talks\"]\n";
const TALKS: &str = "exec = [\"/bin/sh\", \"-c\", \"echo hello; exec sleep 1000\"]\n";

/// So many supervisors die while an order is given.
const KILLS: u32 = 40;

fn tree() -> Tree {
    let tree = Tree::start(&[
        ("a", SLEEP),
        ("above", ABOVE),
        ("never", NEVER),
        ("fails", FAILS),
        ("talks", TALKS),
        ("default", DEFAULT),
    ]);
    tree.wait("above", "ready");
    tree
}

#[test]
fn orders_end_when_they_are_carried_out() {
    let tree = tree();
    expect(svc(&tree, &["stop", "above"]), 0);
    assert_eq!(tree.status("above")["state"], "down");
    expect(svc(&tree, &["start", "above"]), 0);
    assert_eq!(tree.status("above")["state"], "ready");
    let before = tree.pid("a");
    expect(svc(&tree, &["restart", "a"]), 0);
    assert_ne!(tree.pid("a"), before);
    assert_eq!(tree.status("above")["incarnation"], 2, "it stays up");
    expect(svc(&tree, &["restart", "--with-dependents", "a"]), 0);
    assert_eq!(tree.status("above")["incarnation"], 3);
}

#[test]
fn failures_and_patience_have_their_exit_statuses() {
    let tree = tree();
    let said = expect(svc(&tree, &["start", "fails"]), 1);
    assert!(said.err.starts_with("svc: fails is failed: exit 1"), "{said:?}");
    let said = expect(svc(&tree, &["start", "--timeout", "200ms", "never"]), 2);
    assert!(said.err.starts_with("svc: not in time: waiting for never (starting"), "{said:?}");
    expect(svc(&tree, &["start", "--no-wait", "never"]), 0);
    expect(svc(&tree, &["start"]), 100);
}

#[test]
fn a_stop_that_reaches_further_is_refused_unless_forced() {
    let tree = tree();
    let said = expect(svc(&tree, &["stop", "a"]), 1);
    let refusal = "svc: refused: it would also stop above; --force does it\n";
    assert!(said.err.ends_with(refusal), "{said:?}");
    assert_eq!(tree.status("above")["state"], "ready");
    let said = expect(svc(&tree, &["plan", "stop", "a"]), 0);
    assert_eq!(said.out, "stop    above\nstop    a\n");
    expect(svc(&tree, &["stop", "--force", "a"]), 0);
    assert_eq!(tree.status("above")["state"], "down");
}

#[test]
fn only_root_and_operators_change_things() {
    let tree = tree();
    for order in [&["restart", "a"][..], &["stop", "above"], &["signal", "a", "HUP"], &["poweroff"]]
    {
        let said = expect(svc_as_nobody(&tree, order), 1);
        assert_eq!(said.err, "svc: only root and operators may do this\n", "{order:?}");
    }
    assert_eq!(tree.status("above")["incarnation"], 1);
}

#[test]
fn what_services_print_can_be_read() {
    let tree = tree();
    tree.wait("talks", "ready");
    // Until cooper-log has written it.
    tree.until("line", || svc(&tree, &["logs", "talks"]).out.ends_with("Z hello\n"));
    let said = expect(svc(&tree, &["logs", "--json", "talks"]), 0);
    assert!(said.out.contains("\"service\":\"talks\""), "{said:?}");
    expect(svc(&tree, &["logs", "--since", "soon", "talks"]), 100);
}

#[test]
fn poweroff_ends_the_tree() {
    let mut tree = tree();
    expect(svc(&tree, &["poweroff"]), 0);
    assert!(tree.ended().success());
}

/// A moment within the time that an order takes.
fn moment(state: &mut u64) -> Duration {
    // xorshift64.
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    Duration::from_micros(*state % 15_000)
}

#[test]
fn a_supervisor_that_is_killed_loses_no_order_and_does_none_twice() {
    let tree = tree();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap() | 1;
    println!("seed {seed}");
    let mut state = seed;
    for round in 0..KILLS {
        let before = tree.record("a");
        let above = tree.pid("above");
        let call = command(&tree, &["restart", "a"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let moment = moment(&mut state);
        while begun.elapsed() < moment {
            std::hint::spin_loop();
        }
        tree.kill_supervise();
        let said: Said = call.wait_with_output().unwrap().into();
        assert_eq!(said.status, 0, "seed {seed}, round {round}: {said:?}\n{}", tree.said());
        let after = tree.record("a");
        let lives = after.unit.incarnation.0 - before.unit.incarnation.0;
        // A start that was cut short before its program was executed is made again.
        let made_again = after.restarts - before.restarts;
        assert!(made_again <= 1, "seed {seed}, round {round}: {after:?}\n{}", tree.said());
        assert_eq!(lives, 1 + made_again, "seed {seed}, round {round}: {after:?}");
        assert_eq!(tree.pid("above"), above, "seed {seed}, round {round}");
    }
}
