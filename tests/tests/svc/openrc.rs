//! `rc-service` and its like, as scripts of Alpine's packages call them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::{Said, command, expect, program, svc};
use crate::tree::Tree;

const SLEEP: &str = "exec = [\"/bin/sleep\", \"1000\"]\n";
const FAILS: &str = "type = \"oneshot\"\nexec = [\"/bin/false\"]\n";
const DEFAULT: &str = "type = \"bundle\"\nwants = [\"a\"]\n";

fn tree() -> Tree {
    let tree =
        Tree::start(&[("a", SLEEP), ("other", SLEEP), ("fails", FAILS), ("default", DEFAULT)]);
    tree.wait("a", "ready");
    expect(svc(&tree, &["start", "fails"]), 1);
    let bin = tree.dir.join("bin");
    fs::create_dir(&bin).expect("made");
    symlink(program(), bin.join("svc")).expect("a link");
    let shim = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../alpine/cooper/rc-service"));
    for name in ["rc-service", "rc-update", "openrc"] {
        symlink(shim, bin.join(name)).expect("a link");
    }
    tree
}

fn call(tree: &Tree, words: &[&str]) -> Said {
    let like = command(tree, &[]);
    let bin = tree.dir.join("bin");
    let mut command = Command::new(bin.join(words[0]));
    command.args(&words[1..]).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).output().expect("it runs").into()
}

#[test]
fn rc_service_does_what_svc_does() {
    let tree = tree();
    let pid = tree.pid("a");
    expect(call(&tree, &["rc-service", "a", "restart"]), 0);
    assert_ne!(tree.pid("a"), pid);
    expect(call(&tree, &["rc-service", "a", "stop"]), 0);
    assert_eq!(tree.status("a")["state"], "down");
    expect(call(&tree, &["rc-service", "--quiet", "a", "start"]), 0);
    assert_eq!(tree.status("a")["state"], "ready");
    // OpenRC's words, to be the same in every script: restart only what runs.
    expect(call(&tree, &["rc-service", "other", "condrestart"]), 0);
    assert_eq!(tree.status("other")["state"], "down");
}

#[test]
fn rc_service_answers_as_openrc_does() {
    let tree = tree();
    let said = expect(call(&tree, &["rc-service", "a", "status"]), 0);
    assert_eq!(said.out, " * status: started\n");
    let said = expect(call(&tree, &["rc-service", "other", "status"]), 3);
    assert_eq!(said.out, " * status: stopped\n");
    let said = expect(call(&tree, &["rc-service", "fails", "status"]), 32);
    assert_eq!(said.out, " * status: crashed\n");
    // kubeadm looks for these words, to tell a service that is not there.
    let said = expect(call(&tree, &["rc-service", "nobody", "status"]), 1);
    assert_eq!(said.err, "rc-service: service `nobody' does not exist\n");
    expect(call(&tree, &["rc-service", "--ifexists", "nobody", "restart"]), 0);
    expect(call(&tree, &["rc-service", "--exists", "a"]), 0);
    expect(call(&tree, &["rc-service", "--exists", "nobody"]), 1);
    let said = expect(call(&tree, &["rc-service", "--list"]), 0);
    assert!(said.out.lines().any(|line| line == "other"), "{said:?}");
}

#[test]
fn what_is_not_here_is_refused_and_says_what_is() {
    let tree = tree();
    let said = expect(call(&tree, &["rc-update", "show", "default"]), 0);
    assert!(said.out.lines().any(|line| line.trim_start() == "a | default"), "{said:?}");
    let said = expect(call(&tree, &["rc-update", "add", "other", "default"]), 1);
    assert!(said.err.contains("svc apply"), "{said:?}");
    let said = expect(call(&tree, &["openrc", "default"]), 1);
    assert!(said.err.contains("no runlevels"), "{said:?}");
    let said = expect(call(&tree, &["rc-service", "a", "frob"]), 1);
    assert!(said.err.contains("frob"), "{said:?}");
    let said = expect(call(&tree, &["rc-service", "--dry-run", "a", "stop"]), 1);
    assert!(said.err.contains("--dry-run"), "{said:?}");
    assert_eq!(tree.status("a")["state"], "ready");
}
