//! Making a service's process: a sibling of this process, in its own cgroup, with everything that
//! its definition says, or an error that names the step.
//!
//! [`Prepared`] does all that may allocate or fail for a reason in the definition, before there is
//! a child. [`Spawner::spawn`] clones; the child does the steps and executes; [`Report`] tells
//! which of the two came of it. Not vfork: a program on a disk that hangs must stall its own
//! process only.
//!
//! **Invariant:** the child inherits descriptors 0, 1, 2 and the notification descriptor that was
//! asked for, and nothing else: no descriptor, no signal disposition, no mask, no variable.

mod child;
mod clone;
mod credentials;
mod environment;
mod mounts;
mod prepare;
mod report;
mod score;
mod signals;
mod stack;
mod terminal;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use unit::{SpawnError, Step};

use self::child::Task;
use self::clone::Sharing;
use self::report::Loan;
use self::score::Score;
use self::stack::Stacks;
use crate::raw;

pub use prepare::{Order, Output, PathTest, Prepared, Stdin};
pub use report::{Outcome, Report};

/// Whose child a new process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kin {
    /// A sibling: the child of whoever started this process. Init reaps it.
    Sibling,
    /// This process's own child, which it must reap.
    Child,
}

/// Makes processes. There is one for the whole life of `supervise`.
#[derive(Debug)]
pub struct Spawner {
    kin: Kin,
    /// `clone3` was not refused so far.
    clone3: bool,
    /// Signals that this process ignores: exec would hand that down.
    ignored: signals::Set,
    score: Score,
    stacks: Stacks,
}

/// A process that exists; whether it executed its program is in `report`.
#[derive(Debug)]
pub struct Spawned {
    /// Its process id, as it also stands in the word that `spawn` was given.
    pub pid: u32,
    /// What becomes of it.
    pub report: Report,
}

impl Spawner {
    /// To be called once this process's own signal dispositions and OOM score are what they will
    /// be: children are told apart from these.
    #[must_use]
    pub fn new(kin: Kin) -> Self {
        Self {
            kin,
            clone3: true,
            ignored: signals::ignored(),
            score: Score::read(),
            stacks: Stacks::default(),
        }
    }

    /// Never calls `clone3`, as on kernels and in containers that refuse it.
    #[must_use]
    pub fn without_clone3(kin: Kin) -> Self {
        Self { clone3: false, ..Self::new(kin) }
    }

    /// Makes the process, in `cgroup` (an open directory of a v2 hierarchy) if there is one.
    ///
    /// The kernel itself writes the process id into `pid_word` before the child runs its first
    /// instruction, so that no crash of this process can leave a child that is not on record, if
    /// the word is in a shared mapping (whose page must have been touched before).
    ///
    /// # Errors
    /// With [`Step::Clone`] or [`Step::Cgroup`], when there is no child. What the child could not
    /// do is in [`Report`].
    pub fn spawn(
        &mut self,
        prepared: Prepared,
        cgroup: Option<BorrowedFd<'_>>,
        pid_word: &AtomicU32,
    ) -> Result<Spawned, SpawnError> {
        let (line, childs) = report::pair()?;
        let at_clone = |errno| SpawnError { step: Step::Clone, errno: raw::number(errno) };
        let sharing = self.sharing(&prepared);
        let stacks = self.stacks.clone();
        let common = stacks.common().map_err(at_clone)?;
        let own = match sharing {
            Sharing::Shared => Some(stacks.take().map_err(at_clone)?),
            Sharing::Copied => None,
        };
        let task = Task::new(prepared, childs.as_raw_fd(), self.ignored, sharing);
        let mut loan = Loan {
            task: ManuallyDrop::new(Box::new(task)),
            stack: ManuallyDrop::new(own),
            stacks: stacks.clone(),
            sharer: ManuallyDrop::new(match sharing {
                Sharing::Shared => self.score.sharer(),
                Sharing::Copied => None,
            }),
            returned: Cell::new(false),
        };
        // A signal that arrived now would run this process's handler in the child.
        let mask = signals::block_all();
        // SAFETY: every signal is blocked; `loan` keeps the task and the stack, and touches them
        // only when the child's end of the line is closed, that is, after its exec or its end.
        let made = unsafe {
            clone::clone(self, &mut loan.task, loan.stack.as_ref(), common, cgroup, pid_word)
        };
        signals::restore(mask);
        match made {
            Ok(pid) => {
                // The kernel has done this already; qemu-user only tells the child.
                pid_word.store(pid, Ordering::Release);
                // A child with memory of its own borrows nothing.
                loan.returned.set(loan.task.sharing == Sharing::Copied);
                Ok(Spawned { pid, report: Report::new(line, loan) })
            }
            Err(errno) => {
                // There is no child.
                loan.returned.set(true);
                let blamed = cgroup.is_some() && clone::blames_cgroup(errno);
                let step = if blamed { Step::Cgroup } else { Step::Clone };
                Err(SpawnError { step, errno: raw::number(errno) })
            }
        }
    }

    /// This process's own OOM score adjustment; none if it cannot be told. A child that asks for
    /// the same is protected as this process is.
    #[must_use]
    pub fn own_oom_score_adj(&self) -> Option<i16> {
        self.score.own()
    }

    /// To be called before waiting: while children that shared this process's memory were on
    /// their way, it may have had their OOM score adjustment instead of its own.
    pub fn rest(&mut self) {
        self.score.take_back();
    }

    fn sharing(&mut self, prepared: &Prepared) -> Sharing {
        let keeps_credentials = prepared.identity.is_none() && prepared.capabilities.is_none();
        let may_share = keeps_credentials && !prepared.memory_is_limited;
        let shared = may_share && self.score.suits(prepared.oom_score_adj.as_ref());
        if shared { Sharing::Shared } else { Sharing::Copied }
    }
}
