//! One machine, its disk, and what it is asked.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use node_image::vm::{self, Boot, Machine, Via};
use serde_json::Value;

/// Whatever is waited for; ten times what it takes on an idle machine under emulation.
pub const DEADLINE: Duration = Duration::from_secs(900);

pub struct Node {
    machine: Machine,
    /// What it writes to: a copy of the image's, so that the next boot finds what this one wrote.
    disk: Disk,
    begin: Instant,
}

/// A file that goes with the last machine that has it.
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn image() -> PathBuf {
    std::env::var_os("REAL").expect("REAL names the image").into()
}

fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Node {
    /// Boots the image as it was built, to `target`; more words may follow it.
    pub fn boot(target: &str) -> Self {
        let path = image().join(format!("disk-{}-{}", std::process::id(), number()));
        let mut copy = Command::new("cp");
        copy.arg("--sparse=always").arg(image().join("disk")).arg(&path);
        let copied = copy.status().expect("cp runs");
        assert!(copied.success(), "no room for a copy of the disk");
        Self::start(Disk(path), target)
    }

    fn start(disk: Disk, target: &str) -> Self {
        let image = image();
        let mut qemu = vm::disk(&disk.0);
        // A network that ends at the host's own doorstep.
        let network = ["-netdev", "user,id=network,restrict=on", "-device"];
        qemu.extend(network.map(str::to_owned));
        qemu.push("virtio-net-pci,netdev=network".to_owned());
        let boot = Boot {
            via: Via::Kernel {
                kernel: image.join("kernel"),
                initramfs: image.join("initramfs"),
                append: format!("quiet cooper.target={target}"),
            },
            memory_mib: 4096,
            cpus: 2,
            qemu,
        };
        let console = image.join(format!("console-{}", number()));
        let machine = boot.start(&console).expect("QEMU starts");
        Self { machine, disk, begin: Instant::now() }
    }

    /// Says on the test's own output how far it has come, and when.
    pub fn say(&self, what: &str) {
        eprintln!("{:6.1} s: {what}", self.begin.elapsed().as_secs_f32());
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

    /// Waits until a line of shell succeeds: for what daemons do in their own time. If it takes
    /// too long, shows what `excuse` prints. Each attempt of a kubectl costs the machine seconds,
    /// which those daemons need.
    pub fn until(&mut self, condition: &str, excuse: &str) {
        let seconds = DEADLINE.as_secs() / 4 * 3;
        self.run(&format!(
            "(end=$((SECONDS + {seconds})); until {{ {condition}; }} > /dev/null 2>&1; do \
             [ $SECONDS -lt $end ] || {{ {excuse}; exit 1; }}; sleep 10; done)"
        ));
    }

    /// `svc VERB … --json`, parsed, however the exit status judges it.
    pub fn svc(&mut self, words: &str) -> Value {
        let (_, text) = self.try_run(&format!("svc {words} --json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// One service of `svc status`.
    pub fn service(&mut self, name: &str) -> Value {
        self.svc(&format!("status {name}"))["services"][0].clone()
    }

    /// The main process of a service.
    pub fn pid(&mut self, name: &str) -> u64 {
        let service = self.service(name);
        service["pid"].as_u64().unwrap_or_else(|| panic!("{name} has no process: {service}"))
    }

    pub fn console(&self) -> String {
        self.machine.console_text()
    }

    /// Switches it off with `svc poweroff`; how long that took, what the console showed from there
    /// on, and the same machine to be switched on again.
    pub fn poweroff(mut self) -> (Duration, String, Off) {
        let shown = self.console().len();
        let begin = Instant::now();
        self.machine.send("svc poweroff").expect("the shell is there");
        let console = self.machine.console_path().to_owned();
        self.machine.wait_poweroff(DEADLINE).unwrap_or_else(|error| panic!("{error:#}"));
        let text = fs::read(&console).expect("it was written");
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        (begin.elapsed(), text.get(shown..).unwrap_or(&text).to_owned(), Off(self.disk))
    }
}

/// A machine that is switched off.
pub struct Off(Disk);

impl Off {
    /// Switches it on again.
    pub fn boot(self, target: &str) -> Node {
        Node::start(self.0, target)
    }
}
