//! The programs of others that images are made with: `mke2fs`, `mcopy` and their like. They know
//! their formats best, and each is a package away.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A program, and the package that brings it.
struct Tool {
    program: &'static str,
    debian: &'static str,
    alpine: &'static str,
    /// Of nixpkgs: the attribute.
    nix: &'static str,
}

/// `Tool` in one line each.
const fn tool(
    program: &'static str,
    debian: &'static str,
    alpine: &'static str,
    nix: &'static str,
) -> Tool {
    Tool { program, debian, alpine, nix }
}

/// Every program that this crate runs.
const TOOLS: &[Tool] = &[
    tool("mcopy", "mtools", "mtools", "mtools"),
    tool("mdir", "mtools", "mtools", "mtools"),
    tool("mformat", "mtools", "mtools", "mtools"),
    tool("mke2fs", "e2fsprogs", "e2fsprogs", "e2fsprogs"),
    tool("mkfs.erofs", "erofs-utils", "erofs-utils", "erofs-utils"),
    tool("mmd", "mtools", "mtools", "mtools"),
    tool("openssl", "openssl", "openssl", "openssl"),
    tool("qemu-system-aarch64", "qemu-system-arm", "qemu-system-aarch64", "qemu"),
    tool("qemu-system-x86_64", "qemu-system-x86", "qemu-system-x86_64", "qemu"),
    tool("sfdisk", "fdisk", "sfdisk", "util-linux"),
];

/// Where Debian has what only root is thought to need.
const MORE_PATH: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A call of `program`, which is one of those that this crate knows and is installed.
///
/// # Errors
///
/// It is not installed: which package of Debian, Alpine and nixpkgs has it.
pub fn command(program: &str) -> Result<Command> {
    let Some(path) = find(program) else {
        let Some(tool) = TOOLS.iter().find(|tool| tool.program == program) else {
            bail!("cannot find {program}");
        };
        bail!(
            "cannot find {program}: install it (Debian: apt-get install {}; Alpine: apk add {}; \
             Nix: nixpkgs#{})",
            tool.debian,
            tool.alpine,
            tool.nix
        );
    };
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    Ok(command)
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(MORE_PATH.map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// Runs a command, which must succeed; what it printed. If it fails, the error has what it said.
pub fn run(command: &mut Command) -> Result<Vec<u8>> {
    let name = name(command);
    let output = command.output().with_context(|| format!("cannot run {name}"))?;
    judge(&name, output)
}

/// The same, with something to read.
pub fn feed(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let name = name(command);
    let failed = || format!("cannot run {name}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it all says why.
        let _ = stdin.write_all(input);
    }
    judge(&name, child.wait_with_output().with_context(failed)?)
}

fn judge(name: &str, output: Output) -> Result<Vec<u8>> {
    let Output { status, stdout, stderr } = output;
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        bail!("{name} failed ({status}): {}", said.trim_end());
    }
    Ok(stdout)
}

fn name(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    program.file_name().map(OsStr::to_string_lossy).unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_missing_is_named_with_its_packages() {
        let missing = tool("qemu-system-vax", "a", "b", "c");
        let error = command(missing.program).unwrap_err().to_string();
        assert_eq!(error, "cannot find qemu-system-vax");
        for tool in TOOLS {
            // Either it is here, or the error says how to get it.
            if let Err(error) = command(tool.program) {
                let error = error.to_string();
                for package in [tool.debian, tool.alpine, tool.nix] {
                    assert!(error.contains(package), "{error}");
                }
            }
        }
    }

    #[test]
    fn what_a_program_said_is_in_the_error() {
        let error = run(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh failed (exit status: 3): no");
    }

    #[test]
    fn each_program_is_there_once_and_in_order() {
        assert!(TOOLS.is_sorted_by(|one, two| one.program < two.program));
    }
}
