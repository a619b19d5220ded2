//! From PID 1's first instruction to ten services up, in a virtual machine that counts
//! instructions (QEMU's `-icount`: 4 ns each, the same to about 1 % whatever the host does).
//!
//! ```text
//! cargo bench -p tests --bench boot -- --node DIR [--runs 3] [--dinit /path/to/static/dinit]
//! ```
//!
//! `DIR` is what `node-image/build x86_64 DIR` made: kernel and binaries are taken from there.
//! Contenders: Cooper; busybox init with an early script in its shell that mounts the same; and
//! dinit, where a static one is given, with the same script first. Ten services in a chain (for
//! busybox, which knows no order: at once). Needs `cc`, `busybox` (static) and QEMU.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark may fail loudly, and its numbers are small"
)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use node_image::initramfs;
use node_image::packing::Packing;
use node_image::tree::{Entry, Tree};
use node_image::vm::{Boot, Via};

const SERVICES: usize = 10;
const DEADLINE: Duration = Duration::from_secs(300);

/// What every contender but ours needs before its first service: ours does it in PID 1.
const EARLY: &str = "#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mkdir -p /dev/pts
busybox mount -t devpts devpts /dev/pts
busybox mount -t tmpfs run /run
busybox hostname node
";

struct Wanted {
    node: PathBuf,
    runs: usize,
    dinit: Option<PathBuf>,
}

fn main() {
    let wanted = wanted();
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boot");
    fs::create_dir_all(&scratch).expect("cargo's own directory");
    let program = compile(&scratch);
    let mut contenders = vec![
        ("cooper", cooper(&wanted.node, &program, &scratch)),
        ("busybox init", busybox(&program, &scratch)),
    ];
    if let Some(path) = &wanted.dinit {
        contenders.push(("dinit", dinit(path, &program, &scratch)));
    }
    let mut results: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for _ in 0..wanted.runs {
        for ((name, image), results) in contenders.iter().zip(&mut results) {
            let ms = boot(&wanted.node.join("kernel"), image, &scratch.join("console"));
            eprintln!("{name:<14} {ms:7.1} ms");
            results.push(ms);
        }
    }
    println!("first instruction of PID 1 to {SERVICES} services up, medians, 4 ns an instruction");
    let ours = median(&results[0]);
    for ((name, _), results) in contenders.iter().zip(&results) {
        let ms = median(results);
        println!("{name:<14} {ms:7.1} ms  {:5.2} of cooper's", ms / ours);
    }
}

fn wanted() -> Wanted {
    let mut wanted = Wanted { node: PathBuf::new(), runs: 3, dinit: None };
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        match word.as_str() {
            "--node" => wanted.node = value.into(),
            "--runs" => wanted.runs = value.parse().expect("a number"),
            "--dinit" => wanted.dinit = Some(value.into()),
            _ => panic!("unknown option {word}"),
        }
    }
    assert!(wanted.node.join("kernel").exists(), "--node DIR: what node-image/build made");
    wanted
}

fn median(results: &[f64]) -> f64 {
    let mut sorted = results.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn compile(scratch: &Path) -> PathBuf {
    let program = scratch.join("program");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/boot.c");
    let flags = ["-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector"];
    let status = Command::new("cc")
        .args(flags)
        .args(["-fno-pie", "-no-pie", source, "-o"])
        .arg(&program)
        .status()
        .expect("cc is installed");
    assert!(status.success(), "cc failed");
    program
}

/// The beginning of every image: the stamping /init, the service, and empty directories.
fn image(program: &Path, scratch: &Path) -> (Tree, PathBuf) {
    let mut tree = Tree::default();
    tree.lay(program, "init").expect("it was compiled");
    tree.lay(program, "bin/service").expect("it was compiled");
    for directory in ["dev", "proc", "run", "sys", "tmp"] {
        tree.insert(directory, Entry::Directory(0o755)).expect("a new path");
    }
    tree.insert("dev/console", Entry::Device(0o600, 5, 1)).expect("a new path");
    (tree, scratch.to_owned())
}

fn finish((tree, scratch): (Tree, PathBuf), name: &str) -> PathBuf {
    let path = scratch.join(name);
    let output = File::create(&path).expect("there is room");
    initramfs::write(&tree, Packing::Gzip, output).expect("there is room");
    path
}

/// Lays `text` at `target`.
fn put(image: &mut (Tree, PathBuf), target: &str, text: &str) {
    let file = image.1.join(target.replace('/', "-"));
    fs::write(&file, text).expect("there is room");
    let mode = if text.starts_with("#!") { "755" } else { "644" };
    assert!(Command::new("chmod").arg(mode).arg(&file).status().expect("coreutils").success());
    image.0.lay(&file, target).expect("a new path");
}

fn cooper(node: &Path, program: &Path, scratch: &Path) -> PathBuf {
    let mut image = image(program, scratch);
    let bin = node.join("bin");
    for (name, target) in [
        ("init", "pid1"),
        ("supervise", "usr/lib/cooper/supervise"),
        ("cooper-log", "usr/lib/cooper/cooper-log"),
    ] {
        image.0.lay(&bin.join(name), target).expect("node-image/build made it");
    }
    let services = scratch.join("services");
    let _ = fs::remove_dir_all(&services);
    fs::create_dir_all(&services).expect("there is room");
    for index in 0..SERVICES {
        let requires =
            index.checked_sub(1).map_or(String::new(), |before| format!("\"s{before}\""));
        let text = format!(
            "exec = [\"/bin/service\"]\nlog = \"none\" # It has nothing to say.\n\
             requires = [{requires}]\n"
        );
        fs::write(services.join(format!("s{index}.toml")), text).expect("there is room");
    }
    let last = SERVICES - 1;
    let bundle = format!("type = \"bundle\"\nrequires = [\"s{last}\"]\n");
    fs::write(services.join("default.toml"), bundle).expect("there is room");
    let graph = scratch.join("graph");
    let status = Command::new(bin.join("svc"))
        .args(["compile", "-o"])
        .arg(&graph)
        .env("COOPER_SERVICES", &services)
        .env("COOPER_NODE", "/dev/null")
        .status()
        .expect("svc runs here");
    assert!(status.success(), "svc compile failed");
    image.0.lay(&graph, "var/lib/cooper/graph/current").expect("it was compiled");
    finish(image, "cooper.gz")
}

fn busybox(program: &Path, scratch: &Path) -> PathBuf {
    let mut image = image(program, scratch);
    image.0.lay(&static_busybox(), "bin/busybox").expect("it was found");
    image.0.lay(&static_busybox(), "pid1").expect("it was found");
    let mut inittab = String::from("::sysinit:/early\n");
    for index in 0..SERVICES {
        // Each of its own: busybox takes equal lines for one.
        writeln!(inittab, "::respawn:/bin/service {index}").expect("a String takes it");
    }
    put(&mut image, "early", EARLY);
    put(&mut image, "etc/inittab", &inittab);
    finish(image, "busybox.gz")
}

fn dinit(path: &Path, program: &Path, scratch: &Path) -> PathBuf {
    let mut image = image(program, scratch);
    image.0.lay(&static_busybox(), "bin/busybox").expect("it was found");
    image.0.lay(path, "pid1").expect("--dinit names it");
    put(&mut image, "early", EARLY);
    put(&mut image, "etc/dinit.d/early", "type = scripted\ncommand = /early\n");
    for index in 0..SERVICES {
        let before = index.checked_sub(1).map_or("early".to_owned(), |before| format!("s{before}"));
        let text = format!("type = process\ncommand = /bin/service\ndepends-on = {before}\n");
        put(&mut image, &format!("etc/dinit.d/s{index}"), &text);
    }
    let boot = format!("type = internal\ndepends-on = s{}\n", SERVICES - 1);
    put(&mut image, "etc/dinit.d/boot", &boot);
    finish(image, "dinit.gz")
}

fn static_busybox() -> PathBuf {
    let path = PathBuf::from("/bin/busybox");
    assert!(path.exists(), "no /bin/busybox: install the package busybox-static");
    path
}

/// Boots it; milliseconds from the first stamp to the last.
fn boot(kernel: &Path, image: &Path, console: &Path) -> f64 {
    let _ = fs::remove_file(console);
    let boot = Boot {
        via: Via::Kernel {
            kernel: kernel.to_owned(),
            initramfs: image.to_owned(),
            // Self-tests of ciphers run for seconds beside PID 1, unless they are refused.
            append: "quiet cryptomgr.notests".into(),
        },
        memory_mib: 512,
        cpus: 1,
        qemu: ["-icount", "shift=2,sleep=off"].map(str::to_owned).into(),
    };
    let machine = boot.start(console).expect("QEMU starts");
    machine.wait_poweroff(DEADLINE).unwrap_or_else(|error| panic!("{error:#}"));
    let text = String::from_utf8_lossy(&fs::read(console).expect("it was written")).into_owned();
    let stamp = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} on the console:\n{text}"))
            .trim()
            .parse()
            .expect("a number")
    };
    (stamp("LAST ") - stamp("FIRST ")) / 1000.0
}
