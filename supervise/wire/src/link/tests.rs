//! Each message there and back, and everything that is none.

extern crate std;
use super::*;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn from_init() -> [FromInit; 8] {
    let hello = Hello {
        version: VERSION,
        role: Role::Container,
        init_pid: 1,
        starts: 0x0102_0304,
        lost_exits: true,
        boot_us: u64::MAX,
    };
    [
        FromInit::Hello(hello),
        FromInit::Exited { seq: 7, pid: 99, status: -1, cpu_us: 1 << 40, maxrss_kib: 3 },
        FromInit::Signalled { seq: 8, request: Request::Reload },
        FromInit::Signalled { seq: u64::MAX, request: Request::Poweroff },
        FromInit::Forwarded { seq: 10, signal: 64 },
        FromInit::Ping { seq: 9 },
        FromInit::Held { name: name("log/containerd"), found: true },
        FromInit::Held { name: name(&"x".repeat(NAME_MAX)), found: false },
    ]
}

fn from_supervise() -> [FromSupervise; 8] {
    [
        FromSupervise::Ack { seq: 0x0102_0304_0506_0708 },
        FromSupervise::Hold { name: name("control") },
        FromSupervise::Drop { name: name("~") },
        FromSupervise::Fetch { name: name("notify") },
        FromSupervise::Final { request: Request::Exit, exit_status: 137, grace_ms: 3000 },
        FromSupervise::Deadline { request: Request::Kexec, after_ms: u32::MAX },
        FromSupervise::Stdio,
        FromSupervise::Watchdog { device: name("/dev/watchdog0"), timeout_ms: 60_000 },
    ]
}

#[test]
fn every_message_survives_the_way() {
    for message in from_init() {
        assert_eq!(FromInit::decode(&message.encode()), Ok(message));
    }
    for message in from_supervise() {
        assert_eq!(FromSupervise::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn any_other_length_is_refused() {
    let bytes = from_init().map(|message| message.encode())[0];
    for len in 0..SIZE {
        assert_eq!(FromInit::decode(&bytes[..len]), Err(Error::Length));
        assert_eq!(FromSupervise::decode(&bytes[..len]), Err(Error::Length));
    }
    assert_eq!(FromInit::decode(&[0; SIZE + 1]), Err(Error::Length));
    assert_eq!(FromSupervise::decode(&[0; SIZE + 1]), Err(Error::Length));
}

#[test]
fn a_message_of_the_other_direction_is_refused() {
    for message in from_init() {
        let bytes = message.encode();
        assert_eq!(FromSupervise::decode(&bytes), Err(Error::Kind(bytes[0])));
    }
    for message in from_supervise() {
        let bytes = message.encode();
        assert_eq!(FromInit::decode(&bytes), Err(Error::Kind(bytes[0])));
    }
}

/// Two different byte strings are never the same message: so each byte counts, and one that
/// is changed either makes another message or is refused.
#[test]
fn whatever_is_accepted_is_what_would_be_sent() {
    for message in from_init() {
        for at in 0..SIZE {
            for value in 0..=u8::MAX {
                let mut bytes = message.encode();
                bytes[at] = value;
                if let Ok(decoded) = FromInit::decode(&bytes) {
                    assert_eq!(decoded.encode(), bytes);
                }
            }
        }
    }
    for message in from_supervise() {
        for at in 0..SIZE {
            for value in 0..=u8::MAX {
                let mut bytes = message.encode();
                bytes[at] = value;
                if let Ok(decoded) = FromSupervise::decode(&bytes) {
                    assert_eq!(decoded.encode(), bytes);
                }
            }
        }
    }
}

#[test]
fn fields_out_of_range_are_refused() {
    let changed = |message: FromInit, at: usize, value: u8| {
        let mut bytes = message.encode();
        bytes[at] = value;
        FromInit::decode(&bytes)
    };
    let [hello, _, signalled, _, _, ping, held, _] = from_init();
    assert_eq!(changed(hello, 2, 0), Err(Error::Value), "role");
    assert_eq!(changed(hello, 2, 4), Err(Error::Value), "role");
    assert_eq!(changed(hello, 11, 2), Err(Error::Value), "lost_exits");
    assert_eq!(changed(hello, SIZE - 1, 1), Err(Error::Unused));
    assert_eq!(changed(signalled, 9, 0), Err(Error::Value), "request");
    assert_eq!(changed(signalled, 9, 7), Err(Error::Value), "request");
    assert_eq!(changed(ping, 9, 1), Err(Error::Unused));
    assert_eq!(changed(held, 2, 0), Err(Error::Unused), "an empty name");
    assert_eq!(changed(held, 2, 49), Err(Error::Value), "longer than a name can be");
    assert_eq!(changed(held, 2, 255), Err(Error::Value), "longer than the message");
    assert_eq!(changed(held, 2, 13), Err(Error::Unused), "text behind the name");
    assert_eq!(changed(held, 2, 15), Err(Error::Value), "NUL in the name");
    assert_eq!(changed(held, 3, b' '), Err(Error::Value), "not printable");
}

#[test]
fn nobody_ends_by_reloading() {
    let mut last =
        FromSupervise::Final { request: Request::Halt, exit_status: 0, grace_ms: 1 }.encode();
    last[1] = Request::Reload.byte();
    assert_eq!(FromSupervise::decode(&last), Err(Error::Value));
}

#[test]
fn names_are_short_and_printable() {
    assert_eq!(Name::new(b""), None);
    assert_eq!(Name::new(&[b'x'; NAME_MAX + 1]), None);
    assert_eq!(Name::new(&[b'x'; 300]), None);
    for text in [&b"a b"[..], b"a\0", b"\n", b"\x7f", "\u{e4}".as_bytes()] {
        assert_eq!(Name::new(text), None);
    }
    assert_eq!(name("log/tty@1.x").as_bytes(), b"log/tty@1.x");
    assert_eq!(Name::new(&[b'x'; NAME_MAX]).unwrap().as_bytes(), [b'x'; NAME_MAX]);
}

#[test]
fn the_error_says_what_is_wrong() {
    assert_eq!(std::format!("{}", Error::Kind(9)), "unknown kind 9");
}
