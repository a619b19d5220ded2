//! A tree of a test's own: its directory, its cgroup, its init.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use graph::View;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use source::Text;
use wire::state::{Live, Record, Table};

use crate::client::Client;

/// Longer than anything takes that a test waits for, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Where nothing tells when to look again: between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// A running tree.
pub struct Tree {
    init: Child,
    /// Everything of it.
    pub dir: PathBuf,
    cgroup: PathBuf,
}

/// Where the programs are.
struct Programs {
    init: PathBuf,
    libexec: PathBuf,
}

fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        // target/PROFILE/deps/TEST: the others go where cargo would put them anyway.
        let test = std::env::current_exe().expect("this program");
        let target = test.ancestors().nth(3).expect("cargo's target directory");
        let cargo = |arguments: &[&str], target: &Path| {
            let status = Command::new(env!("CARGO"))
                .args(["build", "--quiet"])
                .args(arguments)
                .arg("--target-dir")
                .arg(target)
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
                .status();
            assert!(status.expect("cargo runs").success(), "{arguments:?} does not build");
        };
        cargo(&["-p", "supervise", "-p", "cooper-log"], target);
        let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("init");
        let unstripped = "profile.release.package.init.strip=\"none\"";
        let features = ["--release", "-p", "init", "--features", "bin", "--config", unstripped];
        cargo(&features, &own);
        Programs { init: own.join("release/init"), libexec: target.join("debug") }
    })
}

/// A cgroup v2 directory in which this process may make others.
fn cgroups() -> Option<&'static Path> {
    static CGROUPS: OnceLock<Option<PathBuf>> = OnceLock::new();
    CGROUPS.get_or_init(find_cgroups).as_deref()
}

fn find_cgroups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (point, kind) = (fields.nth(1)?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(point))
    })?;
    let probe = mount.join(format!("cooper-probe-{}", std::process::id()));
    fs::create_dir(&probe).ok()?;
    fs::remove_dir(&probe).ok()?;
    Some(mount)
}

/// The bytes of the graph of these files.
pub fn compiled(files: &[(&str, &str)]) -> Vec<u8> {
    let names: Vec<String> = files.iter().map(|(name, _)| format!("{name}.toml")).collect();
    let texts: Vec<Text<'_>> =
        files.iter().zip(&names).map(|((_, text), path)| Text { path, text }).collect();
    match source::compile(&texts) {
        Ok(compiled) => compiled.bytes(),
        Err(report) => panic!("{report:?}"),
    }
}

impl Tree {
    /// A tree of these service files (names and TOML), all of which are wanted up unless one is
    /// named `default`. None where there is no cgroup to be had: most of what is tested needs one.
    pub fn start(files: &[(&str, &str)]) -> Self {
        Self::start_with(files, &[])
    }

    /// A tree of one command, as a container's.
    pub fn start_command(command: &[&str]) -> Self {
        let arguments: Vec<&str> = ["--"].iter().chain(command).copied().collect();
        Self::start_with(&[], &arguments)
    }

    /// A tree of these files, whose init has these arguments.
    fn start_with(files: &[(&str, &str)], arguments: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cooper-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(&name);
        for below in ["run", "graphs", "logs", "libexec"] {
            fs::create_dir_all(dir.join(below)).expect("a directory");
        }
        let cgroup = cgroups().expect("a cgroup v2 that may be written: run as root").join(&name);
        fs::create_dir(&cgroup).expect("a cgroup");
        for program in ["supervise", "cooper-log"] {
            let from = programs().libexec.join(program);
            symlink(from, dir.join("libexec").join(program)).expect("a link");
        }
        fs::write(dir.join("graphs/current"), compiled(files)).expect("a graph");
        let console = fs::File::create(dir.join("console")).expect("a file");
        let init = Command::new(&programs().init)
            .arg("--subtree")
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("COOPER_RUN", dir.join("run"))
            .env("COOPER_GRAPHS", dir.join("graphs"))
            .env("COOPER_LOGS", dir.join("logs"))
            .env("COOPER_LIBEXEC", dir.join("libexec"))
            .env("COOPER_CGROUP", &cgroup)
            .stdin(Stdio::null())
            .stdout(console.try_clone().expect("a file"))
            .stderr(console)
            .spawn()
            .expect("init starts");
        let tree = Self { init, dir, cgroup };
        tree.until("the control socket", || tree.run("control").exists());
        tree.until("the state table", || tree.run("state").exists());
        tree
    }

    /// A path below the run directory.
    pub fn run(&self, name: &str) -> PathBuf {
        self.dir.join("run").join(name)
    }

    /// Where a service's processes are.
    pub fn cgroup(&self, service: &str) -> PathBuf {
        self.cgroup.join("system").join(service)
    }

    /// init's process id.
    pub fn init(&self) -> u32 {
        self.init.id()
    }

    /// Calls a method; an error is its name and parameters.
    pub fn call(&self, method: &str, parameters: Value) -> Result<Value, (String, Value)> {
        Client::connect(self).call(method, parameters)
    }

    /// Calls a method that must succeed.
    pub fn must(&self, method: &str, parameters: Value) -> Value {
        self.call(method, parameters).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// One service, as the control protocol describes it.
    pub fn status(&self, name: &str) -> Value {
        self.must("Status", json!({ "names": [name] }))["services"][0].clone()
    }

    /// Waits until a service is in this state.
    pub fn wait(&self, name: &str, state: &str) -> Value {
        self.wait_for(name, |service| service["state"] == state)
    }

    /// Waits until a service is as the test wants it.
    pub fn wait_for(&self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        Client::connect(self).watch(name, is_it)
    }

    /// A service's record in the state table.
    pub fn record(&self, name: &str) -> Record {
        let graph = fs::read(self.run("graph")).expect("a graph");
        let id = View::open(&graph).expect("a graph").find(name).expect("the service");
        let start = Instant::now();
        loop {
            let bytes = fs::read(self.run("state")).expect("a table");
            let table = Table::open(&bytes[..]).expect("a table");
            if let Some(record) = table.record(id) {
                return record;
            }
            assert!(start.elapsed() < PATIENCE, "the record of {name} stays unreadable");
        }
    }

    /// What the state table says of the whole tree.
    pub fn live(&self) -> Live {
        let bytes = fs::read(self.run("state")).expect("a table");
        Table::open(&bytes[..]).expect("a table").live().unwrap_or_default()
    }

    /// The main process of a service; 0: none.
    pub fn pid(&self, name: &str) -> u32 {
        self.record(name).main_pid
    }

    /// The supervisor's process id. A child that it has made is called `supervise`, too, until it
    /// executes its program; but that one is in its service's cgroup.
    pub fn supervise(&self) -> Option<u32> {
        let cgroup = |pid: u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
        let own = cgroup(self.init());
        let is_it = |pid: &u32| command_of(*pid) == "supervise" && cgroup(*pid) == own;
        children(self.init()).into_iter().find(is_it)
    }

    /// Kills the supervisor, whichever runs now.
    pub fn kill_supervise(&self) {
        let start = Instant::now();
        loop {
            if let Some(pid) = self.supervise() {
                signal(pid, Signal::KILL);
                return;
            }
            assert!(start.elapsed() < PATIENCE, "there is no supervise: {}", self.said());
            sleep(Duration::from_micros(200));
        }
    }

    /// Kills the logger, if one runs now.
    pub fn kill_logger(&self) {
        let all = children(self.init());
        if let Some(pid) = all.into_iter().find(|pid| command_of(*pid) == "cooper-log") {
            signal(pid, Signal::KILL);
        }
    }

    /// What the tree has said on its console and to its log.
    pub fn said(&self) -> String {
        let console = fs::read_to_string(self.dir.join("console")).unwrap_or_default();
        console + &self.log("cooper")
    }

    /// What a service has written so far, as far as it is on disk.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join("logs").join(name).join("current")).unwrap_or_default()
    }

    /// Waits for something that nobody announces.
    pub fn until(&self, what: &str, mut is_it: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_it() {
            assert!(start.elapsed() < PATIENCE, "no {what}: {}", self.said());
            sleep(LOOK);
        }
    }

    /// How init ended.
    pub fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.init.try_wait().expect("our child") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "init does not end: {}", self.said());
            sleep(LOOK);
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if matches!(self.init.try_wait(), Ok(None)) {
            signal(self.init(), Signal::TERM);
            let start = Instant::now();
            while matches!(self.init.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
                sleep(LOOK);
            }
            let _ = self.init.kill();
            let _ = self.init.wait();
        }
        let _ = fs::write(self.cgroup.join("cgroup.kill"), "1");
        if std::thread::panicking() {
            eprintln!("kept: {}\n{}", self.dir.display(), self.said());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
        let start = Instant::now();
        while remove_cgroup(&self.cgroup).is_err() && start.elapsed() < Duration::from_secs(5) {
            sleep(LOOK);
        }
    }
}

fn remove_cgroup(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroup(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// Sends a signal, to whoever is there.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    let _ = kill_process(pid, signal);
}

/// Whether a process lives.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The processes of a cgroup and of those below it.
pub fn members(cgroup: &Path) -> Vec<u32> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            pids.extend(members(&entry.path()));
        }
    }
    pids
}

fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn command_of(pid: u32) -> String {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    exe.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
