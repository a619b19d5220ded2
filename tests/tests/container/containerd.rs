//! An image of real containerd: imported and run by `ctr`, as users do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
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
pub struct Containerd {
    process: Child,
    dir: PathBuf,
}

impl Containerd {
    pub fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("containerd-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
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

    pub fn ctr(&self, words: &[&str]) -> Output {
        let limit = PATIENCE.as_secs().to_string();
        let mut ctr = Command::new("timeout");
        ctr.args([&limit, "ctr", "--address"]).arg(self.dir.join("socket"));
        ctr.args(words).output().expect("ctr runs")
    }

    /// Imports an image.
    pub fn import(&self, tar: &Path) {
        let tar = tar.display().to_string();
        let imported = self.ctr(&["image", "import", "--snapshotter=native", &tar]);
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    }

    /// A container of an image, with these options of ctr's and this command, which takes the
    /// place of the image's entrypoint and command both: its exit status, output and complaints.
    pub fn run(
        &self,
        options: &[String],
        image: &str,
        name: &str,
        command: &[&str],
    ) -> (Option<i32>, String, String) {
        let options = options.iter().map(String::as_str);
        let words = ["run", "--rm", "--snapshotter=native"].into_iter().chain(options);
        let words = words.chain([image, name]).chain(command.iter().copied());
        let output = self.ctr(&words.collect::<Vec<_>>());
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

/// Options of ctr: this machine's programs, and ours.
fn options() -> Vec<String> {
    let bind = |from: &Path, to: &str| {
        format!("--mount=type=bind,src={},dst={to},options=rbind:ro", from.display())
    };
    let host = ["/usr", "/bin", "/lib", "/lib64"].into_iter();
    let host = host.filter_map(|path| fs::canonicalize(path).ok().map(|real| bind(&real, path)));
    let own = bind(programs(), "/cooper");
    let env = ["--env=COOPER_LIBEXEC=/cooper", "--env=PATH=/usr/bin:/bin"].map(String::from);
    host.chain([own]).chain(env).collect()
}

#[test]
fn an_image_is_imported_and_run() {
    if !has("containerd") {
        return;
    }
    let daemon = Containerd::start();
    let tar = daemon.dir.join("image.tar");
    image(&tar);
    daemon.import(&tar);
    let run = |name, script| {
        let command = ["/cooper/entry/init", "--", "sh", "-c", script];
        daemon.run(&options(), NAME, name, &command)
    };
    let script = "echo command; /cooper/svc status one main | grep -c ready; exit 6";
    let (status, output, errors) = run("first", script);
    assert_eq!((status, output.as_str()), (Some(6), "one\ncommand\n2\n"), "{errors}");
    let (status, _, errors) = run("second", "kill -KILL $$");
    assert_eq!(status, Some(137), "{errors}");
}
