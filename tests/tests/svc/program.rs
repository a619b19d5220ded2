//! Running `svc` as a person or a script does.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::tree::Tree;

/// Nobody in particular.
pub const NOBODY: u32 = 65534;

/// What `svc` said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self {
            status: output.status.code().expect("an exit status"),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// Built once.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built("svc"))
}

/// One of our programs, built beside this test.
pub fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this program");
    let target = test.ancestors().nth(3).expect("cargo's target directory").to_owned();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", name, "--target-dir"])
        .arg(&target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status();
    assert!(built.expect("cargo runs").success(), "{name} does not build");
    target.join("debug").join(name)
}

/// `svc` in a tree, with these arguments.
pub fn command(tree: &Tree, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env("COOPER_RUN", tree.dir.join("run"))
        .env("COOPER_GRAPHS", tree.dir.join("graphs"))
        .env("COOPER_LOGS", tree.dir.join("logs"))
        .env("COOPER_SERVICES", tree.dir.join("services"))
        .env("COOPER_NODE", tree.dir.join("node.toml"))
        .stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn svc(tree: &Tree, arguments: &[&str]) -> Said {
    command(tree, arguments).output().expect("svc runs").into()
}

/// Runs it as somebody who may do nothing.
pub fn svc_as_nobody(tree: &Tree, arguments: &[&str]) -> Said {
    let built = command(tree, arguments);
    let mut command = Command::new(tests::copied(program(), &tree.dir));
    let variables = built.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.args(built.get_args()).envs(variables).stdin(Stdio::null());
    command.uid(NOBODY).gid(NOBODY);
    command.output().expect("svc runs").into()
}

/// It must have ended so.
pub fn expect(said: Said, status: i32) -> Said {
    assert_eq!(said.status, status, "{said:?}");
    said
}
