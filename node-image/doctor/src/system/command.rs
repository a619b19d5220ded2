//! Programs that are asked for their version.

use std::{
    io::Read,
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whatever takes longer than this to say its version hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it says. Nothing of our environment is passed on: what it says shall not depend on it.
pub fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", super::PATH.join(":"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let said = listen(&mut child, Instant::now().checked_add(PATIENCE)?);
    // It has closed its output, or hangs: either way nothing more is to come.
    let _ = child.kill();
    let _ = child.wait();
    said
}

/// Its standard output until that ends; None if it does not in time.
fn listen(child: &mut Child, deadline: Instant) -> Option<String> {
    let mut out = child.stdout.take()?;
    let mut said = Vec::new();
    let mut part = [0_u8; 4096];
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let left = Timespec::try_from(left).ok()?;
        let ready = poll(&mut [PollFd::from_borrowed_fd(out.as_fd(), PollFlags::IN)], Some(&left));
        if ready == Ok(0) {
            return None;
        }
        match out.read(&mut part).ok()? {
            0 => return Some(String::from_utf8_lossy(&said).into_owned()),
            count => said.extend_from_slice(part.get(..count)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_heard_to_its_end() {
        assert_eq!(run("/bin/sh", &["-c", "echo a; echo b"]).as_deref(), Some("a\nb\n"));
        assert_eq!(run("/nonexistent", &[]), None);
    }

    /// A program that hangs does not hang us.
    #[test]
    fn a_program_that_hangs_is_given_up() {
        let mut child =
            Command::new("/bin/sleep").arg("1000").stdout(Stdio::piped()).spawn().unwrap();
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(listen(&mut child, soon), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
