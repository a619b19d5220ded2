//! Raw system calls for what rustix does not have.
//!
//! Not by the C library, which writes `errno` into the calling thread's own memory: a child of a
//! clone may share that memory with its parent, and must leave no trace in it.

use std::ffi::{CStr, c_char};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::Errno;

/// The kernel says a failure as a number from -4095 to -1.
const ERRNO_MAX: isize = 4095;

/// Calls until it is not interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

/// `errno` as it travels in records: the kernel's numbers are below 4096.
pub(crate) fn number(errno: Errno) -> u16 {
    u16::try_from(errno.raw_os_error()).unwrap_or(u16::MAX)
}

/// One argument of a system call: a number or an address.
#[derive(Clone, Copy)]
pub(crate) struct Argument(pub(crate) usize);

impl From<u32> for Argument {
    fn from(value: u32) -> Self {
        Self(usize::try_from(value).unwrap_or(usize::MAX))
    }
}

impl From<u64> for Argument {
    fn from(value: u64) -> Self {
        Self(usize::try_from(value).unwrap_or(usize::MAX))
    }
}

impl From<i32> for Argument {
    fn from(value: i32) -> Self {
        // Sign-extended, as the kernel wants AT_FDCWD.
        Self(usize::from_ne_bytes(isize::try_from(value).unwrap_or(-1).to_ne_bytes()))
    }
}

impl<T> From<*const T> for Argument {
    fn from(value: *const T) -> Self {
        Self(value.expose_provenance())
    }
}

impl<T> From<*mut T> for Argument {
    fn from(value: *mut T) -> Self {
        Self(value.expose_provenance())
    }
}

/// What a system call returned.
pub(crate) fn check(result: isize) -> Result<usize, Errno> {
    match usize::try_from(result) {
        Ok(value) => Ok(value),
        Err(_) if result >= -ERRNO_MAX => {
            let code = result.checked_neg().and_then(|code| i32::try_from(code).ok());
            Err(Errno::from_raw_os_error(code.unwrap_or(libc::EIO)))
        }
        // An address in the upper half; nothing here returns one.
        Err(_) => Err(Errno::IO),
    }
}

/// A system call that returns in this process only, once.
///
/// # Safety
/// Whatever the kernel does for `number` with these arguments must be sound: addresses valid for
/// what it reads and writes, descriptors not owned by someone who does not expect the call.
pub(crate) unsafe fn syscall<const N: usize>(
    call: i64,
    arguments: [Argument; N],
) -> Result<usize, Errno> {
    const { assert!(N <= 6, "no call has more") };
    let mut all = [0; 6];
    for (slot, Argument(value)) in all.iter_mut().zip(arguments) {
        *slot = value;
    }
    // SAFETY: the obligations are the caller's.
    check(unsafe { syscall6(isize::try_from(call).unwrap_or(-1), all) })
}

/// # Safety
/// As [`syscall`].
#[cfg(target_arch = "x86_64")]
unsafe fn syscall6(call: isize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: the kernel's convention: number in rax, arguments in these registers, result in
    // rax; rcx and r11 are lost, the stack is not touched. Memory is as the caller promises.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") call => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// # Safety
/// As [`syscall`].
#[cfg(target_arch = "aarch64")]
unsafe fn syscall6(call: isize, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: the kernel's convention: number in x8, arguments in x0 to x5, result in x0; no
    // other register is lost, the stack is not touched. Memory is as the caller promises.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") call,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// What a new process runs.
pub(crate) type Entry = unsafe extern "C" fn(argument: usize) -> !;

/// `clone` or `clone3` with a stack of the child's own, on which it calls `entry` with
/// `argument`. Returns in the parent only: there is no frame of Rust code that two processes run.
///
/// # Safety
/// As [`syscall`]; the call must give the child a stack that nothing else uses until the child
/// has executed or ended; and `entry` must be sound to call there with `argument`.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn clone_onto(
    call: i64,
    [a, b, c, d, e]: [Argument; 5],
    entry: Entry,
    argument: usize,
) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: as for syscall6. The kernel keeps all other registers in both processes, r12 and
    // r13 among them; the child gets 0 in rax and its own stack, aligned to 16 bytes as a call
    // wants it, and never comes back from there. A frame pointer of 0 ends backtraces.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "ud2",
            "2:",
            inlateout("rax") isize::try_from(call).unwrap_or(-1) => result,
            in("rdi") a.0, in("rsi") b.0, in("rdx") c.0, in("r10") d.0, in("r8") e.0,
            in("r12") entry, in("r13") argument,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    check(result)
}

/// See above.
///
/// # Safety
/// See above.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn clone_onto(
    call: i64,
    [a, b, c, d, e]: [Argument; 5],
    entry: Entry,
    argument: usize,
) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: as for syscall6. The kernel keeps all other registers in both processes, x9 and
    // x10 among them; the child gets 0 in x0 and its own stack, aligned to 16 bytes, and never
    // comes back from there. A frame pointer of 0 ends backtraces.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x10",
            "blr x9",
            "brk #1",
            "2:",
            in("x8") isize::try_from(call).unwrap_or(-1),
            inlateout("x0") a.0 => result,
            in("x1") b.0, in("x2") c.0, in("x3") d.0, in("x4") e.0,
            in("x9") entry, in("x10") argument,
        );
    }
    check(result)
}

/// Makes `to` a copy of `from` that survives exec; nothing but that if it is the same already.
pub(crate) fn place(from: BorrowedFd<'_>, to: RawFd) -> Result<(), Errno> {
    let from = from.as_raw_fd();
    if from == to {
        // SAFETY: F_SETFD takes its argument as a number and touches no memory.
        let cleared =
            unsafe { syscall(libc::SYS_fcntl, [to.into(), libc::F_SETFD.into(), Argument(0)]) };
        return cleared.map(drop);
    }
    // SAFETY: dup3 touches no memory. It may close `to`; the caller is the child of a clone,
    // which owns no typed descriptor of that number that it will use again.
    retry(|| unsafe { syscall(libc::SYS_dup3, [from.into(), to.into(), Argument(0)]) }).map(drop)
}

/// Marks every descriptor from `first` on as close-on-exec (Linux 5.11; before that one by one).
pub(crate) fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    let arguments = [first.into(), u32::MAX.into(), CLOSE_RANGE_CLOEXEC.into()];
    // SAFETY: close_range touches no memory, and with this flag it closes nothing by itself.
    match unsafe { syscall(libc::SYS_close_range, arguments) } {
        Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
            close_on_exec_one_by_one(first);
            Ok(())
        }
        done => done.map(drop),
    }
}

/// The same without that call.
pub(crate) fn close_on_exec_one_by_one(first: u32) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    // A table without a limit is not searched for ever; ours are far smaller than this.
    const SEARCHED_MAX: u64 = 1 << 16;
    for fd in u64::from(first)..limit.unwrap_or(SEARCHED_MAX).min(SEARCHED_MAX) {
        let arguments = [fd.into(), libc::F_SETFD.into(), libc::FD_CLOEXEC.into()];
        // SAFETY: F_SETFD takes a number; a descriptor that is not open is an error we ignore.
        let _ = unsafe { syscall(libc::SYS_fcntl, arguments) };
    }
}

/// Replaces the program; returns only if it could not.
///
/// # Safety
/// `argv` and `envp` must point to arrays of pointers to NUL-terminated strings, each array ended
/// by a null pointer, all of them valid until this returns.
pub(crate) unsafe fn execve(
    path: &CStr,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Errno {
    let arguments = [path.as_ptr().into(), argv.into(), envp.into()];
    // SAFETY: `path` is NUL-terminated by its type; the arrays are as this function's own
    // contract says. On success nothing of this program is left that could be affected.
    let Err(errno) = (unsafe { syscall(libc::SYS_execve, arguments) }) else { return Errno::IO };
    errno
}

/// Ends the process at once: no destructor, no atexit handler, no flush.
pub(crate) fn exit_now(status: u8) -> ! {
    loop {
        // SAFETY: it takes a number, touches no memory and does not return.
        let _ = unsafe { syscall(libc::SYS_exit_group, [u32::from(status).into()]) };
    }
}

/// An ioctl whose argument is a number, not a pointer.
pub(crate) fn ioctl_number(fd: BorrowedFd<'_>, request: u32, argument: u32) -> Result<(), Errno> {
    let arguments = [fd.as_raw_fd().into(), request.into(), argument.into()];
    // SAFETY: every request in this crate that goes through here (TIOCSCTTY, TIOCVHANGUP,
    // KDSETMODE) takes its argument by value, so the kernel follows no pointer of ours.
    unsafe { syscall(libc::SYS_ioctl, arguments) }.map(drop)
}

/// Makes the mount at `path`, and all below it, read-only, and leaves their other flags alone
/// (Linux 5.12).
pub(crate) fn mount_read_only(path: &CStr) -> Result<(), Errno> {
    const AT_RECURSIVE: u32 = 0x8000;
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let arguments = [
        libc::AT_FDCWD.into(),
        path.as_ptr().into(),
        AT_RECURSIVE.into(),
        (&raw const attributes).into(),
        Argument(size_of::<libc::mount_attr>()),
    ];
    // SAFETY: `path` is NUL-terminated; `attributes` is a whole `mount_attr` that outlives the
    // call, and its true size is passed, so the kernel reads no byte beyond it.
    unsafe { syscall(libc::SYS_mount_setattr, arguments) }.map(drop)
}
