//! A child with a deadline.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use super::processes;

/// A child that was killed ends within this, unless the kernel holds it.
const KILL_PATIENCE: Duration = Duration::from_secs(1);

/// Why there is no exit status.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be begun or waited for.
    #[error("{0}")]
    System(#[from] io::Error),
    /// It was killed.
    #[error("it takes longer than {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Runs it, for so long at most. One that the kernel does not let die is left to init.
pub fn run(command: &mut Command, patience: Duration) -> Result<ExitStatus, Error> {
    let mut child = command.spawn()?;
    if let Some(status) = wait(&mut child, patience)? {
        return Ok(status);
    }
    child.kill()?;
    wait(&mut child, KILL_PATIENCE)?;
    Err(Error::TimedOut(patience))
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
    let handle: Vec<_> = processes::handle(child.id()).into_iter().collect();
    processes::wait_all(&handle, until)?;
    child.try_wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_ends_by_itself_or_is_ended() {
        let status = run(Command::new("sh").args(["-c", "exit 3"]), Duration::from_secs(20));
        assert_eq!(status.unwrap().code(), Some(3));
        let begun = Instant::now();
        let timed_out = run(Command::new("sleep").arg("1000"), Duration::from_millis(50));
        assert!(matches!(timed_out, Err(Error::TimedOut(_))), "{timed_out:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert!(matches!(
            run(&mut Command::new("/nowhere"), Duration::ZERO),
            Err(Error::System(_))
        ));
    }
}
