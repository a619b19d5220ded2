//! The line between a child and its parent, from clone to exec.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};
use unit::{SpawnError, Step};

use crate::Errno;
use crate::raw;

/// A record's size in bytes: step, error number.
const SIZE: usize = 3;

/// The parent's end: readable once the outcome is known.
#[derive(Debug)]
pub struct Report(OwnedFd);

/// What became of a child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is still between clone and exec.
    Pending,
    /// It executed its program, or was killed before it could; its end tells which.
    Executed,
    /// It could not do this step, and is ending.
    Failed(SpawnError),
}

impl Report {
    /// Looks, without waiting. An outcome other than [`Outcome::Pending`] is final: the
    /// descriptor should then be closed, by dropping this.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let mut record = [0; SIZE];
        match raw::retry(|| rustix::io::read(&self.0, &mut record)) {
            Err(Errno::AGAIN) => Outcome::Pending,
            Ok(SIZE) => Outcome::Failed(decode(record)),
            // Short records cannot be: they are written at once, and far below PIPE_BUF.
            Ok(_) | Err(_) => Outcome::Executed,
        }
    }
}

impl AsFd for Report {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The two ends. Exec closes the child's, and then the parent's reads end-of-file.
pub(super) fn pair() -> Result<(Report, OwnedFd), SpawnError> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        .map_err(|errno| SpawnError { step: Step::Clone, errno: raw::number(errno) })?;
    Ok((Report(read), write))
}

/// Says in the child what it could not do. Nobody is left to hear that this failed.
pub(super) fn tell(line: BorrowedFd<'_>, error: SpawnError) {
    let [low, high] = error.errno.to_le_bytes();
    let record = [step_number(error.step), low, high];
    let _ = raw::retry(|| rustix::io::write(line, &record));
}

fn decode([step, low, high]: [u8; SIZE]) -> SpawnError {
    let step = STEPS.into_iter().find(|known| step_number(*known) == step);
    SpawnError { step: step.unwrap_or(Step::Exec), errno: u16::from_le_bytes([low, high]) }
}

const STEPS: [Step; 15] = [
    Step::Definition,
    Step::Cgroup,
    Step::Clone,
    Step::Log,
    Step::Notify,
    Step::Directories,
    Step::Mounts,
    Step::Tty,
    Step::Limits,
    Step::Priority,
    Step::User,
    Step::Capabilities,
    Step::Cwd,
    Step::Environment,
    Step::Exec,
];

fn step_number(step: Step) -> u8 {
    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum")]
    {
        step as u8
    }
}
