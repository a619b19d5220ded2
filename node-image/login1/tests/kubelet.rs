//! What kubelet's D-Bus library (godbus; 5.1.0 and 5.2.2 agree) writes, byte by byte, as recorded;
//! and that it is understood. The real kubelet is in `tests/real`.

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

use common::{Client, Node, line};
use login1::dbus::{Kind, Message};

const HELLO: &[u8] = b"l\x01\x00\x01\0\0\0\0\x01\0\0\0\x6d\0\0\0\
    \x01\x01o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0\
    \x06\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0\
    \x03\x01s\0\x05\0\0\0Hello\0\0\0\
    \x02\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0";
const GET: &[u8] = b"l\x01\x00\x01\x3c\0\0\0\x02\0\0\0\x80\0\0\0\
    \x06\x01s\0\x16\0\0\0org.freedesktop.login1\0\0\
    \x03\x01s\0\x03\0\0\0Get\0\0\0\0\0\
    \x02\x01s\0\x1f\0\0\0org.freedesktop.DBus.Properties\0\
    \x08\x01g\0\x02ss\0\
    \x01\x01o\0\x17\0\0\0/org/freedesktop/login1\0\
    \x1e\0\0\0org.freedesktop.login1.Manager\0\0\x13\0\0\0InhibitDelayMaxUSec\0";
const INHIBIT: &[u8] = b"l\x01\x00\x01\x56\0\0\0\x03\0\0\0\x82\0\0\0\
    \x01\x01o\0\x17\0\0\0/org/freedesktop/login1\0\
    \x06\x01s\0\x16\0\0\0org.freedesktop.login1\0\0\
    \x03\x01s\0\x07\0\0\0Inhibit\0\
    \x02\x01s\0\x1e\0\0\0org.freedesktop.login1.Manager\0\0\
    \x08\x01g\0\x04ssss\0\0\0\0\0\0\0\
    \x08\0\0\0shutdown\0\0\0\0\x07\0\0\0kubelet\0\
    \x2a\0\0\0Kubelet needs time to handle node shutdown\0\0\x05\0\0\0delay\0";
const ADD_MATCH: &[u8] = b"l\x01\x00\x01\x78\0\0\0\x04\0\0\0\x7f\0\0\0\
    \x01\x01o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0\
    \x06\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0\
    \x03\x01s\0\x08\0\0\0AddMatch\0\0\0\0\0\0\0\0\
    \x02\x01s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0\
    \x08\x01g\0\x01s\0\0\
    s\0\0\0type='signal',interface='org.freedesktop.login1.Manager',\
    member='PrepareForShutdown',path='/org/freedesktop/login1'\0";

#[test]
fn kubelet_holds_a_shutdown_until_its_pods_are_gone() {
    let node = Node::start();
    let mut socket = node.connect();
    for (said, answer) in [
        (&b"\0"[..], ""),
        (b"AUTH\r\n", "REJECTED EXTERNAL"),
        (b"AUTH EXTERNAL\r\n", "DATA"),
        (b"DATA\r\n", "OK "),
        (b"NEGOTIATE_UNIX_FD\r\n", "AGREE_UNIX_FD"),
    ] {
        socket.write_all(said).unwrap();
        assert!(answer.is_empty() || line(&mut socket).starts_with(answer), "{answer}");
    }
    let mut kubelet = Client(socket);
    kubelet.0.write_all(b"BEGIN\r\n").unwrap();

    let mut ask = |bytes: &[u8], serial, signature: &str| {
        kubelet.0.write_all(bytes).unwrap();
        let (reply, descriptor) = kubelet.message();
        let message = Message::decode(&reply).unwrap();
        assert_eq!(message.header.kind, Kind::Return, "{:?}", message.header);
        assert_eq!((message.header.reply_to, message.header.signature), (serial, signature));
        (reply, descriptor)
    };
    let (hello, _) = ask(HELLO, 1, "s");
    assert!(Message::decode(&hello).unwrap().body.string().unwrap().starts_with(":1."));
    let (delay, _) = ask(GET, 2, "v");
    let mut delay = Message::decode(&delay).unwrap().body;
    assert_eq!(delay.signature().unwrap(), "t");
    delay.align(8).unwrap();
    assert_eq!(delay.take(8).unwrap(), 90_000_000_u64.to_le_bytes());
    let lock = ask(INHIBIT, 3, "h").1.expect("a descriptor");
    ask(ADD_MATCH, 4, "");

    node.shut_down(common::PATIENCE);
    let mut prepare = node.prepare("1m");
    kubelet.is_told(true);
    prepare.says("waiting for kubelet");
    drop(lock);
    let record = prepare.ends();
    assert_eq!(record.ending, "reboot");
    let [holder] = record.holders.as_slice() else { panic!("{record:?}") };
    assert_eq!(holder.who, "kubelet");
    assert_eq!(holder.why, "Kubelet needs time to handle node shutdown");
    assert!(holder.released_ms.is_some());
}
