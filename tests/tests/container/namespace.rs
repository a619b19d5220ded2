//! A container without an engine: process 1 of a process id namespace, or anybody's process.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything takes that a test waits for, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Where nothing tells when to look again: between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Where our programs are: `init`, `supervise`, `cooper-log` and `svc`.
pub fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
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
        cargo(&["-p", "supervise", "-p", "cooper-log", "-p", "svc"], target);
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let own = tmp.join("init");
        let unstripped = "profile.release.package.init.strip=\"none\"";
        let features = ["--release", "-p", "init", "--features", "bin", "--config", unstripped];
        cargo(&features, &own);
        let libexec = tmp.join(format!("container-{}", std::process::id()));
        fs::create_dir_all(&libexec).expect("a directory");
        for program in ["supervise", "cooper-log", "svc"] {
            fs::copy(target.join("debug").join(program), libexec.join(program)).expect("a copy");
        }
        fs::copy(own.join("release/init"), libexec.join("init")).expect("a copy");
        // What an image's /init is.
        fs::create_dir_all(libexec.join("entry")).expect("a directory");
        let _ = fs::remove_file(libexec.join("entry/init"));
        symlink("../svc", libexec.join("entry/init")).expect("a link");
        libexec
    })
}

/// A container that runs.
pub struct Container {
    process: Child,
    is_unshared: bool,
    /// Everything of it: `services`, `run`, and whatever its services make.
    pub dir: PathBuf,
}

/// One that is to run.
pub struct Plan {
    dir: PathBuf,
    variables: Vec<(String, String)>,
    options: Vec<String>,
    is_process_1: bool,
    through: Vec<String>,
}

impl Plan {
    /// With no services.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("container-{}-{number}", std::process::id()));
        fs::create_dir_all(dir.join("services")).expect("a directory");
        fs::create_dir_all(dir.join("run")).expect("a directory");
        Self {
            dir,
            variables: Vec::new(),
            options: Vec::new(),
            is_process_1: true,
            through: Vec::new(),
        }
    }

    /// Where the test's files may be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// With this service file; `@` in it is the container's directory.
    pub fn service(self, name: &str, text: &str) -> Self {
        let text = text.replace('@', &self.dir.display().to_string());
        fs::write(self.dir.join("services").join(format!("{name}.toml")), text).expect("written");
        self
    }

    /// With this variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With these options of the entrypoint.
    pub fn options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(ToString::to_string));
        self
    }

    /// As anybody's process.
    pub fn subtree(mut self) -> Self {
        self.is_process_1 = false;
        self
    }

    /// Started by this command, which executes what follows it.
    pub fn through(mut self, words: &[&str]) -> Self {
        self.through.extend(words.iter().map(ToString::to_string));
        self
    }

    /// Starts it with this command; `@` in it is the container's directory.
    pub fn start(self, command: &[&str]) -> Container {
        let entry = programs().join("entry/init");
        let mut start = if self.is_process_1 {
            let mut unshare = Command::new("unshare");
            unshare.args(["--pid", "--fork", "--mount", "--mount-proc", "--kill-child", "--"]);
            unshare.arg(entry);
            unshare
        } else if let Some((first, rest)) = self.through.split_first() {
            let mut through = Command::new(first);
            through.args(rest).arg(entry);
            through
        } else {
            Command::new(entry)
        };
        let place = self.dir.display().to_string();
        let output = fs::File::create(self.dir.join("output")).expect("a file");
        let errors = fs::File::create(self.dir.join("errors")).expect("a file");
        start
            .args(&self.options)
            .args((!command.is_empty()).then_some("--"))
            .args(command.iter().map(|word| word.replace('@', &place)))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("COOPER_LIBEXEC", programs())
            .env("COOPER_SERVICES", self.dir.join("services"))
            .env("COOPER_NODE", self.dir.join("node.toml"))
            .env("COOPER_RUN", self.dir.join("run"))
            // No cgroup v2 directory: most containers have none that they may write to.
            .env("COOPER_CGROUP", "/")
            .envs(self.variables)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let process = start.spawn().expect("it starts");
        Container { process, is_unshared: self.is_process_1, dir: self.dir }
    }
}

impl Container {
    /// Signals the entrypoint.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.init(), signal).expect("it runs");
    }

    /// Kills the supervisor that runs now.
    pub fn kill_supervise(&self) {
        let init = self.init().as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children"));
        let children = children.expect("it runs");
        let is_it = |pid: &&str| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim() == "supervise"
        };
        let pid = children.split_whitespace().find(is_it).expect("a supervisor");
        let pid = Pid::from_raw(pid.parse().expect("a process id")).expect("not 0");
        kill_process(pid, Signal::KILL).expect("it runs");
    }

    /// init, once there is one.
    fn init(&self) -> Pid {
        let id = self.process.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let pid = if self.is_unshared {
            fs::read_to_string(children).expect("it runs").trim().parse().expect("one child")
        } else {
            i32::try_from(id).expect("a process id")
        };
        Pid::from_raw(pid).expect("not 0")
    }

    /// Runs `svc` for this tree, from outside.
    pub fn svc(&self, words: &[&str]) -> std::process::Output {
        Command::new(programs().join("svc"))
            .args(words)
            .env("COOPER_RUN", self.dir.join("run"))
            .output()
            .expect("svc runs")
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(self.dir.join("output")).unwrap_or_default()
    }

    /// What it has complained of so far.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.dir.join("errors")).unwrap_or_default()
    }

    /// Waits until a file is there, which its services make.
    pub fn until_file(&self, name: &str) {
        self.until(name, || self.dir.join(name).exists());
    }

    /// Waits until it has printed this.
    pub fn until_output(&self, text: &str) {
        self.until(text, || self.output().contains(text));
    }

    /// Waits for something that nobody announces.
    pub fn until(&self, what: &str, mut is_it: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_it() {
            let said = self.output() + &self.errors();
            assert!(start.elapsed() < PATIENCE, "no {what}: {said}");
            sleep(LOOK);
        }
    }

    /// How it ended.
    pub fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("our child") {
                return status;
            }
            let said = self.output() + &self.errors();
            assert!(start.elapsed() < PATIENCE, "it does not end: {said}");
            sleep(LOOK);
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let init = self.init();
            let _ = kill_process(init, Signal::TERM);
            let start = Instant::now();
            while matches!(self.process.try_wait(), Ok(None)) && start.elapsed() < PATIENCE {
                sleep(LOOK);
            }
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
        if std::thread::panicking() {
            eprintln!("kept: {}\n{}{}", self.dir.display(), self.output(), self.errors());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}
