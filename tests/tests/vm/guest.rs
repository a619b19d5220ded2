//! One machine, and what it is asked.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use node_image::initramfs;
use node_image::packing::Packing;
use node_image::tree::Tree;
use node_image::vm::{self, Boot, Machine, Via};
use serde_json::Value;

/// What the node is for: services with a process …
pub const LONGRUNS: [&str; 4] = ["containerd", "seatd", "chronyd", "sshd"];
/// … and without.
pub const ONESHOTS: [&str; 6] =
    ["loopback", "mounts", "modules", "sshd-keys", "hello-image", "hello"];
/// Whatever is waited for; ten times what it takes on an idle machine under emulation.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// What a machine that runs takes to answer, at most.
const ANSWER: Duration = Duration::from_secs(5);

pub struct Guest {
    machine: Machine,
    /// When it was switched on.
    pub begin: Instant,
    _image: Option<Temporary>,
}

/// A file that goes with the guest.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The directory of a built image.
pub fn node(arch: &str) -> PathBuf {
    let node = std::env::var_os("NODE").expect("NODE names the built images");
    PathBuf::from(node).join(arch)
}

impl Guest {
    pub fn boot(arch: &str) -> Self {
        Self::boot_with(arch, "")
    }

    /// With more words on the kernel's command line.
    pub fn boot_with(arch: &str, words: &str) -> Self {
        Self::boot_with_hardware(arch, words, &[])
    }

    /// With more words for QEMU, too.
    pub fn boot_with_hardware(arch: &str, words: &str, qemu: &[&str]) -> Self {
        let node = node(arch);
        Self::start(&node, words, node.join("initramfs"), qemu)
    }

    /// With these files instead of the image's: the kernel unpacks one archive over the other.
    pub fn boot_over(arch: &str, over: &Tree) -> Self {
        Self::boot_over_with(arch, over, &[])
    }

    /// The same, with more words for QEMU.
    pub fn boot_over_with(arch: &str, over: &Tree, qemu: &[&str]) -> Self {
        Self::boot_grown(&node(arch), "", qemu, |image| {
            initramfs::write(over, Packing::None, image).expect("the copy grows");
        })
    }

    /// With the daemons of `tests/services`, with QEMU's network and a second serial port; and with
    /// these files and more words for QEMU.
    pub fn boot_with_services(arch: &str, over: &Tree, qemu: &[&str]) -> Self {
        let devices =
            ["user,id=net", "virtio-net-pci,netdev=net", "null,id=s", "isa-serial,chardev=s"];
        let options = ["-netdev", "-device", "-chardev", "-device"];
        let devices = options.iter().zip(&devices).flat_map(|(option, device)| [*option, *device]);
        let qemu: Vec<&str> = devices.chain(qemu.iter().copied()).collect();
        // The last one that is named becomes /dev/console.
        let words = "console=ttyS1,115200 console=ttyS0,115200";
        Self::boot_over_services(arch, words, over, &qemu)
    }

    /// With what `tests/services` has built, and these files over it.
    pub fn boot_over_services(arch: &str, words: &str, over: &Tree, qemu: &[&str]) -> Self {
        let node = node(arch);
        let mut services = File::open(node.join("services")).expect("tests/services has built it");
        Self::boot_grown(&node, words, qemu, |mut image| {
            std::io::copy(&mut services, &mut image).expect("the copy grows");
            initramfs::write(over, Packing::None, image).expect("the copy grows");
        })
    }

    fn boot_grown(node: &Path, words: &str, qemu: &[&str], grow: impl FnOnce(File)) -> Self {
        let path = node.join(format!("initramfs-{}", std::process::id()));
        fs::copy(node.join("initramfs"), &path).expect("room for an image");
        grow(File::options().append(true).open(&path).expect("the copy"));
        let guest = Self::start(node, words, path.clone(), qemu);
        Self { _image: Some(Temporary(path)), ..guest }
    }

    fn start(node: &Path, words: &str, initramfs: PathBuf, qemu: &[&str]) -> Self {
        let boot = Boot {
            via: Via::Kernel {
                kernel: node.join("kernel"),
                initramfs,
                append: format!("quiet {words}"),
            },
            memory_mib: 1024,
            cpus: 2,
            qemu: qemu.iter().map(ToString::to_string).collect(),
        };
        Self::begin(&boot, node)
    }

    /// From a disk, by way of UEFI; with more disks, and QEMU's network.
    pub fn boot_disk(arch: &str, disk: &Path, more: &[PathBuf]) -> Self {
        let architecture = match arch {
            "aarch64" => vm::Architecture::Aarch64,
            _ => vm::Architecture::X86_64,
        };
        let disks = std::iter::once(disk).chain(more.iter().map(PathBuf::as_path));
        let mut qemu: Vec<String> = disks.flat_map(vm::disk).collect();
        let network = ["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net"];
        qemu.extend(network.map(str::to_owned));
        let via = vm::firmware(disk, architecture).expect("UEFI is installed");
        let boot = Boot { via, memory_mib: 1024, cpus: 2, qemu };
        Self::begin(&boot, disk.parent().expect("a directory"))
    }

    /// From the network: what it boots is served to it.
    pub fn boot_network(directory: &Path) -> Self {
        let via = Via::Network { directory: directory.to_owned() };
        let boot = Boot { via, memory_mib: 2048, cpus: 2, qemu: Vec::new() };
        Self::begin(&boot, directory.parent().expect("a directory"))
    }

    /// Its console goes to a file in this directory.
    fn begin(boot: &Boot, directory: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let console = directory.join(format!("console-{number}"));
        let machine = boot.start(&console).expect("QEMU starts");
        Self { machine, begin: Instant::now(), _image: None }
    }

    /// Types a line on the console.
    pub fn types(&mut self, line: &str) {
        self.machine.type_on_console(&format!("{line}\n")).expect("a console");
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

    /// Sends a line of shell that ends the machine, or may.
    pub fn send(&mut self, command: &str) {
        self.machine.send(command).expect("the shell is there");
    }

    /// Runs a line of shell again and again, until what it prints is as wanted: while the machine
    /// itself may begin anew, and answer for it or not.
    pub fn run_until(&mut self, command: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        self.run_within(DEADLINE, command, is_wanted)
    }

    /// The same, for so long at most.
    pub fn run_within(
        &mut self,
        patience: Duration,
        command: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> String {
        let end = Instant::now() + patience;
        loop {
            let said = self.machine.run(command, ANSWER).map(|output| output.text);
            match said {
                Ok(text) if is_wanted(&text) => return text,
                said => assert!(Instant::now() < end, "{command}: {said:?}\n{}", self.console()),
            }
            rustix::event::poll(&mut [], Some(&PAUSE)).expect("nothing to go wrong");
        }
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

    /// All of `svc status`.
    pub fn services(&mut self) -> Vec<Value> {
        self.svc("status")["services"].as_array().expect("a list").clone()
    }

    /// Every service that has a process, with its process.
    pub fn pids(&mut self) -> BTreeSet<(String, u64)> {
        self.services()
            .iter()
            .filter(|service| service["kind"] == "longrun")
            .filter_map(|service| {
                Some((service["name"].as_str()?.to_owned(), service["pid"].as_u64()?))
            })
            .collect()
    }

    /// The container's own process.
    pub fn container(&mut self) -> String {
        self.run("ctr tasks list | awk '$1 == \"hello\" && $3 == \"RUNNING\" {print $2}' | grep .")
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

    /// Switches it off with `command`, and waits until it is; how long that took, and what the
    /// console shows.
    pub fn end(mut self, command: &str) -> (Duration, String) {
        self.send(command);
        self.ended()
    }

    /// Waits until it has switched itself off.
    pub fn ended(self) -> (Duration, String) {
        let begin = Instant::now();
        let console = self.machine.console_path().to_owned();
        self.machine.wait_poweroff(DEADLINE).unwrap_or_else(|error| panic!("{error:#}"));
        let text = std::fs::read(console).expect("it was written");
        // As `console` has it.
        (begin.elapsed(), String::from_utf8_lossy(&text).replace('\r', ""))
    }
}

/// Neither a guest nor the file of its console says when it has changed: both are looked at this
/// often.
const PAUSE: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
