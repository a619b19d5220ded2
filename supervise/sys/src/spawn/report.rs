//! The line between a child and its parent, from clone to exec.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};
use unit::{SpawnError, Step};

use super::child::{End, Task};
use super::score::Sharer;
use super::stack::{Stack, Stacks};
use crate::Errno;
use crate::raw;

/// A record's size in bytes: step, error number.
const SIZE: usize = 3;
/// In the place of a step: the number is that of a condition which does not hold.
const UNMET: u8 = 0;

/// The parent's end: readable once the outcome is known.
#[derive(Debug)]
pub struct Report {
    line: OwnedFd,
    /// What the child told, before its end of the line was closed.
    told: Cell<Option<End>>,
    /// What the child runs on and works with, until its end of the line is closed.
    loan: Loan,
}

/// What became of a child.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is still between clone and exec.
    Pending,
    /// It executed its program, or was killed before it could; its end tells which.
    Executed,
    /// The condition of this index does not hold; it has ended.
    Unmet(u8),
    /// It could not do this step, and has ended.
    Failed(SpawnError),
}

/// Memory that belongs to a child for a while.
///
/// **Invariant:** it is freed only when `returned`, else never: a child whose memory is ours may
/// still be using it.
#[derive(Debug)]
pub(super) struct Loan {
    pub(super) task: ManuallyDrop<Box<Task>>,
    pub(super) stack: ManuallyDrop<Option<Stack>>,
    pub(super) stacks: Stacks,
    pub(super) sharer: ManuallyDrop<Sharer>,
    pub(super) returned: Cell<bool>,
}

impl Report {
    pub(super) fn new(line: OwnedFd, loan: Loan) -> Self {
        Self { line, told: Cell::new(None), loan }
    }

    /// Looks, without waiting. An outcome other than [`Outcome::Pending`] is final: the
    /// descriptor should then be closed, by dropping this. (Dropped earlier, it leaks the memory
    /// that the child may still be using.)
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        // Until end-of-file, even after it has told: the kernel closes the child's end after the
        // child has left our memory, both on exec and on exit.
        loop {
            let mut record = [0; SIZE];
            match raw::retry(|| rustix::io::read(&self.line, &mut record)) {
                Err(Errno::AGAIN) => return Outcome::Pending,
                // Short records cannot be: they are written at once, and far below PIPE_BUF.
                Ok(SIZE) => self.told.set(Some(decode(record))),
                Ok(_) | Err(_) => {
                    self.loan.returned.set(true);
                    return match self.told.get() {
                        None => Outcome::Executed,
                        Some(End::Unmet(index)) => Outcome::Unmet(index),
                        Some(End::Failed(error)) => Outcome::Failed(error),
                    };
                }
            }
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if !self.returned.get() {
            return;
        }
        // SAFETY: neither is used again, this being the end of `self`; and the child, the only
        // other one that knew them, has left our memory.
        unsafe {
            ManuallyDrop::drop(&mut self.task);
            ManuallyDrop::drop(&mut self.sharer);
            if let Some(stack) = ManuallyDrop::take(&mut self.stack) {
                self.stacks.give_back(stack);
            }
        }
    }
}

impl AsFd for Report {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

/// The two ends, ours first. Exec closes the child's, and then the parent's reads end-of-file.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        .map_err(|errno| SpawnError { step: Step::Clone, errno: raw::number(errno) })
}

/// Says in the child why it executes nothing. Nobody is left to hear that this failed.
pub(super) fn tell(line: BorrowedFd<'_>, end: End) {
    let _ = raw::retry(|| rustix::io::write(line, &encode(end)));
}

fn encode(end: End) -> [u8; SIZE] {
    match end {
        End::Unmet(index) => [UNMET, index, 0],
        End::Failed(SpawnError { step, errno }) => {
            let [low, high] = errno.to_le_bytes();
            [step.number(), low, high]
        }
    }
}

fn decode([step, low, high]: [u8; SIZE]) -> End {
    if step == UNMET {
        return End::Unmet(low);
    }
    let step = Step::of_number(step).unwrap_or(Step::Exec);
    End::Failed(SpawnError { step, errno: u16::from_le_bytes([low, high]) })
}
