//! Stacks for children, from clone to exec.

use std::cell::RefCell;
use std::ptr::NonNull;
use std::rc::Rc;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::Errno;

/// Room enough for the steps: they call little and keep no buffers there. Only what is touched
/// takes memory, a page or two.
const SIZE: usize = 64 * 1024;
/// At its lower end, where a stack that is too small would run into something else. The largest
/// page that we run on.
const GUARD: usize = 64 * 1024;

/// Memory that one child runs on.
#[derive(Debug)]
pub(super) struct Stack {
    start: NonNull<u8>,
}

/// Those that are free. `supervise` makes as many as it ever has children between clone and exec
/// at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Stacks(Rc<RefCell<Vec<Stack>>>);

impl Stacks {
    /// A free one, or a new one.
    pub(super) fn take(&self) -> Result<Stack, Errno> {
        let free = self.0.borrow_mut().pop();
        free.map_or_else(Stack::new, Ok)
    }

    /// Nobody runs on it any more.
    pub(super) fn give_back(&self, stack: Stack) {
        self.0.borrow_mut().push(stack);
    }
}

impl Stack {
    fn new() -> Result<Self, Errno> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let size = GUARD.saturating_add(SIZE);
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a null hint and no MAP_FIXED: the kernel chooses an area that nothing else has.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), size, protection, flags) }?;
        let stack = Self { start: NonNull::new(start.cast()).ok_or(Errno::NOMEM)? };
        // SAFETY: the lower part of the area that was just made, to which there is no reference.
        unsafe { mprotect(start, GUARD, MprotectFlags::empty()) }?;
        Ok(stack)
    }

    /// Where it begins and how long it is, as clone3 wants to know; it grows down from its end,
    /// which is aligned to a page.
    pub(super) fn area(&self) -> (usize, usize) {
        (self.start.as_ptr().expose_provenance().saturating_add(GUARD), SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the whole area that mmap returned. Its owner drops it only if no child runs on
        // it any more. It cannot fail with these arguments.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), GUARD.saturating_add(SIZE)) };
    }
}
