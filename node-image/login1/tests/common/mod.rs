//! A daemon in a directory of its own, and clients that say what they are told to say, to the byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use login1::dbus::{Header, Message, Writer, length};
use login1::node::now_us;
use login1::record::Book;
use tempfile::TempDir;
use wire::link::Request;
use wire::state::{Live, Shutdown, Table, size};

/// Everything that is waited for comes within this, or never.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Node {
    pub directory: TempDir,
    notify: UnixDatagram,
    daemon: Child,
}

impl Node {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let notify = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        let daemon = daemon(&directory);
        let node = Self { directory, notify, daemon };
        node.hear("READY=1");
        node
    }

    /// Waits until the daemon tells the supervisor this.
    pub fn hear(&self, expected: &str) {
        let mut buffer = [0; 4096];
        loop {
            let length = self.notify.recv(&mut buffer).expect(expected);
            if &buffer[..length] == expected.as_bytes() {
                return;
            }
        }
    }

    pub fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.daemon = daemon(&self.directory);
        self.hear("READY=1");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn connect(&self) -> UnixStream {
        let socket = UnixStream::connect(self.path("login1")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// A client that has finished its handshake.
    pub fn client(&self) -> Client {
        let mut socket = self.connect();
        socket.write_all(b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n").unwrap();
        assert_eq!(line(&mut socket), "DATA");
        assert!(line(&mut socket).starts_with("OK "));
        assert_eq!(line(&mut socket), "AGREE_UNIX_FD");
        Client(socket)
    }

    /// Another program of ours.
    pub fn login1(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_login1"));
        command.args(arguments).env("COOPER_RUN", self.directory.path());
        command
    }

    pub fn inhibitors(&self) -> Vec<serde_json::Value> {
        let output = self.login1(&["inhibitors", "--json"]).output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// `supervise` says that the node goes down, within this.
    pub fn shut_down(&self, budget: Duration) {
        let deadline_us = now_us() + u64::try_from(budget.as_micros()).unwrap();
        let (request, exit_status) = (Request::Reboot, 0);
        let shutdown = Some(Shutdown { request, exit_status, signal: 0, deadline_us });
        self.write_state(&Live { shutdown, ..Live::default() });
    }

    pub fn write_state(&self, live: &Live) {
        let words: Vec<AtomicU32> = (0..size(1).unwrap() / 4).map(|_| AtomicU32::new(0)).collect();
        Table::create(&words, 1, 0, live).unwrap();
        let bytes: Vec<u8> = words.into_iter().flat_map(|w| w.into_inner().to_ne_bytes()).collect();
        std::fs::write(self.path("state"), bytes).unwrap();
    }

    pub fn prepare(&self, timeout: &str) -> Prepare {
        let record = self.path("var/last-shutdown.json");
        let mut command = self.login1(&["prepare-for-shutdown", "--timeout", timeout, "--record"]);
        command.arg(&record).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Prepare { child, said, record }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn daemon(directory: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_login1"))
        .args(["--delay-max", "90s"])
        .env("COOPER_RUN", directory.path())
        .env("NOTIFY_SOCKET", directory.path().join("notify"))
        .spawn()
        .unwrap()
}

/// `login1 prepare-for-shutdown`, running.
pub struct Prepare {
    pub child: Child,
    said: BufReader<ChildStdout>,
    record: PathBuf,
}

impl Prepare {
    /// Waits for a line that begins so.
    pub fn says(&mut self, expected: &str) {
        let mut line = String::new();
        while !line.starts_with(expected) {
            line.clear();
            let length = self.said.read_line(&mut line).unwrap();
            assert!(length != 0, "it never says {expected:?}");
        }
    }

    /// It ends well; what it has written.
    pub fn ends(mut self) -> login1::record::Shutdown {
        let deadline = Instant::now() + PATIENCE;
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success() && Instant::now() < deadline, "{rest}");
        Book::load(&self.record).unwrap().ended.expect("a record")
    }
}

pub struct Client(pub UnixStream);

impl Client {
    pub fn call(&mut self, interface: &str, member: &str, texts: &[&str]) {
        self.0.write_all(&call(interface, member, texts)).unwrap();
    }

    /// The next message, and the descriptor that comes with it.
    pub fn message(&mut self) -> (Vec<u8>, Option<OwnedFd>) {
        let mut bytes = vec![0; 16];
        let mut descriptor = None;
        let mut begun = 0;
        while begun < bytes.len() {
            let received = sys::message::receive(&self.0, &mut bytes[begun..]).unwrap();
            assert_ne!(received.length, 0, "it was hung up on");
            begun += received.length;
            descriptor = received.descriptors.into_iter().next().or(descriptor);
            if begun == 16 {
                bytes.resize(length(&bytes).unwrap().unwrap(), 0);
            }
        }
        (bytes, descriptor)
    }

    /// A lock.
    pub fn inhibit(&mut self, who: &str) -> OwnedFd {
        let wish = ["shutdown", who, "it needs time", "delay"];
        self.call("org.freedesktop.login1.Manager", "Inhibit", &wish);
        self.message().1.expect("a descriptor")
    }

    pub fn subscribe(&mut self) {
        self.call("org.freedesktop.DBus", "AddMatch", &["member='PrepareForShutdown'"]);
        self.message();
    }

    /// The next message is the signal, with this value.
    pub fn is_told(&mut self, active: bool) {
        let (bytes, _) = self.message();
        let mut message = Message::decode(&bytes).unwrap();
        assert_eq!(message.header.member, "PrepareForShutdown");
        assert_eq!(message.header.path, "/org/freedesktop/login1");
        assert_eq!(message.header.signature, "b");
        assert_eq!(message.body.u32().unwrap() == 1, active);
    }
}

pub fn call(interface: &str, member: &str, texts: &[&str]) -> Vec<u8> {
    let mut body = Writer::default();
    for text in texts {
        body.string(text);
    }
    let signature = "s".repeat(texts.len());
    let path = "/org/freedesktop/login1";
    let header =
        Header { serial: 1, path, interface, member, signature: &signature, ..Header::default() };
    header.encode(&body)
}

/// A line of the handshake.
pub fn line(socket: &mut UnixStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a line");
        line.extend(byte);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

/// The daemon hangs up.
pub fn is_hung_up_on(socket: &mut UnixStream) -> bool {
    let mut rest = [0; 4096];
    loop {
        match socket.read(&mut rest) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
