//! The two questions that we ask a container runtime: gRPC over a Unix socket, without a crate.
//!
//! A call is one HTTP/2 stream: a few headers, one message; then one message comes back, and
//! trailers. We send the headers in HPACK's plainest form and never read those that come back: a
//! call that failed has no message. This is not a client for anything else.

use std::{
    fmt,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

/// A runtime that hangs is one that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The preface, and an empty frame SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// An empty frame SETTINGS with the flag ACK.
const SETTINGS_ACK: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";
/// The answers are tens of bytes; whatever sends frames larger than this is no runtime.
const FRAME_MAX: usize = 1 << 20;
/// Frames that are not the answer: settings, window updates, pings.
const FRAMES_MAX: usize = 64;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// What a runtime says.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    name: String,
    version: String,
    /// It has systemd manage cgroups; false where it does not say.
    pub is_systemd: bool,
}

impl fmt::Display for Answer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.name, self.version)
    }
}

/// Asks who it is, and who manages cgroups.
pub fn ask(path: &str) -> io::Result<Answer> {
    let call = |method: &str| {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        call(stream, method)
    };
    let version = call("Version")?;
    // Older runtimes have no such method.
    let config = call("RuntimeConfig").unwrap_or_default();
    Ok(answer(&version, &config))
}

/// `VersionResponse` has the runtime's name in field 2 and its version in 3;
/// `RuntimeConfigResponse` has a message in field 1, whose field 1 is the driver; 0 is systemd's.
fn answer(version: &[u8], config: &[u8]) -> Answer {
    let text = |field| match find(version, field) {
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Value::Number(_)) | None => String::new(),
    };
    let is_systemd = match find(config, 1) {
        // A field that is 0 is left out.
        Some(Value::Bytes(linux)) => !matches!(find(linux, 1), Some(Value::Number(1..))),
        Some(Value::Number(_)) | None => false,
    };
    Answer { name: text(2), version: text(3), is_systemd }
}

/// Calls a method with an empty message; the message that comes back.
fn call(mut stream: impl Read + Write, method: &str) -> io::Result<Vec<u8>> {
    let headers = headers(&format!("/runtime.v1.RuntimeService/{method}"));
    stream.write_all(PREFACE)?;
    stream.write_all(&frame(HEADERS, END_HEADERS, &headers))?;
    // gRPC's own head, not compressed and of no length, is all there is.
    stream.write_all(&frame(DATA, END_STREAM, &[0; 5]))?;
    let mut message = Vec::new();
    for _ in 0..FRAMES_MAX {
        let mut head = [0_u8; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, ..] = head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        if length > FRAME_MAX {
            return Err(io::Error::other("it does not speak gRPC"));
        }
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        let is_last = flags & END_STREAM != 0;
        match kind {
            SETTINGS if flags & ACK == 0 => stream.write_all(SETTINGS_ACK)?,
            DATA => message.extend_from_slice(&payload),
            HEADERS if is_last => break,
            RST_STREAM | GOAWAY => break,
            _ => {}
        }
    }
    match message.split_at_checked(5) {
        Some((_, message)) => Ok(message.to_vec()),
        None => Err(io::Error::other(format!("it answers, and not to {method}"))),
    }
}

/// A frame of stream 1, or of none for an empty stream identifier.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let [_, a, b, c] = length;
    let mut frame = vec![a, b, c, kind, flags, 0, 0, 0, 1];
    frame.extend_from_slice(payload);
    frame
}

/// HPACK: what its static table has as a whole by number, the rest as text that nobody shall
/// remember.
fn headers(path: &str) -> Vec<u8> {
    // :method POST, :scheme http.
    let mut block = vec![0x83, 0x86];
    // :path, :authority and content-type have a name in the table; `te` has none.
    block.push(0x04);
    push_text(&mut block, path);
    block.push(0x01);
    push_text(&mut block, "localhost");
    block.extend([0x0f, 0x10]);
    push_text(&mut block, "application/grpc");
    block.push(0x00);
    push_text(&mut block, "te");
    push_text(&mut block, "trailers");
    block
}

/// Length and text; all of ours are shorter than 127 bytes, so the length is one byte.
fn push_text(block: &mut Vec<u8>, text: &str) {
    block.push(u8::try_from(text.len()).unwrap_or(0));
    block.extend_from_slice(text.as_bytes());
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field of that number in a message of protobuf.
fn find(message: &[u8], wanted: u64) -> Option<Value<'_>> {
    let mut rest = message;
    while !rest.is_empty() {
        let (key, after) = varint(rest)?;
        let value;
        (value, rest) = match key & 7 {
            0 => varint(after).map(|(number, after)| (Value::Number(number), after))?,
            2 => {
                let (length, after) = varint(after)?;
                let (bytes, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
                (Value::Bytes(bytes), after)
            }
            _ => return None,
        };
        if key >> 3 == wanted {
            return Some(value);
        }
    }
    None
}

/// Seven bits in each byte, the lowest first.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a runtime sends, and what it was sent.
    struct Runtime {
        says: io::Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Runtime {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.says.read(buffer)
        }
    }

    impl Write for Runtime {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn runtime(frames: &[Vec<u8>]) -> Runtime {
        Runtime { says: io::Cursor::new(frames.concat()), heard: Vec::new() }
    }

    const VERSION: &[u8] = b"\x0a\x050.1.0\x12\x0acontainerd\x1a\x052.1.4\x22\x02v1";

    #[test]
    fn one_message_is_sent_and_one_comes_back() {
        let message = [[0, 0, 0, 0, 30].as_slice(), VERSION].concat();
        let (first, second) = message.split_at(7);
        let mut runtime = runtime(&[
            frame(SETTINGS, 0, &[]),
            frame(HEADERS, END_HEADERS, b"\x88"),
            frame(DATA, 0, first),
            frame(DATA, 0, second),
            frame(HEADERS, END_HEADERS | END_STREAM, b"\x00"),
        ]);
        assert_eq!(call(&mut runtime, "Version").unwrap(), VERSION);
        assert!(runtime.heard.starts_with(PREFACE) && runtime.heard.ends_with(SETTINGS_ACK));
        let path = b"/runtime.v1.RuntimeService/Version";
        assert!(runtime.heard.windows(path.len()).any(|window| window == path));
    }

    /// Trailers alone: no such method, or no such service.
    #[test]
    fn a_call_that_fails_has_no_message() {
        let mut none = runtime(&[frame(HEADERS, END_HEADERS | END_STREAM, b"\x88")]);
        assert!(call(&mut none, "Version").is_err());
        for noise in [b"HTTP/1.1 400 Bad Request\r\n".to_vec(), Vec::new()] {
            assert!(call(&mut runtime(&[noise]), "Version").is_err());
        }
    }

    #[test]
    fn the_answer_says_who_and_how() {
        let systemd = |config: &[u8]| answer(VERSION, config).is_systemd;
        assert_eq!(answer(VERSION, b"").to_string(), "containerd 2.1.4");
        assert!(!systemd(b""));
        assert!(!systemd(b"\x0a\x02\x08\x01"));
        assert!(systemd(b"\x0a\x02\x08\x00"));
        assert!(systemd(b"\x0a\x00"));
    }

    /// Whatever comes over a socket may be forged.
    #[test]
    fn broken_messages_are_no_answers() {
        for broken in [b"\x12\xff".as_slice(), b"\xff\xff\xff", b"\x15", b"\x80"] {
            assert!(find(broken, 2).is_none());
        }
        assert_eq!(varint(&[0xac, 0x02, 9]), Some((300, [9].as_slice())));
    }
}
