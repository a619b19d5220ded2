//! Containers of real runc, crun and containerd, as engines configure them: read-only roots, users,
//! filters. Their root has our programs, and the host's directories of programs and libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::namespace::{PATIENCE, programs};

/// Whether there is this engine, and it may run containers. In CI there must be one.
pub fn has(engine: &str) -> bool {
    let has = rustix::process::geteuid().is_root()
        && Command::new(engine).arg("--version").output().is_ok_and(|out| out.status.success());
    tests::needs(&format!("root, and Debian's {engine}"), has)
}

fn has_runc() -> bool {
    has("runc")
}

/// Mounts a cgroup v2 hierarchy where crun looks for it, which knows no host with both versions.
const CRUN: &str =
    "mount -t cgroup2 none /sys/fs/cgroup && exec crun --root \"$1\" run --bundle \"$2\" \"$3\"";

/// A bundle, and its container while it runs.
pub struct Bundle {
    pub name: String,
    pub dir: PathBuf,
    pub config: Value,
}

impl Bundle {
    /// A container of root's, whose root is read-only, with this command.
    fn new(command: &[&str]) -> Self {
        let name = Self::name();
        let dir = std::env::temp_dir().join(&name);
        for below in ["cooper", "etc/cooper/services", "dev", "proc", "sys", "run", "tmp"] {
            fs::create_dir_all(dir.join("root").join(below)).expect("a directory");
        }
        let mut mounts = vec![
            json!({"destination": "/proc", "type": "proc", "source": "proc"}),
            json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "mode=755", "size=64k"]}),
            json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
                "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=4m"]}),
        ];
        let mut bind = |from: &Path, to: &str| {
            fs::create_dir_all(dir.join("root").join(to.trim_start_matches('/'))).expect("made");
            mounts.push(json!({"destination": to, "type": "bind", "source": from,
                "options": ["rbind", "ro"]}));
        };
        bind(programs(), "/cooper");
        for host in ["/usr", "/bin", "/lib", "/lib64"] {
            if let Ok(real) = fs::canonicalize(host) {
                bind(&real, host);
            }
        }
        let entry = ["/cooper/entry/init", "--"];
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false,
                "user": {"uid": 0, "gid": 0},
                "args": entry.iter().chain(command).collect::<Vec<_>>(),
                "env": ["PATH=/usr/bin:/bin", "COOPER_LIBEXEC=/cooper"],
                "cwd": "/",
                "capabilities": {},
                "noNewPrivileges": true,
            },
            "root": {"path": "root", "readonly": true},
            "hostname": "cooper",
            "mounts": mounts,
            "linux": {
                "namespaces": [
                    {"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
                ],
            },
        });
        Self { name, dir, config }
    }

    pub fn name() -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("cooper-{}-{number}", std::process::id())
    }

    pub fn user(mut self, uid: u32) -> Self {
        self.config["process"]["user"] = json!({"uid": uid, "gid": uid});
        self
    }

    /// These system calls are refused with this error.
    fn refusing(mut self, calls: &[&str], errno: u32) -> Self {
        self.config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": calls, "action": "SCMP_ACT_ERRNO", "errnoRet": errno}],
        });
        self
    }

    /// The entrypoint is the child of this script, which is process 1.
    fn below(mut self, script: &str) -> Self {
        let args = self.config["process"]["args"].as_array().expect("a list").clone();
        let script = ["sh", "-c", script, "sh"].map(Value::from);
        self.config["process"]["args"] = script.into_iter().chain(args).collect();
        self
    }

    fn service(self, name: &str, text: &str) -> Self {
        let path = self.dir.join("root/etc/cooper/services").join(format!("{name}.toml"));
        fs::write(path, text).expect("written");
        self
    }

    /// Runs it to its end.
    fn run(&self) -> Output {
        self.run_by("exec runc --root \"$1\" run --bundle \"$2\" \"$3\"")
    }

    /// Runs it by crun, in a mount namespace of its own.
    pub fn run_by_crun(&self) -> Output {
        self.run_by(CRUN)
    }

    /// A script for its directory of state, its directory and its name.
    pub fn run_by(&self, script: &str) -> Output {
        let config = serde_json::to_vec_pretty(&self.config).expect("JSON");
        fs::write(self.dir.join("config.json"), config).expect("written");
        let limit = PATIENCE.as_secs().to_string();
        let mut run = Command::new("timeout");
        run.args(["--signal=KILL", &limit, "unshare", "--mount", "sh", "-c", script, "sh"]);
        run.arg(self.dir.join("state")).arg(&self.dir).arg(&self.name).output().expect("it runs")
    }

    /// What it has printed and its exit status, if nothing was complained of.
    pub fn printed(&self, status: i32) -> String {
        let output = self.run();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{errors}");
        assert_eq!(errors, "");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let root = self.dir.join("state");
        let _ = Command::new("runc")
            .arg("--root")
            .arg(root)
            .args(["delete", "-f", &self.name])
            .output();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Prints where the tree lives, who is up, and whether `svc` is at one with it.
const LOOK: &str = "id -u; for d in /run/cooper /dev/shm/cooper-* /tmp/cooper-*; do \
                    [ -e $d/state ] && echo $d; done; unset COOPER_RUN; \
                    /cooper/svc status one main | grep -c ready; exit 5";
const ONE: &str = "exec = [\"sleep\", \"1000\"]";

#[test]
fn a_read_only_root_is_enough_for_root_and_for_others() {
    if !has_runc() {
        return;
    }
    for uid in [0, 1000] {
        let bundle = Bundle::new(&["sh", "-c", LOOK]).user(uid).service("one", ONE);
        assert_eq!(bundle.printed(5), format!("{uid}\n/dev/shm/cooper-{uid}\n2\n"));
    }
}

#[test]
fn it_need_not_be_process_1() {
    if !has_runc() {
        return;
    }
    // As below `docker run --init`, and where pods share their process namespace.
    let bundle = Bundle::new(&["sh", "-c", LOOK]).user(1000).service("one", ONE);
    let bundle = bundle.below("\"$@\" & wait $!");
    assert_eq!(bundle.printed(5), "1000\n/dev/shm/cooper-1000\n2\n");
}

#[test]
fn old_filters_are_gone_around() {
    if !has_runc() {
        return;
    }
    // EPERM as Docker's did for what they did not know, and ENOSYS as they do since.
    let newer = [
        "clone3",
        "pidfd_open",
        "pidfd_send_signal",
        "close_range",
        "openat2",
        "faccessat2",
        "statx",
        "epoll_pwait2",
    ];
    for errno in [1, 38] {
        let bundle = Bundle::new(&["sh", "-c", LOOK]).service("one", ONE).refusing(&newer, errno);
        assert_eq!(bundle.printed(5), "0\n/dev/shm/cooper-0\n2\n", "errno {errno}");
    }
}

#[test]
fn crun_runs_it_as_well() {
    if !has("crun") {
        return;
    }
    for uid in [0, 1000] {
        let output = Bundle::new(&["sh", "-c", LOOK]).user(uid).service("one", ONE).run_by_crun();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(5));
        let printed = format!("{uid}\n/dev/shm/cooper-{uid}\n2\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), printed);
    }
}

#[test]
fn exit_statuses_pass_and_mistakes_are_told() {
    if !has_runc() {
        return;
    }
    for (script, status) in [("exit 0", 0), ("exit 42", 42), ("kill -SEGV $$", 139)] {
        assert_eq!(Bundle::new(&["sh", "-c", script]).printed(status), "");
    }
    let output = Bundle::new(&["true"]).service("one", "exce = []").run();
    assert_eq!(output.status.code(), Some(4));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("/etc/cooper/services/one.toml:1:1"), "{errors}");
}
