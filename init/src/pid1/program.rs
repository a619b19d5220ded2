//! The program's own arguments and environment, as the kernel handed them over, and executing
//! programs with them.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::{self, null};
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};

use crate::os::{self, Fd};

static ARGV: AtomicPtr<*const c_char> = AtomicPtr::new(ptr::null_mut());
static ARGC: AtomicUsize = AtomicUsize::new(0);
static ENVP: AtomicPtr<*const c_char> = AtomicPtr::new(ptr::null_mut());

/// The program's own descriptor. Not in the state: it must be known even if that cannot be read.
static PROGRAM: AtomicI32 = AtomicI32::new(0);

/// Opens the program, to be executed again from wherever it is by then.
pub fn open() {
    let number = os::open(c"/proc/self/exe", libc::O_PATH).map_or(0, Fd::into_number);
    PROGRAM.store(number, Ordering::Relaxed);
}

/// Keeps what `main` was given.
///
/// # Safety
///
/// `argv` has `argc` C strings and then null, `envp` C strings and then null, and all of it stays
/// where it is.
pub unsafe fn remember(argc: c_int, argv: *mut *const c_char, envp: *mut *const c_char) {
    ARGC.store(usize::try_from(argc).unwrap_or(0), Ordering::Relaxed);
    ARGV.store(argv, Ordering::Relaxed);
    ENVP.store(envp, Ordering::Relaxed);
}

/// The arguments after the program's name.
pub fn arguments() -> impl Iterator<Item = &'static CStr> {
    (1..ARGC.load(Ordering::Relaxed)).filter_map(|at| string_at(&ARGV, at))
}

/// The value of an environment variable.
pub fn variable(name: &str) -> Option<&'static [u8]> {
    (0..)
        .map_while(|at| string_at(&ENVP, at))
        .find_map(|entry| entry.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn string_at(array: &AtomicPtr<*const c_char>, at: usize) -> Option<&'static CStr> {
    let array = array.load(Ordering::Relaxed);
    if array.is_null() {
        return None;
    }
    // SAFETY: by `remember`, the array ends with null, no caller goes on after the null, and
    // `ARGC` counts the strings before it.
    let text = unsafe { *array.wrapping_add(at) };
    // SAFETY: by `remember`, what is not null is a C string that stays.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// Executes this program again from its descriptor, with the same arguments. Returns if it cannot.
pub fn execute_again() {
    let argv = ARGV.load(Ordering::Relaxed);
    let envp = ENVP.load(Ordering::Relaxed);
    if let Some(program) = os::lend(PROGRAM.load(Ordering::Relaxed)) {
        let empty = c"".as_ptr();
        // SAFETY: the arrays and the path are as execveat wants them, by `remember`.
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                program.number(),
                empty,
                argv,
                envp,
                libc::AT_EMPTY_PATH,
            )
        };
    }
    // Without a descriptor of ourselves (no /proc when we started): by name, if it was a path.
    if let Some(name) = string_at(&ARGV, 0) {
        // SAFETY: as above.
        unsafe { libc::execve(name.as_ptr(), argv, envp) };
    }
}

/// Executes `path` with our environment and one option. Returns if it cannot.
pub fn execute_with(path: &CStr, option: &CStr) {
    let arguments = [path.as_ptr(), option.as_ptr(), null()];
    let envp = ENVP.load(Ordering::Relaxed);
    // SAFETY: the path is a C string and both arrays end with null.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), envp) };
}

/// Executes `path` with our environment; its arguments are the last `command` ones of ours, after
/// a `--`, if that is not 0. Returns if it cannot. To be called in a child only: it overwrites an
/// argument.
pub fn execute(path: &CStr, command: usize) {
    let argv = ARGV.load(Ordering::Relaxed);
    let envp = ENVP.load(Ordering::Relaxed);
    let alone = [path.as_ptr(), null()];
    // Ours end `... -- COMMAND`: the new name goes where the argument before the `--` is, which at
    // the least is our own name.
    let start = ARGC.load(Ordering::Relaxed).checked_sub(command.saturating_add(2));
    let arguments = match start {
        Some(start) if command > 0 && !argv.is_null() => {
            let place = argv.wrapping_add(start);
            // SAFETY: `start` is an index into the array, which is ours to write: nobody else in
            // this process looks at it any more.
            unsafe { *place = path.as_ptr() };
            place.cast_const()
        }
        Some(_) | None => alone.as_ptr(),
    };
    // SAFETY: the path is a C string and both arrays end with null.
    unsafe { libc::execve(path.as_ptr(), arguments, envp) };
}
