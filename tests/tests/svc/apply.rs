//! `svc apply`, from text to processes.

use std::fs;
use std::path::PathBuf;

use crate::program::{expect, svc};
use crate::tree::Tree;

const SLEEP: &str = "exec = [\"/bin/sleep\", \"1000\"]\n";
const DEFAULT: &str = "type = \"bundle\"\nwants = [\"a\", \"b\"]\n";

/// A tree whose graph came from files, by `svc apply`.
fn tree() -> Tree {
    let tree = Tree::start(&[("default", "type = \"bundle\"\n")]);
    fs::create_dir(tree.dir.join("services")).unwrap();
    write(&tree, "a", SLEEP);
    write(&tree, "b", SLEEP);
    write(&tree, "default", DEFAULT);
    expect(svc(&tree, &["apply"]), 0);
    tree.wait("a", "ready");
    tree.wait("b", "ready");
    tree
}

fn write(tree: &Tree, name: &str, text: &str) {
    fs::write(tree.dir.join("services").join(format!("{name}.toml")), text).unwrap();
}

fn links(tree: &Tree) -> [Option<PathBuf>; 2] {
    ["current", "previous"].map(|name| fs::read_link(tree.dir.join("graphs").join(name)).ok())
}

#[test]
fn what_changed_restarts_and_the_rest_runs_on() {
    let tree = tree();
    let (a, b) = (tree.pid("a"), tree.pid("b"));
    let [before, _] = links(&tree);
    write(&tree, "b", "exec = [\"/bin/sleep\", \"2000\"]\n");
    let said = expect(svc(&tree, &["apply", "--dry-run"]), 0);
    assert_eq!(said.out, "restart  b  exec changed, and on-change = \"restart\"\n");
    assert_eq!((tree.pid("b"), links(&tree)[0].clone()), (b, before.clone()));
    expect(svc(&tree, &["apply"]), 0);
    tree.wait_for("b", |service| service["state"] == "ready" && service["pid"] != b);
    assert_eq!(tree.pid("a"), a);
    assert_eq!(links(&tree)[1], before);
    let said = expect(svc(&tree, &["apply"]), 0);
    assert_eq!(said.out, "");
}

#[test]
fn a_mistake_changes_nothing() {
    let tree = tree();
    let before = links(&tree);
    write(&tree, "b", "exce = [\"/bin/sleep\"]\n");
    let said = expect(svc(&tree, &["apply"]), 4);
    assert!(said.err.contains("b.toml:1:1: error: unknown key `exce`"), "{said:?}");
    assert!(said.err.contains("did you mean `exec`?"), "{said:?}");
    assert_eq!(links(&tree), before);
    assert_eq!(tree.status("b")["state"], "ready");
}

#[test]
fn what_is_new_starts_and_what_is_gone_stops() {
    let tree = tree();
    let b = tree.pid("b");
    fs::remove_file(tree.dir.join("services/b.toml")).unwrap();
    write(&tree, "c", SLEEP);
    write(&tree, "default", "type = \"bundle\"\nwants = [\"a\", \"c\"]\n");
    expect(svc(&tree, &["apply"]), 0);
    tree.wait("c", "ready");
    assert!(!PathBuf::from(format!("/proc/{b}")).exists());
    expect(svc(&tree, &["status", "b"]), 3);
}

#[test]
fn a_supervisor_that_is_killed_finishes_the_apply() {
    let tree = tree();
    let a = tree.pid("a");
    for round in 0..20_u32 {
        write(&tree, "b", &format!("exec = [\"/bin/sleep\", \"{}\"]\n", 3000 + round));
        let call = crate::program::command(&tree, &["apply", "--json"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        tree.kill_supervise();
        let said: crate::program::Said = call.wait_with_output().unwrap().into();
        assert_eq!(said.status, 0, "round {round}: {said:?}\n{}", tree.said());
        tree.wait("b", "ready");
        let command = fs::read_to_string(format!("/proc/{}/cmdline", tree.pid("b"))).unwrap();
        assert!(command.contains(&format!("{}", 3000 + round)), "round {round}: {command}");
        assert_eq!(tree.pid("a"), a, "round {round}");
    }
}
