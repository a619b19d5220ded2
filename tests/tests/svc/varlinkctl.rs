//! Debian's own `varlinkctl` (trixie's: bookworm's systemd has none), unpacked and run by its own
//! dynamic linker; nothing of systemd runs.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::program::{NOBODY, Said, expect};
use crate::tree::Tree;

const INTERFACE: &str = "org.cooper.Services";
const FORM: [&str; 2] = ["--no-pager", "--json=short"];
const SLEEP: &str = "exec = [\"/bin/sleep\", \"1000\"]\n";

/// The unpacked packages, fetched once.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("varlinkctl");
        let unpack = concat!(env!("CARGO_MANIFEST_DIR"), "/../node-image/unpack");
        let debian = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let status =
            Command::new(unpack).args(["trixie", debian]).arg(&root).arg("systemd").status();
        let status = status.expect("node-image/unpack runs");
        assert!(status.success(), "cannot unpack Debian's systemd");
        root
    })
}

fn command(arguments: &[&str]) -> Command {
    let mut command = debian("varlinkctl");
    command.args(FORM).args(arguments);
    command
}

/// A program of Debian's systemd.
pub fn debian(program: &str) -> Command {
    unpacked_in(root(), program)
}

fn unpacked_in(root: &Path, program: &str) -> Command {
    let libraries = root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let linker = std::fs::read_dir(&libraries)
        .expect("libraries")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"ld-linux"))
        })
        .expect("a dynamic linker");
    let mut command = Command::new(linker);
    command
        .arg("--library-path")
        .arg(format!("{0}:{0}/systemd", libraries.display()))
        .arg(root.join("usr/bin").join(program));
    command
}

fn varlinkctl(arguments: &[&str]) -> Said {
    command(arguments).output().expect("varlinkctl runs").into()
}

/// By somebody who may do nothing, from a copy: where cargo builds, nobody may look.
fn varlinkctl_as_nobody(tree: &Tree, arguments: &[&str]) -> Said {
    let mut command = unpacked_in(&tests::copied(root(), &tree.dir), "varlinkctl");
    command.args(FORM).args(arguments).uid(NOBODY).gid(NOBODY);
    command.output().expect("varlinkctl runs").into()
}

fn tree() -> Tree {
    let tree = Tree::start(&[
        ("a", SLEEP),
        ("b", "requires = [\"a\"]\nexec = [\"/bin/cat\", \"/dev/zero\"]\nlog = \"none\"\n"),
    ]);
    tree.wait("a", "ready");
    tree
}

fn call(tree: &Tree, method: &str, parameters: &str) -> Said {
    let control = tree.run("control");
    let method = format!("{INTERFACE}.{method}");
    varlinkctl(&["call", control.to_str().unwrap(), &method, parameters])
}

#[test]
fn it_introspects_the_interface() {
    let tree = tree();
    let control = tree.run("control");
    let control = control.to_str().unwrap();
    let said = expect(varlinkctl(&["list-interfaces", control]), 0);
    assert!(said.out.contains(INTERFACE) && said.out.contains("org.varlink.service"), "{said:?}");
    let said = expect(varlinkctl(&["introspect", control, INTERFACE]), 0);
    assert!(said.out.contains("method Restart("), "{said:?}");
}

#[test]
fn it_calls_methods_and_understands_errors() {
    let tree = tree();
    let said = expect(call(&tree, "Status", r#"{"names": ["a"]}"#), 0);
    let reply: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(reply["services"][0]["state"], "ready");
    let said = expect(call(&tree, "List", "{}"), 0);
    let reply: Value = serde_json::from_str(&said.out).unwrap();
    assert!(reply["services"].as_array().unwrap().len() >= 2, "{reply}");
    let said = expect(call(&tree, "Explain", r#"{"name": "a"}"#), 0);
    let reply: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(reply["chain"][0]["name"], "a");
    let before = tree.pid("a");
    expect(call(&tree, "Restart", r#"{"names": ["a"], "wait": true}"#), 0);
    assert_ne!(tree.pid("a"), before);
    for method in ["Status", "Start"] {
        let said = call(&tree, method, r#"{"names": ["c"]}"#);
        assert_ne!(said.status, 0);
        assert!(said.err.contains("org.cooper.Services.UnknownService"), "{said:?}");
    }
    let said = call(&tree, "Fly", "{}");
    assert!(said.err.contains("org.varlink.service.MethodNotFound"), "{said:?}");
}

#[test]
fn it_watches_as_things_change() {
    let tree = tree();
    let control = tree.run("control");
    let watch = format!("{INTERFACE}.Watch");
    let arguments = ["call", "--more", control.to_str().unwrap(), &watch, r#"{"names": ["a"]}"#];
    let mut child = command(&arguments).stdout(Stdio::piped()).spawn().expect("varlinkctl runs");
    let mut replies = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = move || -> Value {
        let line = replies.next().expect("the stream goes on").expect("a line");
        // RFC 7464: a record begins with this.
        serde_json::from_str(line.trim_start_matches('\u{1e}')).expect("a reply")
    };
    assert_eq!(next()["services"][0]["state"], "ready");
    expect(call(&tree, "Stop", r#"{"names": ["a"], "force": true}"#), 0);
    while next()["services"][0]["state"] != "down" {}
    child.kill().expect("it still watches");
    child.wait().expect("it ends");
}

#[test]
fn it_may_only_read_as_somebody_else() {
    let tree = tree();
    let control = tree.run("control");
    let control = control.to_str().unwrap();
    let list = format!("{INTERFACE}.List");
    let stop = format!("{INTERFACE}.Stop");
    expect(varlinkctl_as_nobody(&tree, &["call", control, &list, "{}"]), 0);
    let said = varlinkctl_as_nobody(&tree, &["call", control, &stop, r#"{"names": ["b"]}"#]);
    assert!(said.err.contains("org.cooper.Services.NotAllowed"), "{said:?}");
    assert_eq!(tree.status("a")["state"], "ready");
}
