//! The shell on the console, when there is no `supervise` that could run one.

use core::ffi::CStr;

use crate::os::{self, Errno, Fork, Signals};
use crate::{program, say};

const SHELL: &CStr = c"/bin/sh";

/// Starts it. It says on the console why it is there.
pub fn open(supervise: &CStr) -> Result<u32, Errno> {
    match os::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => become_shell(supervise),
    }
}

fn become_shell(supervise: &CStr) -> ! {
    Signals::new(core::iter::empty()).block();
    let _ = rustix::process::setsid();
    if let Err(error) = take_console() {
        // Whoever has a terminal on it can do what is to be done here.
        say::failure("open a shell on", b"the console", error);
        os::exit(111);
    }
    os::close_from(3);
    say::speak_to(2, false);
    say::warning(say::line("cannot start ").text(supervise.to_bytes()).text(": here is a shell"));
    say::info(say::line("it is tried again every 30 s, and when you leave this shell"));
    program::execute_with(SHELL, c"-l");
    let error = os::last_error();
    say::failure("execute", SHELL.to_bytes(), error);
    os::exit(127)
}

/// Makes the console our terminal, unless it is the terminal of somebody else.
fn take_console() -> Result<(), Errno> {
    let console = os::open(c"/dev/console", libc::O_RDWR | libc::O_NOCTTY)?;
    console.become_terminal()?;
    (0..=2).try_for_each(|standard| console.duplicate_onto(standard))
}
