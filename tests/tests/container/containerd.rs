//! An image of real containerd: imported and run by `ctr`, as users do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use node_image::oci::{self, Image};
use node_image::tree::{Content, Entry, Tree};
use rustix::process::{Pid, Signal, kill_process};

use crate::engine::has;
use crate::namespace::{PATIENCE, programs};

const NAME: &str = "example.org/cooper/test:1";
const LOOK: Duration = Duration::from_millis(20);

/// A containerd of the test's own.
struct Containerd {
    process: Child,
    dir: PathBuf,
}

impl Containerd {
    fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("containerd-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let config = format!(
            "version = 2\nroot = \"{0}/root\"\nstate = \"{0}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{0}/socket\"\n",
            dir.display()
        );
        fs::write(dir.join("config.toml"), config).expect("written");
        let log = fs::File::create(dir.join("log")).expect("a file");
        let process = Command::new("containerd")
            .arg("--config")
            .arg(dir.join("config.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("containerd starts");
        let daemon = Self { process, dir };
        let begin = Instant::now();
        while !daemon.ctr(&["version"]).status.success() {
            let log = fs::read_to_string(daemon.dir.join("log")).unwrap_or_default();
            assert!(begin.elapsed() < PATIENCE, "containerd does not answer: {log}");
            sleep(LOOK);
        }
        daemon
    }

    fn ctr(&self, words: &[&str]) -> Output {
        let limit = PATIENCE.as_secs().to_string();
        let mut ctr = Command::new("timeout");
        ctr.args([&limit, "ctr", "--address"]).arg(self.dir.join("socket"));
        ctr.args(words).output().expect("ctr runs")
    }

    /// A container of the image with this command: its exit status, output and complaints.
    fn run(&self, name: &str, command: &[&str]) -> (Option<i32>, String, String) {
        let mut words = vec!["run".to_string(), "--rm".into(), "--snapshotter=native".into()];
        let mut bind = |from: &Path, to: &str| {
            let options = format!("type=bind,src={},dst={to},options=rbind:ro", from.display());
            words.extend(["--mount".into(), options]);
        };
        bind(programs(), "/cooper");
        for host in ["/usr", "/bin", "/lib", "/lib64"] {
            if let Ok(real) = fs::canonicalize(host) {
                bind(&real, host);
            }
        }
        let env = ["--env=COOPER_LIBEXEC=/cooper", "--env=PATH=/usr/bin:/bin", NAME, name];
        words.extend(env.map(String::from));
        // What ctr is given takes the place of entrypoint and command both.
        let entry = ["/cooper/entry/init", "--"].iter().chain(command);
        words.extend(entry.map(ToString::to_string));
        let output = self.ctr(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let _ = kill_process(pid.expect("not 0"), Signal::TERM);
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// An image of directories, and of service files.
fn image(path: &Path) {
    let mut tree = Tree::default();
    for directory in ["bin", "cooper", "dev", "lib", "lib64", "proc", "run", "sys", "tmp", "usr"] {
        tree.insert(directory, Entry::Directory(0o755)).expect("a directory");
    }
    let one =
        "exec = [\"sh\", \"-c\", \"echo one; echo >&3; exec sleep 1000\"]\nready = { fd = 3 }";
    let entry = Entry::File { mode: 0o644, content: Content::Bytes(one.into()) };
    tree.insert("etc/cooper/services/one.toml", entry).expect("a file");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let entrypoint = vec!["/cooper/entry/init".into()];
    let image = Image { architecture: architecture.into(), entrypoint, ..Image::default() };
    let file = fs::File::create(path).expect("a file");
    oci::write(&tree, NAME, &image, file).expect("an image");
}

#[test]
fn an_image_is_imported_and_run() {
    if !has("containerd") {
        return;
    }
    let daemon = Containerd::start();
    let tar = daemon.dir.join("image.tar");
    image(&tar);
    let imported =
        daemon.ctr(&["image", "import", "--snapshotter=native", &tar.display().to_string()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let script = "echo command; /cooper/svc status one main | grep -c ready; exit 6";
    let (status, output, errors) = daemon.run("first", &["sh", "-c", script]);
    assert_eq!((status, output.as_str()), (Some(6), "one\ncommand\n2\n"), "{errors}");
    let (status, _, errors) = daemon.run("second", &["sh", "-c", "kill -KILL $$"]);
    assert_eq!(status, Some(137), "{errors}");
}
