//! Clients that mean no good cost only themselves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    dead_code,
    reason = "a test may fail loudly"
)]

mod common;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use common::{Client, Node, call, is_hung_up_on};
use login1::dbus::Message;

/// It still answers.
fn is_well(client: &mut Client) {
    client.call("org.freedesktop.DBus.Peer", "Ping", &[]);
    let (reply, _) = client.message();
    assert_eq!(Message::decode(&reply).unwrap().header.reply_to, 1);
}

#[test]
fn who_speaks_no_d_bus_is_hung_up_on() {
    let node = Node::start();
    let mut honest = node.client();
    for noise in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\0BEGIN\r\n",
        b"\0\xff\xfe\r\nBEGIN\r\n",
        &[0_u8; 4096],
        &[b'A'; 4096],
        &[&b"\0"[..], &[b'A'; 4000]].concat(),
        &[&b"\0"[..], "AUTH X\r\n".repeat(100).as_bytes()].concat(),
    ] {
        let mut socket = node.connect();
        socket.write_all(noise).unwrap();
        assert!(is_hung_up_on(&mut socket), "{noise:?}");
    }
    is_well(&mut honest);
}

#[test]
fn a_message_that_is_none_or_too_long_is_its_senders_last() {
    let node = Node::start();
    let mut honest = node.client();
    let good = call("a.b", "C", &["text"]);
    let mut endless = good.clone();
    endless[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut long = good.clone();
    long[12..16].copy_from_slice(&(1_u32 << 26).to_le_bytes());
    let mut other = good.clone();
    other[3] = 2;
    let mut nameless = good.clone();
    nameless[1] = 4;
    nameless[16] = 9;
    for bytes in [&[b'x'; 16][..], &endless, &long, &other, &nameless] {
        let mut client = node.client();
        client.0.write_all(bytes).unwrap();
        assert!(is_hung_up_on(&mut client.0), "{bytes:?}");
    }
    is_well(&mut honest);
}

#[test]
fn there_is_an_end_to_clients() {
    let node = Node::start();
    let mut honest = node.client();
    let mut many: Vec<_> = (0..40).map(|_| node.connect()).collect();
    assert!(is_hung_up_on(many.last_mut().unwrap()));
    is_well(&mut honest);
    drop(many);
    // As soon as it has noticed that they are gone, there is room again.
    let deadline = std::time::Instant::now() + common::PATIENCE;
    loop {
        let mut socket = node.connect();
        let asked = socket.write_all(b"\0AUTH\r\n");
        let mut answer = [0; 8];
        let answered = std::io::Read::read(&mut socket, &mut answer);
        if asked.is_ok() && answered.is_ok_and(|length| length > 0) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "there is no room");
    }
}

#[test]
fn who_takes_no_replies_is_heard_no_more() {
    let node = Node::start();
    let mut honest = node.client();
    let mut greedy = node.client();
    greedy.0.set_nonblocking(true).unwrap();
    let question = call("org.freedesktop.DBus.Introspectable", "Introspect", &[]);
    let mut asked = 0_usize;
    // Its own requests back up: the daemon keeps no more replies than it has a limit for.
    while greedy.0.write_all(&question).is_ok() {
        asked += 1;
        assert!(asked < 100_000, "it is heard for ever");
        if asked % 100 == 0 {
            is_well(&mut honest);
        }
    }
    is_well(&mut honest);
}

#[test]
fn a_lock_that_is_written_into_is_a_lock() {
    let node = Node::start();
    let mut client = node.client();
    let mut lock = std::fs::File::from(client.inhibit("noisy"));
    while lock.write_all(&[b'x'; 4096]).is_ok() {}
    is_well(&mut client);
    assert_eq!(node.inhibitors().len(), 1);
    drop(lock);
    node.hear("STATUS=a shutdown waits for noisy");
    node.hear("STATUS=nobody delays a shutdown");
}

#[test]
fn another_user_is_not_let_in() {
    let node = Node::start();
    let mode = std::fs::metadata(node.path("login1")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if !rustix::process::geteuid().is_root() {
        return; // Nobody else to be.
    }
    // Even if somebody opens the door.
    for (path, mode) in [("login1", 0o666), ("", 0o755)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(node.path(path), permissions).unwrap();
    }
    let program = node.path("program");
    std::fs::copy(env!("CARGO_BIN_EXE_login1"), &program).unwrap();
    let output = std::process::Command::new(&program)
        .arg("cancel-shutdown")
        .env("COOPER_RUN", node.directory.path())
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("login1: fatal: cannot "));
}
