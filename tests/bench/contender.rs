//! One supervisor at the start: its files written, its PID 1 run, its services' stamps read.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::probe::{self, After};

/// All services must be up by then.
const DEADLINE: Duration = Duration::from_secs(120);

/// Which supervisor, and with what.
pub enum Kind {
    /// A bare loop.
    Limit,
    /// The same, with a cgroup for each.
    LimitCgroups,
    /// Ours, without cgroups, as the peers.
    Cooper,
    /// Ours, with a cgroup for each.
    CooperCgroups,
    /// Ours, as it is on a node: with a FIFO for each that takes its output to cooper-log, too.
    CooperLogs,
    /// This dinit.
    Dinit(PathBuf),
}

/// Where everything is.
pub struct Place {
    limit: PathBuf,
    bin: PathBuf,
    /// On tmpfs: no disk shall be measured.
    scratch: PathBuf,
    /// A cgroup v2 directory that may be written, where there is one.
    cgroups: PathBuf,
}

/// A supervisor and its results.
pub struct Contender {
    pub name: &'static str,
    pub kind: Kind,
    pub walls_ms: Vec<f64>,
    pub after: Option<After>,
}

impl Place {
    /// Scratch space is made anew.
    pub fn new(limit: &Path, bin: &Path) -> Self {
        let scratch = PathBuf::from("/dev/shm/cooper-bench");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch).expect("root may write to /dev/shm");
        let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
            .into_iter()
            .find(|root| Path::new(root).join("cgroup.procs").exists())
            .expect("a cgroup v2 hierarchy is mounted");
        let cgroups = Path::new(root).join("cooper-bench");
        fs::create_dir_all(&cgroups).expect("root may make a cgroup");
        Self { limit: limit.to_owned(), bin: bin.to_owned(), scratch, cgroups }
    }

    /// Where ours keeps its state.
    fn run(&self) -> PathBuf {
        self.scratch.join("run")
    }
}

impl Kind {
    const fn is_ours(&self) -> bool {
        matches!(self, Self::Cooper | Self::CooperCgroups | Self::CooperLogs)
    }
}

impl Contender {
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, walls_ms: Vec::new(), after: None }
    }

    pub fn median_ms(&self) -> f64 {
        let mut sorted = self.walls_ms.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    /// Starts it, waits for all stamps, and kills the whole namespace.
    pub fn run(&mut self, place: &Place, services: usize) {
        let stamps = place.scratch.join("stamps");
        fs::write(&stamps, "").expect("tmpfs has room");
        let mut pid1 = self.pid1(place, &stamps, services);
        let begin_us = probe::monotonic_us();
        let mut child = pid1.spawn().expect("unshare and taskset are installed");
        let last_us = last_stamp(&stamps, services, &mut child);
        self.walls_ms.push((last_us - begin_us) as f64 / 1000.0);
        if self.kind.is_ours() && self.after.is_none() {
            let mut after = probe::after(child.id(), &["init", "supervise", "cooper-log"]);
            after.restart_us = probe::restart_us(child.id(), &stamps);
            after.stop_ms = probe::stop_ms(&place.bin, &place.run(), services);
            self.after = Some(after);
        }
        child.kill().expect("it runs");
        child.wait().expect("it is our child");
        probe::remove_cgroups(&place.cgroups);
    }

    /// The command that is PID 1, in a namespace that dies with it.
    fn pid1(&self, place: &Place, stamps: &Path, services: usize) -> Command {
        let mut command = Command::new("taskset");
        command.args(["-c", "1", "nice", "-n", "-15", "unshare", "--pid", "--mount", "--fork"]);
        command.args(["--kill-child=KILL", "--mount-proc"]).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        match &self.kind {
            Kind::Limit => {
                command.arg(&place.limit).arg(stamps).arg(services.to_string());
            }
            Kind::LimitCgroups => {
                command.arg(&place.limit).arg(stamps).arg(services.to_string()).arg(&place.cgroups);
            }
            Kind::Cooper | Kind::CooperCgroups | Kind::CooperLogs => {
                cooper(&mut command, &self.kind, place, stamps, services);
            }
            Kind::Dinit(program) => dinit(&mut command, program, place, stamps, services),
        }
        command
    }
}

/// Our tree, with a graph compiled from as many files.
fn cooper(command: &mut Command, kind: &Kind, place: &Place, stamps: &Path, services: usize) {
    let (files, run) = (place.scratch.join("services"), place.run());
    let logs = matches!(kind, Kind::CooperLogs);
    let log = if logs { "" } else { "log = \"none\" # It has nothing to say.\n" };
    let graph = place.scratch.join("graph");
    let _ = fs::remove_dir_all(&run);
    let _ = fs::remove_dir_all(&files);
    fs::create_dir_all(&files).expect("tmpfs has room");
    let mut bundle = String::from("type = \"bundle\"\nrequires = [");
    for index in 0..services {
        let text = format!("type = \"longrun\"\nexec = [{:?}, {stamps:?}]\n{log}", place.limit);
        fs::write(files.join(format!("s{index}.toml")), text).expect("tmpfs has room");
        write!(bundle, "\"s{index}\", ").expect("a String takes it");
    }
    fs::write(files.join("default.toml"), bundle + "]\n").expect("tmpfs has room");
    let compiled = Command::new(place.bin.join("svc"))
        .args(["compile", "-o"])
        .arg(&graph)
        .env("COOPER_SERVICES", &files)
        .env("COOPER_NODE", "/dev/null")
        .status()
        .expect("svc runs");
    assert!(compiled.success(), "svc compile failed");
    command.arg(place.bin.join("init")).env("COOPER_RUN", &run).env("COOPER_GRAPH", &graph);
    command.env("COOPER_LIBEXEC", &place.bin).env("COOPER_LOGS", place.scratch.join("logs"));
    let none = matches!(kind, Kind::Cooper);
    command.env("COOPER_CGROUP", if none { Path::new("none") } else { &place.cgroups });
}

/// dinit, with a file for each service and one that needs them all.
fn dinit(command: &mut Command, program: &Path, place: &Place, stamps: &Path, services: usize) {
    let files = place.scratch.join("dinit");
    let _ = fs::remove_dir_all(&files);
    fs::create_dir_all(&files).expect("tmpfs has room");
    let mut boot = String::from("type = internal\n");
    for index in 0..services {
        let text =
            format!("type = process\ncommand = {} {}\n", place.limit.display(), stamps.display());
        fs::write(files.join(format!("s{index}")), text).expect("tmpfs has room");
        writeln!(boot, "depends-on = s{index}").expect("a String takes it");
    }
    fs::write(files.join("boot"), boot).expect("tmpfs has room");
    command.arg(program).args(["--container", "--quiet", "-d"]).arg(&files);
    command.arg("-p").arg(place.scratch.join("dinit.socket"));
}

/// Waits until `services` stamps are there; the latest of them.
fn last_stamp(stamps: &Path, services: usize, child: &mut Child) -> u64 {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let bytes = fs::read(stamps).expect("it is there");
        let times: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|stamp| u64::from_le_bytes(stamp.try_into().expect("8 bytes")))
            .collect();
        if times.len() >= services {
            return *times.iter().max().expect("at least one");
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "only {} of {services} services came up", times.len());
        assert!(child.try_wait().expect("our child").is_none(), "PID 1 ended");
        // Rarely, so that looking does not disturb: the stamps themselves carry the times.
        probe::rest(Duration::from_millis(50));
    }
}
