//! The daemon and those who wait for its locks, as processes; and what becomes of a shutdown when
//! either dies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "a test may fail loudly"
)]

mod common;

use std::time::Duration;

use common::{Node, PATIENCE, is_hung_up_on};
use wire::state::Live;

#[test]
fn a_holder_that_never_lets_go_loses() {
    let node = Node::start();
    let mut kubelet = node.client();
    let _lock = kubelet.inhibit("kubelet");
    kubelet.subscribe();
    node.shut_down(PATIENCE);
    let prepare = node.prepare("1s");
    kubelet.is_told(true);
    let record = prepare.ends();
    assert_eq!((record.patience_ms, record.holders.len()), (1000, 1));
    assert!(record.waited_ms >= 1000);
    assert_eq!(record.holders[0].released_ms, None, "{record:?}");
    // The shutdown goes on: nobody is told otherwise.
    kubelet.call("org.freedesktop.DBus.Peer", "Ping", &[]);
    let (reply, _) = kubelet.message();
    assert_eq!(login1::dbus::Message::decode(&reply).unwrap().header.reply_to, 1);
}

#[test]
fn the_services_that_stop_later_keep_their_part_of_the_time() {
    let node = Node::start();
    let _lock = node.client().inhibit("kubelet");
    node.shut_down(Duration::from_secs(3));
    let record = node.prepare("1h").ends();
    assert!((1000..=2000).contains(&record.patience_ms), "{record:?}");
}

#[test]
fn a_record_that_cannot_be_written_costs_nobody_anything() {
    let node = Node::start();
    let place = node.path("file");
    std::fs::write(&place, "").unwrap();
    let mut command = node.login1(&["note-boot", "--record"]);
    let output = command.arg(place.join("below")).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: cannot "), "{output:?}");
}

#[test]
fn nobody_is_told_unless_the_node_goes_down() {
    let node = Node::start();
    node.write_state(&Live::default());
    let record = node.path("record");
    let mut command = node.login1(&["prepare-for-shutdown", "--record"]);
    let output = command.arg(&record).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("does not shut down"));
    assert!(!record.exists());
    // Whether it does must be known.
    std::fs::write(node.path("state"), "nonsense").unwrap();
    assert_eq!(node.login1(&["prepare-for-shutdown"]).status().unwrap().code(), Some(1));
}

#[test]
fn a_shutdown_that_is_broken_off_is_taken_back() {
    let node = Node::start();
    let mut kubelet = node.client();
    let _lock = kubelet.inhibit("kubelet");
    kubelet.subscribe();
    node.shut_down(PATIENCE);
    let mut prepare = node.prepare("1m");
    kubelet.is_told(true);
    prepare.child.kill().unwrap();
    kubelet.is_told(false);
    prepare.child.wait().unwrap();
}

#[test]
fn a_rehearsal_is_taken_back_by_hand() {
    let node = Node::start();
    let mut kubelet = node.client();
    kubelet.subscribe();
    let mut command = node.login1(&["prepare-for-shutdown", "--force", "--record"]);
    assert!(command.arg(node.path("record")).status().unwrap().success());
    kubelet.is_told(true);
    assert!(!node.path("record").exists(), "it is not how this boot ends");
    assert!(node.login1(&["cancel-shutdown"]).status().unwrap().success());
    kubelet.is_told(false);
}

#[test]
fn a_lock_outlives_the_daemon() {
    let mut node = Node::start();
    let mut kubelet = node.client();
    let lock = kubelet.inhibit("kubelet");
    let other = kubelet.inhibit("other");
    node.kill();
    assert!(is_hung_up_on(&mut kubelet.0));
    assert_eq!(node.inhibitors().len(), 2, "who holds what needs no daemon");
    drop(other);
    node.start_again();
    let held = node.inhibitors();
    assert_eq!((held.len(), &held[0]["who"]), (1, &"kubelet".into()));
    assert_eq!(std::fs::read_dir(node.path("inhibit")).unwrap().count(), 2, "the other is swept");
    // A lock that was taken before the daemon died is waited for all the same.
    node.shut_down(PATIENCE);
    let mut prepare = node.prepare("1m");
    prepare.says("waiting for kubelet");
    drop(lock);
    prepare.says("kubelet has let go");
    assert_eq!(prepare.ends().holders.len(), 1);
    // And the daemon has noticed by itself.
    node.hear("STATUS=nobody delays a shutdown");
    assert!(node.inhibitors().is_empty());
}

#[test]
fn a_shutdown_outlives_the_daemon() {
    let mut node = Node::start();
    let mut kubelet = node.client();
    let lock = kubelet.inhibit("kubelet");
    kubelet.subscribe();
    node.shut_down(PATIENCE);
    let mut prepare = node.prepare("1m");
    kubelet.is_told(true);
    prepare.says("waiting for kubelet");
    node.kill();
    node.start_again();
    // As kubelet does it: it connects again, takes a new lock, drops the old one, subscribes. That
    // there is a shutdown, it hears again.
    let mut kubelet = node.client();
    let next = kubelet.inhibit("kubelet");
    drop(lock);
    prepare.says("waiting for kubelet");
    kubelet.subscribe();
    kubelet.is_told(true);
    drop(next);
    let record = prepare.ends();
    assert!(record.holders.iter().all(|holder| holder.released_ms.is_some()), "{record:?}");
    assert_eq!(record.holders.len(), 2);
}

#[test]
fn a_daemon_that_stays_away_delays_nothing() {
    let mut node = Node::start();
    let lock = node.client().inhibit("kubelet");
    node.shut_down(PATIENCE);
    let mut prepare = node.prepare("1m");
    prepare.says("waiting for kubelet");
    node.kill();
    drop(lock);
    assert!(prepare.ends().holders[0].released_ms.is_some());
    // Those who were never told are not waited for.
    let record = node.prepare("1m").ends();
    assert!(record.fault.is_some_and(|fault| fault.contains("cannot connect to")));
}

#[test]
fn only_one_daemon_runs() {
    let node = Node::start();
    let output = node.login1(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(111));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another login1 does"));
    assert_eq!(node.login1(&["fly"]).output().unwrap().status.code(), Some(100));
    assert_eq!(node.login1(&["--delay-max", "5"]).output().unwrap().status.code(), Some(100));
}
