//! Fatal signals to init, whoever sent them: it executes itself again, and the new image goes on
//! from the state. The kernel would otherwise panic.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::mem;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::{os, program, region};

/// What the processor or the C library ends a broken program with, and SIGSYS, a filter's answer.
const FATAL: [c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// Enough for the handler and the processor's registers (AVX-512 takes nearly 3 KiB), so that it
/// runs even if it is the stack that has overflowed.
const STACK_SIZE: usize = 32 * 1024;

struct Stack(UnsafeCell<[u8; STACK_SIZE]>);
// SAFETY: only the kernel uses it, as the stack of one thread's signal handler.
unsafe impl Sync for Stack {}
static STACK: Stack = Stack(UnsafeCell::new([0; STACK_SIZE]));

/// How deep in this module's handler we are, or [`CHILD`].
static DEPTH: AtomicU32 = AtomicU32::new(0);
/// Deeper than any handler gets.
const CHILD: u32 = 1 << 31;

/// From now on, fatal signals lead to [`start_again`].
pub fn catch() {
    let handler: extern "C" fn(c_int) = on_fatal;
    // SAFETY: both are plain data, for which zero is a value; every field that matters is set.
    let (mut action, mut stack): (libc::sigaction, libc::stack_t) = unsafe { mem::zeroed() };
    stack.ss_sp = STACK.0.get().cast();
    stack.ss_size = STACK_SIZE;
    #[expect(clippy::as_conversions, reason = "the only way to a function's address")]
    let address = handler as usize;
    action.sa_sigaction = address;
    // Not blocked while it runs: a blocked fatal signal would kill us for good.
    action.sa_flags = libc::SA_ONSTACK | libc::SA_NODEFER;
    // SAFETY: the stack is static and as large as it says. The handler takes one number, as it
    // does without SA_SIGINFO, never returns, and calls nothing but system calls.
    unsafe {
        libc::sigaltstack(&raw const stack, null_mut());
        for signal in FATAL {
            libc::sigaction(signal, &raw const action, null_mut());
        }
        // Whoever started us may have ignored it; then the kernel would not tell us of exits.
        action.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(libc::SIGCHLD, &raw const action, null_mut());
    }
}

/// In a child that was forked off: from now on, a fatal signal ends it.
pub fn is_child() {
    DEPTH.store(CHILD, Ordering::Relaxed);
}

extern "C" fn on_fatal(signal: c_int) {
    if DEPTH.load(Ordering::Relaxed) >= CHILD {
        os::exit(u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX));
    }
    start_again(signal)
}

/// Executes this program again, with its state if that is possible. Tries for ever.
pub fn start_again(signal: c_int) -> ! {
    // The state itself may be what cannot be touched: the second time, do without.
    if DEPTH.fetch_add(1, Ordering::Relaxed) == 0 {
        hand_over(signal);
    }
    loop {
        program::execute_again();
        // It is not there, or there is no memory: this may pass.
        os::sleep_ms(1000);
    }
}

/// Lets the next image find the state and the descriptors that are in it.
fn hand_over(signal: c_int) {
    // SAFETY: null, or the mapping that lasts as long as the program. What was interrupted never
    // goes on, so nobody else uses the reference that it had.
    let Some(state) = (unsafe { region::state().as_mut() }) else { return };
    let delay_ms = state.crashes.count(os::now(), signal);
    if delay_ms > 0 {
        os::sleep_ms(delay_ms);
    }
    for number in state.descriptors.all().into_iter().chain(state.held.fds()) {
        if let Some(fd) = os::lend(number) {
            fd.keep_on_exec(true);
        }
    }
    region::keep_on_exec(true);
}

/// Takes over what [`hand_over`] let through. The program's own descriptor is opened anew.
pub fn take_over(state: &mut init::State) {
    for number in state.descriptors.all().into_iter().chain(state.held.fds()) {
        if let Some(fd) = os::lend(number) {
            fd.keep_on_exec(false);
        }
    }
}
