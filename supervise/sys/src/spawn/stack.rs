//! Stacks for children, from clone to exec.

use std::cell::{OnceCell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};

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

/// Those that there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Stacks {
    /// For children that have our memory: one each. As many are made as there ever are children
    /// between clone and exec at a time.
    free: Rc<RefCell<Vec<Stack>>>,
    /// For children with a copy of our memory: the same for all, for each has its own copy of it.
    common: Rc<OnceCell<Stack>>,
}

impl Stacks {
    /// A free one, or a new one. Children with a copy of our memory have none of these: each would
    /// cost them the copy of its two mappings.
    pub(super) fn take(&self) -> Result<Stack, Errno> {
        let free = self.free.borrow_mut().pop();
        free.map_or_else(|| Stack::new()?.without_copies(), Ok)
    }

    /// Nobody runs on it any more.
    pub(super) fn give_back(&self, stack: Stack) {
        self.free.borrow_mut().push(stack);
    }

    /// The one for children with a copy of our memory.
    pub(super) fn common(&self) -> Result<&Stack, Errno> {
        if let Some(stack) = self.common.get() {
            return Ok(stack);
        }
        let stack = Stack::new()?;
        Ok(self.common.get_or_init(|| stack))
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

    fn without_copies(self) -> Result<Self, Errno> {
        let size = GUARD.saturating_add(SIZE);
        // SAFETY: the whole area that mmap returned. What changes is only what children see that
        // get a copy of our memory, and they are given another stack.
        unsafe { madvise(self.start.as_ptr().cast(), size, Advice::LinuxDontFork) }?;
        Ok(self)
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
