//! `node-setup sysctl --watch` against the real kernel, in network and mount namespaces of its
//! own: a new interface, one that is renamed, and a file that Cilium writes.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use std::fs;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

const INSIDE: &str = "NODE_SETUP_INSIDE";
const DEADLINE: Duration = Duration::from_secs(20);
/// So long nothing happens, and it must not wake.
const IDLE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// `tag` takes any number, and means nothing.
const TABLE: &str = r#"{"sysctls": [
    {"key": "net.ipv4.conf.all.tag", "value": "5", "why": "it", "source": "here"},
    {"key": "net.ipv4.conf.lxc*.tag", "value": "7", "why": "it", "source": "here"}
]}"#;

struct Watcher {
    child: Child,
    said: String,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Watcher {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node-setup"));
        command.args(["sysctl", "--watch"]).env("COOPER_SETUP", TABLE).stdout(Stdio::piped());
        Self { child: command.spawn().unwrap(), said: String::new() }
    }

    /// Waits until it has said `text`.
    fn says(&mut self, text: &str) {
        let end = Instant::now() + DEADLINE;
        while !self.said.contains(text) {
            let left = end.checked_duration_since(Instant::now());
            let left = left.unwrap_or_else(|| panic!("no {text:?} in {}", self.said));
            self.listen(Timespec::try_from(left).unwrap());
        }
    }

    /// Waits for more, so long.
    fn listen(&mut self, timeout: Timespec) {
        let out = self.child.stdout.as_mut().unwrap();
        let ready = poll(&mut [PollFd::new(out, PollFlags::IN)], Some(&timeout)).unwrap();
        if ready > 0 {
            let mut buffer = [0; 4096];
            let length = out.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "it has ended: {}", self.said);
            self.said.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap()));
        }
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_start_matches(':').split_ascii_whitespace().next().unwrap().parse().unwrap()
    }
}

fn run(words: &str) {
    let mut words = words.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success());
}

fn tag(interface: &str) -> String {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/tag");
    fs::read_to_string(path).unwrap().trim().to_owned()
}

/// Runs this very test again in namespaces of its own; whether this is that run.
fn is_inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let has_ip = Command::new("ip").arg("-V").output().is_ok();
    let may = rustix::process::geteuid().is_root() && has_ip;
    if tests::needs("root and iproute2", may) {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount", "--propagation", "private"]);
        unshare.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
        let output = unshare.env(INSIDE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let passed = output.status.success() && said.contains("1 passed");
        assert!(passed, "{said}{}", String::from_utf8_lossy(&output.stderr));
        println!("{said}");
    }
    false
}

#[test]
fn what_comes_into_being_is_set_and_nothing_else_is_touched() {
    if !is_inside("what_comes_into_being_is_set_and_nothing_else_is_touched") {
        return;
    }
    run("mount -t tmpfs tmpfs /run");
    run("mount -t tmpfs tmpfs /etc");
    let mut watcher = Watcher::start();
    watcher.says("net.ipv4.conf.all.tag: 0 → 5 (it)\n");

    run("ip link add lxc1 type veth peer name tmp1");
    watcher.says("net.ipv4.conf.lxc1.tag: 0 → 7 (it)\n");
    assert_eq!((tag("lxc1").as_str(), tag("tmp1").as_str()), ("7", "0"));
    // A daemon changes a key that was set: it is right.
    fs::write("/proc/sys/net/ipv4/conf/all/tag", "9").unwrap();
    run("ip link set tmp1 name lxc2");
    watcher.says("net.ipv4.conf.lxc2.tag: 0 → 7 (it)\n");
    assert_eq!(tag("all"), "9");

    // The same name once more is another interface.
    run("ip link delete lxc1");
    watcher.said.clear();
    run("ip link add lxc1 type veth peer name tmp1");
    watcher.says("net.ipv4.conf.lxc1.tag: 0 → 7 (it)\n");

    // The directory is made by whoever needs it first, and the file replaced in one step.
    fs::create_dir("/etc/sysctl.d").unwrap();
    let name = "/etc/sysctl.d/99-zzz-override_cilium.conf";
    fs::write("/etc/sysctl.d/.new", "-net.ipv4.conf.lxc*.tag = 3\nnet.ipv4.conf.all.tag = 3\n")
        .unwrap();
    fs::rename("/etc/sysctl.d/.new", name).unwrap();
    watcher.says("net.ipv4.conf.all.tag: 9 → 3 (/etc/sysctl.d/99-zzz-override_cilium.conf:2)\n");
    assert_eq!(tag("lxc1"), "3");

    // Once it has done its work …
    watcher.listen(IDLE);
    let wakes = watcher.status("voluntary_ctxt_switches");
    watcher.said.clear();
    watcher.listen(IDLE);
    assert_eq!(watcher.said, "");
    assert_eq!(watcher.status("voluntary_ctxt_switches"), wakes, "it woke for nothing");
    println!("resident: {} KiB", watcher.status("VmRSS"));
}
