//! What tests of several modules need.

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longer than anything here takes, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The system's allocator, which no child may use between clone and exec: one that does ends at
/// once, and so fails the test that waits for its program or its error. A panic allocates, too.
struct ParentsOnly;

/// The process that may allocate; 0 before the first allocation.
static PARENT: AtomicU32 = AtomicU32::new(0);

/// The exit status of a child that has allocated.
const ALLOCATED: u8 = 99;

/// Makes this process one that may allocate: a copy of the test's process that plays a part.
pub(crate) fn allow_allocation() {
    PARENT.store(rustix::process::getpid().as_raw_pid().unsigned_abs(), Ordering::Relaxed);
}

fn check_process() {
    match PARENT.load(Ordering::Relaxed) {
        0 => allow_allocation(),
        parent if parent == rustix::process::getpid().as_raw_pid().unsigned_abs() => {}
        _ => crate::raw::exit_now(ALLOCATED),
    }
}

// SAFETY: everything is as the system's allocator does it, or does not return.
unsafe impl GlobalAlloc for ParentsOnly {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check_process();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        check_process();
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: ParentsOnly = ParentsOnly;

/// Waits until `done` gives something, looking each time that `fd` becomes readable.
pub(crate) fn wait<T>(fd: &impl AsFd, mut done: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now().checked_add(DEADLINE).expect("a time");
    loop {
        if let Some(value) = done() {
            return value;
        }
        let left = end.checked_duration_since(Instant::now()).expect("it happens in time");
        let left = Timespec::try_from(left).expect("a time");
        // A signal, or something else that was read: `done` looks anyway.
        let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&left));
    }
}

/// Whether this test may do what root may; in CI it must.
pub(crate) fn is_root() -> bool {
    ::tests::needs("root", rustix::process::geteuid().is_root())
}

/// Whether this test runs under qemu-user, which cannot do `what`: then the machine's own programs
/// are for another processor than we are.
pub(crate) fn is_emulated(what: &str) -> bool {
    let machine = |path: PathBuf| std::fs::read(path).unwrap()[18..20].to_vec();
    let emulated = machine("/bin/sh".into()) != machine(std::env::current_exe().unwrap());
    if emulated {
        eprintln!("qemu-user cannot {what}: not run");
    }
    emulated
}

/// A directory of the test's own, removed afterwards.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cooper-sys-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new name");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
