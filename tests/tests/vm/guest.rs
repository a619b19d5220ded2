//! One machine, and what it is asked.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use node_image::vm::{Boot, Machine};
use serde_json::Value;

/// Whatever is waited for; ten times what it takes on an idle machine under emulation.
pub const DEADLINE: Duration = Duration::from_secs(180);

pub struct Guest {
    machine: Machine,
    /// When it was switched on.
    pub begin: Instant,
}

impl Guest {
    pub fn boot(arch: &str) -> Self {
        Self::boot_with(arch, "")
    }

    /// With more words on the kernel's command line.
    pub fn boot_with(arch: &str, words: &str) -> Self {
        let node = PathBuf::from(std::env::var_os("NODE").expect("NODE names the built images"));
        let node = node.join(arch);
        let boot = Boot {
            kernel: node.join("kernel"),
            initramfs: node.join("initramfs"),
            append: format!("quiet {words}"),
            memory_mib: 1024,
            cpus: 2,
            qemu: Vec::new(),
        };
        let console = node.join(format!("console-{}", std::process::id()));
        let machine = boot.start(&console).expect("QEMU starts");
        Self { machine, begin: Instant::now() }
    }

    /// Runs a line of shell as root, which must succeed; what it prints.
    pub fn run(&mut self, command: &str) -> String {
        self.machine.succeed(command, DEADLINE).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Runs a line of shell; its exit status, and what it prints.
    pub fn try_run(&mut self, command: &str) -> (i32, String) {
        let output =
            self.machine.run(command, DEADLINE).unwrap_or_else(|error| panic!("{error:#}"));
        (output.status, output.text)
    }

    /// `svc VERB … --json`, parsed.
    pub fn svc(&mut self, words: &str) -> Value {
        let text = self.run(&format!("svc {words} --json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// One service of `svc status`.
    pub fn service(&mut self, name: &str) -> Value {
        let status = self.svc(&format!("status {name}"));
        status["services"][0].clone()
    }

    /// The main process of a service.
    pub fn pid(&mut self, name: &str) -> u64 {
        let service = self.service(name);
        service["pid"].as_u64().unwrap_or_else(|| panic!("{name} has no process: {service}"))
    }

    /// Waits until the console shows `text`.
    pub fn console_says(&self, text: &str) {
        let end = Instant::now() + DEADLINE;
        while !self.machine.console_text().contains(text) {
            assert!(Instant::now() < end, "no {text:?} on it:\n{}", self.machine.console_text());
            rustix::event::poll(&mut [], Some(&PAUSE)).expect("nothing to go wrong");
        }
    }

    pub fn console(&self) -> String {
        self.machine.console_text()
    }

    /// Switches it off with `command`, and waits until it is; how long that took.
    pub fn end(mut self, command: &str) -> (Duration, String) {
        let begin = Instant::now();
        self.machine.send(command).expect("the shell is there");
        let console = self.machine.console_path().to_owned();
        self.machine.wait_poweroff(DEADLINE).unwrap_or_else(|error| panic!("{error:#}"));
        let text = std::fs::read(console).expect("it was written");
        (begin.elapsed(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// A file on the host cannot say that a guest wrote to it without inotify on each write; the
/// console is looked at this often.
const PAUSE: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
