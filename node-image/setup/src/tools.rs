//! Programs of the image: what mount(8), fsck(8) and swapon(8) know of file systems, they know
//! best.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

/// Runs it; what it says is the reason if it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = output(command)?;
    if output.status.success() { Ok(()) } else { Err(words(&output)) }
}

/// The same, with something to read.
pub(crate) fn feed(command: &mut Command, text: &str) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().map_err(|error| not_run(&program, &error))?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read it all says why.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| not_run(&program, &error))?;
    if output.status.success() { Ok(()) } else { Err(words(&output)) }
}

/// Runs it, with nothing to read. Searched for where a service's `PATH` says.
pub(crate) fn output(command: &mut Command) -> Result<Output, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|error| not_run(&program, &error))
}

/// Why a program does not run.
pub(crate) fn not_run(program: &str, error: &io::Error) -> String {
    match error.kind() == io::ErrorKind::NotFound {
        true => format!("the image has no {program}"),
        false => format!("{program}: {error}"),
    }
}

/// The last line that it said, or how it ended.
pub(crate) fn words(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !is_hint(line));
    line.map_or_else(|| output.status.to_string(), str::to_owned)
}

/// Where else to look, by mount(8) and hwclock(8) of util-linux: the reason is before it.
fn is_hint(line: &str) -> bool {
    ["dmesg(1) may", "Use the --verbose"].iter().any(|hint| line.contains(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_no_reason() {
        let said = "mount: /data: mount point does not exist.\n       dmesg(1) may have more \
                    information after failed mount system call.";
        let failed = run(Command::new("sh").args(["-c", "echo \"$1\" >&2; exit 32", "sh", said]));
        assert_eq!(failed, Err("mount: /data: mount point does not exist.".to_owned()));
        let failed = run(Command::new("sh").args(["-c", "exit 32"]));
        assert_eq!(failed, Err("exit status: 32".to_owned()));
    }
}
