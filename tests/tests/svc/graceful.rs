//! A shutdown that waits for those who hold locks: the services `login1` and `pods-graceful` as
//! they are shipped, and Debian's own programs as clients of logind.
//!
//! The service `pods` is not here: it would end the pods of the machine that runs this test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{built, expect, svc};
use crate::tree::Tree;
use crate::varlinkctl::debian;

const KUBELET: &str = "exec = [\"/bin/sleep\", \"1000\"]\nafter = [\"login1\"]\n";
const DEFAULT: &str = "type = \"bundle\"\nwants = [\"kubelet\", \"pods-graceful\"]\n";

/// A tree with these services, and a `kubelet` that holds no lock by itself.
fn tree(timeout: &str) -> Tree {
    let tree = Tree::start(&[("default", "type = \"bundle\"\n")]);
    let services = tree.dir.join("services");
    fs::create_dir(&services).unwrap();
    let program = built("login1");
    let shipped = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../node-image/services");
        let text = fs::read_to_string(Path::new(path).join(name)).unwrap();
        let run = format!("[environment]\nCOOPER_RUN = \"{}\"\n\n", tree.run("").display());
        let table = text.find("\n[").unwrap() + 1;
        let text = format!("{}{run}{}", &text[..table], &text[table..]);
        let record = format!(", \"--record\", \"{}\"]", record(&tree).display());
        // Whoever runs this test may lack the privilege.
        text.replace("oom-score-adj = -900\n", "")
            .replace("/usr/lib/cooper/login1", program.to_str().unwrap())
            .replace("\"note-boot\"]", &format!("\"note-boot\"{record}"))
            .replace("\"5m\"]\n#", &format!("\"{timeout}\"{record}\n#"))
    };
    fs::write(services.join("login1.toml"), shipped("login1.toml")).unwrap();
    let graceful = shipped("pods-graceful.toml");
    assert!(graceful.contains(timeout) && graceful.matches("--record").count() == 2, "{graceful}");
    fs::write(services.join("pods-graceful.toml"), graceful).unwrap();
    fs::write(services.join("kubelet.toml"), KUBELET).unwrap();
    fs::write(services.join("default.toml"), DEFAULT).unwrap();
    expect(svc(&tree, &["apply"]), 0);
    tree.wait("pods-graceful", "done");
    tree
}

fn record(tree: &Tree) -> PathBuf {
    tree.dir.join("last-shutdown.json")
}

fn written(tree: &Tree) -> Value {
    serde_json::from_slice(&fs::read(record(tree)).expect("a record")).expect("JSON")
}

/// `systemd-inhibit`, which holds a lock until its child has read a line.
struct Holder(Child);

impl Holder {
    fn new(tree: &Tree) -> Self {
        let mut command = client(tree, "systemd-inhibit");
        command.args(["--what=shutdown", "--who=kubelet", "--why=its pods", "--mode=delay"]);
        command.args(["sh", "-c", "echo; read -r line || :"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        // It has its lock when its child runs.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "systemd-inhibit was refused");
        Self(child)
    }

    fn lets_go(&mut self) {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Its child ends by the end of its input.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn client(tree: &Tree, program: &str) -> Command {
    let mut command = debian(program);
    let address = format!("unix:path={}", tree.run("login1").display());
    command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
    command
}

#[test]
fn nothing_stops_before_everyone_has_let_go() {
    let mut tree = tree("1m");
    let mut holder = Holder::new(&tree);
    tree.wait_for("login1", |service| service["status"] == "a shutdown waits for kubelet");
    let said = expect(svc(&tree, &["poweroff"]), 0);
    assert!(said.err.contains(") delays it: its pods"), "{said:?}");
    tree.wait_for("login1", |service| service["status"] == "the shutdown waits for kubelet");
    let said = svc(&tree, &["status"]);
    assert!(said.err.contains("a shutdown is under way (poweroff)"), "{said:?}");
    assert!(said.err.contains("svc: kubelet (process "), "{said:?}");
    for name in ["kubelet", "login1"] {
        assert_eq!(tree.status(name)["state"], "ready", "{name} is needed yet");
    }
    holder.lets_go();
    assert!(tree.ended().success());
    let ended = &written(&tree)["ended"];
    assert_eq!(ended["ending"], "poweroff");
    assert_eq!(ended["holders"][0]["who"], "kubelet");
    assert!(ended["holders"][0]["released_ms"].is_u64(), "{ended}");
}

#[test]
fn who_never_lets_go_is_named_after_the_next_boot() {
    let mut before = tree("1s");
    let _holder = Holder::new(&before);
    expect(svc(&before, &["reboot"]), 0);
    assert!(before.ended().success());
    let mut book = written(&before);
    assert!(book["ended"]["holders"][0]["released_ms"].is_null(), "{book}");

    // The next boot; the kernel's is the same one, as far as it can tell.
    book["boot"] = "another".into();
    let after = tree("1s");
    let note = |text: &str| {
        fs::write(record(&after), text).unwrap();
        expect(svc(&after, &["restart", "pods-graceful"]), 0);
        expect(svc(&after, &["boot"]), 0).out
    };
    let said = note(&book.to_string());
    let line = said.lines().find(|line| line.starts_with("last shutdown: reboot, ")).unwrap();
    assert!(line.ends_with(" UTC; kubelet did not let go within 1 s"), "{line}");
    let said = expect(svc(&after, &["boot", "--json"]), 0);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["last_shutdown"]["holders"][0]["who"], "kubelet", "{json}");
    // And one that ended without a word.
    book["ended"] = Value::Null;
    assert!(note(&book.to_string()).contains("\nlast shutdown: not in order"));
}

#[test]
fn stopping_the_service_by_hand_tells_nobody() {
    let tree = tree("1m");
    let _holder = Holder::new(&tree);
    expect(svc(&tree, &["stop", "pods-graceful", "--force"]), 0);
    assert_eq!(tree.status("login1")["status"], "a shutdown waits for kubelet");
    assert!(written(&tree)["ended"].is_null());
}

#[test]
fn the_programs_of_systemd_take_it_for_logind() {
    let tree = tree("1m");
    let _holder = Holder::new(&tree);
    let run = |program: &str, arguments: &[&str]| {
        let output = client(&tree, program).args(arguments).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
        text
    };
    let list = run("systemd-inhibit", &["--list", "--no-pager", "--no-legend"]);
    assert!(list.contains("kubelet") && list.contains("its pods"), "{list}");
    let object = ["org.freedesktop.login1", "/org/freedesktop/login1"];
    let manager = "org.freedesktop.login1.Manager";
    let get = [&["get-property"], &object[..], &[manager, "InhibitDelayMaxUSec"]].concat();
    assert_eq!(run("busctl", &get), "t 300000000\n", "as login1.toml says");
    let introspect = [&["introspect", "--no-pager"], &object[..]].concat();
    let text = run("busctl", &introspect);
    assert!(text.contains(".Inhibit") && text.contains(".PrepareForShutdown"), "{text}");
    let off = [&["call"], &object[..], &[manager, "PowerOff", "b", "false"]].concat();
    let output = client(&tree, "busctl").args(off).output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("`svc` stops a node"), "{output:?}");
}

#[test]
fn holders_are_told_as_much_time_as_they_get() {
    let option = |name: &str, option: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../node-image/services");
        let text = fs::read_to_string(Path::new(path).join(name)).unwrap();
        let after = text.split_once(&format!("\"{option}\", \"")).expect("the option").1;
        after.split('"').next().unwrap().to_owned()
    };
    let told = option("login1.toml", "--delay-max");
    assert_eq!(told, option("pods-graceful.toml", "--timeout"));
}
