//! A real init with a stand-in for `supervise` under it, which the test speaks for.

use std::fs;
use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use wire::link::{FromInit, FromSupervise, Name};

/// Longer than anything takes that a test waits for, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// init, and where it is.
pub struct Tree {
    /// init itself, or the `unshare` that is its parent.
    process: Child,
    is_unshared: bool,
    listener: UnixListener,
    /// A directory of the test's own.
    pub dir: PathBuf,
}

/// The `supervise` that runs now: the test.
pub struct Supervise {
    shell: BufReader<UnixStream>,
    link: OwnedFd,
    /// Its process id, and init's, as the test sees them.
    pub pid: Pid,
    pub init: Pid,
}

/// The program, built as it ships but for its symbols.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("init");
        let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "-p", "init", "--features", "bin"])
            .args(["--config", "profile.release.package.init.strip=\"none\"", "--target-dir"])
            .arg(&target)
            .current_dir(top)
            .status();
        assert!(status.expect("cargo runs").success(), "init does not build");
        target.join("release/init")
    })
}

impl Tree {
    /// init as process 1 of a process id namespace.
    pub fn container() -> Self {
        let options = ["--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "--"];
        let mut command = Command::new("unshare");
        command.args(options).arg(program());
        Self::start(command, true, new_directory())
    }

    /// init as anybody's process, below the test.
    pub fn subtree() -> Self {
        let dir = new_directory();
        let mut command = Command::new(tests::copied(program(), &dir));
        command.arg("--subtree");
        if rustix::process::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
        Self::start(command, false, dir)
    }

    fn start(mut command: Command, is_unshared: bool, dir: PathBuf) -> Self {
        let socket = dir.join("test");
        let listener = UnixListener::bind(&socket).expect("a socket");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).expect("it is ours");
        // The link comes as descriptor 3; std can only be asked for the standard ones.
        let script = dir.join("supervise");
        let stand_in = tests::copied(Path::new(env!("CARGO_BIN_EXE_stand-in")), &dir);
        let (stand_in, at) = (stand_in.display(), socket.display());
        let text = format!("#!/bin/sh\nexec {stand_in} {at} <&3 3<&-\n");
        fs::write(&script, text).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
        command.arg("--supervise").arg(script);
        let process = command.spawn().expect("init starts");
        Self { process, is_unshared, listener, dir }
    }

    /// The next `supervise` that init starts.
    pub fn supervise(&self) -> Supervise {
        assert!(is_ready(self.listener.as_fd(), PATIENCE), "no supervise was started");
        let (shell, _) = self.listener.accept().expect("it connects");
        let peer = rustix::net::sockopt::socket_peercred(&shell).expect("its process");
        let (_, link) = receive(shell.as_fd(), &mut [0; 16]);
        Supervise {
            shell: BufReader::new(shell),
            link: link.expect("the link"),
            pid: peer.pid,
            init: self.init(),
        }
    }

    /// Whether init starts another `supervise` within this time.
    pub fn starts_another(&self, within: Duration) -> bool {
        is_ready(self.listener.as_fd(), within)
    }

    /// How init ended, and when.
    pub fn ended(&mut self) -> (ExitStatus, Instant) {
        let id = i32::try_from(self.process.id()).expect("a process id");
        let id = Pid::from_raw(id).expect("not 0");
        let pidfd = pidfd_open(id, PidfdFlags::empty()).expect("it is our child");
        assert!(is_ready(pidfd.as_fd(), PATIENCE), "init does not end");
        (self.process.wait().expect("it has ended"), Instant::now())
    }

    fn init(&self) -> Pid {
        let id = self.process.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let id = if self.is_unshared {
            fs::read_to_string(children).expect("it has a child").trim().parse().expect("one")
        } else {
            i32::try_from(id).expect("a process id")
        };
        Pid::from_raw(id).expect("not 0")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Supervise {
    /// The next message, and the descriptor that came along.
    pub fn next_with_fd(&self) -> (FromInit, Option<OwnedFd>) {
        assert!(is_ready(self.link.as_fd(), PATIENCE), "init says nothing");
        let mut bytes = [0; 128];
        let (length, fd) = receive(self.link.as_fd(), &mut bytes);
        assert_ne!(length, 0, "init has closed the link");
        (FromInit::decode(&bytes[..length]).expect("a message"), fd)
    }

    /// The next message.
    pub fn next(&self) -> FromInit {
        self.next_with_fd().0
    }

    /// The next message, if one comes within this time.
    pub fn next_within(&self, time: Duration) -> Option<FromInit> {
        is_ready(self.link.as_fd(), time).then(|| self.next())
    }

    /// Takes the `Hello`, which must come first, and acknowledges the ping after it, if there is
    /// one: now nothing is owed. To be used where nothing else is waiting.
    pub fn greet(&self) -> wire::link::Hello {
        let FromInit::Hello(hello) = self.next() else { panic!("no Hello") };
        let FromInit::Ping { seq } = self.next() else { panic!("no Ping") };
        self.say(FromSupervise::Ack { seq });
        hello
    }

    /// Says something to init.
    pub fn say(&self, message: FromSupervise) {
        self.send(&message.encode(), &[]);
    }

    /// Sends any bytes, with descriptors.
    pub fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(fds.is_empty() || control.push(SendAncillaryMessage::ScmRights(fds)));
        sendmsg(&self.link, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
            .expect("init listens");
    }

    /// Asks for a held descriptor.
    pub fn fetch(&self, text: &str) -> Option<OwnedFd> {
        self.say(FromSupervise::Fetch { name: name(text) });
        loop {
            match self.next_with_fd() {
                (FromInit::Held { name: answered, found }, fd) => {
                    assert_eq!(answered, name(text));
                    assert_eq!(found, fd.is_some());
                    return fd;
                }
                (message, _) => assert!(matches!(message, FromInit::Exited { .. }), "{message:?}"),
            }
        }
    }

    /// Runs a shell command inside, as a child of the stand-in. Returns its exit status.
    pub fn run(&mut self, command: &str) -> i32 {
        writeln!(self.shell.get_mut(), "{command}").expect("the stand-in listens");
        let mut answer = String::new();
        self.shell.read_line(&mut answer).expect("it answers");
        answer.trim().parse().expect("an exit status")
    }

    /// Closes the link, and nothing else. What is returned keeps the stand-in alive.
    pub fn hang_up(self) -> impl Sized {
        drop(self.link);
        self.shell
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(self) {
        let pidfd = pidfd_open(self.pid, PidfdFlags::empty()).expect("it runs");
        kill_process(self.pid, Signal::KILL).expect("it runs");
        assert!(is_ready(pidfd.as_fd(), PATIENCE), "it does not die");
    }

    /// Signals init.
    pub fn signal_init(&self, signal: Signal) {
        kill_process(self.init, signal).expect("init runs");
    }
}

/// A directory that anybody may use.
fn new_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("init-{}-{number}", std::process::id()));
    fs::create_dir(&dir).expect("a new directory");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("it is ours");
    dir
}

/// A name of a held descriptor.
pub fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).expect("a name")
}

fn is_ready(fd: BorrowedFd<'_>, within: Duration) -> bool {
    let until = Instant::now() + within;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let time = Timespec::try_from(left).expect("not so long");
        match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&time)) {
            Ok(ready) => return ready > 0,
            Err(error) => assert_eq!(error, rustix::io::Errno::INTR),
        }
    }
}

fn receive(from: BorrowedFd<'_>, bytes: &mut [u8]) -> (usize, Option<OwnedFd>) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        recvmsg(from, &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)
            .expect("received");
    let fd = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    (received.bytes, fd)
}
