//! The base image as it is shipped, `node-image build oci` of the static programs: read by skopeo
//! and umoci, built upon, and run by runc, crun and containerd. `tests/run static` builds both of
//! its variants, and names their directory in `OCI` and that of the programs in `STATIC`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::containerd::Containerd;
use crate::engine::Bundle;

/// Bytes of an image's layers together, as a registry sends them.
const SCRATCH_MAX: u64 = 2_500_000;
const ARCHITECTURES: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];
const HOST: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
const NAME: &str = concat!("cooper:", env!("CARGO_PKG_VERSION"));

/// What it looks like from inside: the user, the supervisor's place, who is up.
const LOOK: &str = "id -u; for d in /run/cooper /dev/shm/cooper-* /tmp/cooper-*; do \
                    [ -e $d/state ] && echo $d; done; svc status one | grep -c ready; exit 5";

/// Runs runc as somebody at a terminal does.
const TERMINAL: &str =
    "exec script --quiet --return --command \"runc --root $1 run --bundle $2 $3\" /dev/null";

impl Bundle {
    /// A bundle that somebody else has made, and changed by this configuration.
    pub fn of(dir: PathBuf, config: Value) -> Self {
        Self { name: Self::name(), dir, config }
    }

    pub fn read_only(mut self) -> Self {
        self.config["root"]["readonly"] = json!(true);
        self
    }

    /// With a cgroup namespace, and its hierarchy writable.
    pub fn with_cgroup(mut self) -> Self {
        let namespaces = self.config["linux"]["namespaces"].as_array_mut().expect("a list");
        namespaces.push(json!({"type": "cgroup"}));
        let mounts = self.config["mounts"].as_array_mut().expect("a list");
        mounts.retain(|it| it["destination"] != "/sys/fs/cgroup");
        mounts.push(json!({"destination": "/sys/fs/cgroup", "type": "cgroup",
            "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "rw"]}));
        self
    }

    /// Runs it with a terminal of its own, and this side of it on one as well.
    pub fn run_on_a_terminal(mut self) -> Output {
        self.config["process"]["terminal"] = json!(true);
        self.run_by(TERMINAL)
    }
}

/// What `tests/run static` has built.
fn built(variable: &str, name: &str) -> PathBuf {
    let directory = std::env::var_os(variable).expect("tests/run static sets it");
    Path::new(&directory).join(name)
}

fn archive(variant: &str) -> String {
    format!("oci-archive:{}", built("OCI", &format!("{variant}.tar")).display())
}

/// What a tool prints, which must not fail.
fn tool<S: AsRef<OsStr>>(name: &str, words: &[S]) -> String {
    let output = Command::new(name).args(words).output().expect("Debian's package");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// skopeo, which has no opinion about signatures.
fn skopeo(architecture: &str, words: &[&str]) -> String {
    let options = ["--insecure-policy", "--override-arch", architecture];
    tool("skopeo", &[&options, words].concat())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Whatever is in a list.
fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// The image of one architecture as a layout of umoci's, with one tag.
fn layout(variant: &str, architecture: &str, dir: &Path) -> String {
    let layout = format!("{}:1", dir.join("layout").display());
    skopeo(architecture, &["copy", "--quiet", &archive(variant), &format!("oci:{layout}")]);
    layout
}

/// It as umoci unpacks it, with the configuration that umoci makes of the image's.
fn unpacked(layout: &str, dir: &Path) -> Bundle {
    let bundle = dir.join("bundle");
    tool("umoci", &["unpack", "--image", layout, &bundle.display().to_string()]);
    let text = fs::read_to_string(bundle.join("config.json")).expect("a configuration");
    let mut config = json(&text);
    config["process"]["terminal"] = json!(false);
    // Rules for devices need a hierarchy of the first version, or the right to load programs.
    config["linux"].as_object_mut().expect("an object").remove("resources");
    Bundle::of(bundle, config)
}

/// An image `FROM` ours, with a service of its own and this command.
fn derived(script: &str, dir: &Path) -> Bundle {
    let layout = layout("busybox", HOST, dir);
    let service = dir.join("one.toml");
    fs::write(&service, "exec = [\"sleep\", \"1000\"]").expect("written");
    let service = service.display().to_string();
    tool("umoci", &["insert", "--image", &layout, &service, "/etc/cooper/services/one.toml"]);
    let command = ["/bin/sh", "-c", script].map(|word| ["--config.cmd", word]).concat();
    tool("umoci", &[&["config", "--image", &layout], &command[..]].concat());
    unpacked(&layout, dir)
}

#[test]
fn skopeo_reads_the_layout() {
    for variant in ["scratch", "busybox"] {
        let archive = archive(variant);
        let index = json(&skopeo("amd64", &["inspect", "--raw", &archive]));
        let platforms = list(&index["manifests"]).iter().map(|it| &it["platform"]);
        let expected = ARCHITECTURES.map(|(name, _)| json!({"architecture": name, "os": "linux"}));
        assert_eq!(platforms.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        for (architecture, _) in ARCHITECTURES {
            let config = json(&skopeo(architecture, &["inspect", "--config", &archive]));
            assert_eq!(config["architecture"], architecture);
            assert_eq!(config["config"]["Entrypoint"], json!(["/init", "--"]));
            let labels = &config["config"]["Labels"];
            assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
        }
        // Every digest is checked on the way.
        let copy = tempfile::tempdir().expect("a directory");
        let to = format!("oci:{}:1", copy.path().display());
        skopeo("amd64", &["copy", "--all", "--quiet", &archive, &to]);
    }
}

#[test]
fn umoci_unpacks_the_programs_and_little_else() {
    for (name, architecture) in ARCHITECTURES {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = layout("scratch", name, dir.path());
        let bundle = unpacked(&layout, dir.path());
        let root = bundle.dir.join("rootfs");
        for program in
            ["lib/cooper/init", "lib/cooper/supervise", "lib/cooper/cooper-log", "bin/svc"]
        {
            let path = Path::new(program);
            let ours = built("STATIC", architecture).join(path.file_name().expect("a name"));
            let there = fs::read(root.join("usr").join(path)).expect("it is there");
            assert!(there == fs::read(ours).expect("it was built"), "{program} is another");
        }
        assert_eq!(fs::read_link(root.join("init")).expect("a link"), Path::new("usr/bin/svc"));
        let list = fs::read_to_string(root.join("usr/share/sbom/cooper.cdx.json"));
        let list = json(&list.expect("the list of contents"));
        assert_eq!(list["bomFormat"], "CycloneDX");
        let raw = json(&skopeo(name, &["inspect", "--raw", &format!("oci:{layout}")]));
        let size: u64 =
            self::list(&raw["layers"]).iter().filter_map(|it| it["size"].as_u64()).sum();
        println!("{name}: {size} bytes");
        assert!(size < SCRATCH_MAX, "{name}: {size} bytes, the budget is {SCRATCH_MAX}");
    }
}

#[test]
fn runc_runs_what_is_built_from_it() {
    for uid in [0, 1000] {
        let dir = tempfile::tempdir().expect("a directory");
        let bundle = derived(LOOK, dir.path()).user(uid).read_only();
        assert_eq!(bundle.printed(5), format!("{uid}\n/dev/shm/cooper-{uid}\n1\n"));
    }
}

#[test]
fn crun_runs_it_with_a_cgroup_that_it_may_write_to() {
    let dir = tempfile::tempdir().expect("a directory");
    let look = format!("sed -n s/^0:://p /proc/self/cgroup; {LOOK}");
    let output = derived(&look, dir.path()).with_cgroup().run_by_crun();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "/system/main\n0\n/run/cooper\n1\n");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn a_terminal_is_the_commands() {
    let dir = tempfile::tempdir().expect("a directory");
    // Who is not in its foreground is stopped by `stty`, and has no /dev/tty.
    let script = "stty -echo && tty && : < /dev/tty && exit 3";
    let output = derived(script, dir.path()).run_on_a_terminal();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    // Before that, what `script` says of the end of its own input may be echoed.
    assert!(printed.ends_with("/dev/pts/0\r\n"), "{printed}");
}

#[test]
fn containerd_runs_both_variants() {
    let daemon = Containerd::start();
    for variant in ["scratch", "busybox"] {
        daemon.import(&built("OCI", &format!("{variant}.tar")));
        // The command begins before anybody knows that it has begun: `svc start` waits for that.
        let (command, expected): (&[&str], i32) = match variant {
            "scratch" => (&["/init", "--", "/usr/bin/svc", "start", "main"], 0),
            _ => (&["/init", "--", "/bin/sh", "-c", "svc start main && exit 7"], 7),
        };
        let (status, printed, errors) = daemon.run(&[], NAME, variant, command);
        assert_eq!(status, Some(expected), "{printed}{errors}");
    }
}
