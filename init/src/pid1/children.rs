//! Children: reaping them, starting `supervise`, and letting a child do what may hang.

use core::ffi::CStr;

use init::ring::Exit;
use init::{Instant, State};
use wire::link::Role;

use crate::os::{self, Dead, Errno, Fd, Fork, Signals};
use crate::{program, say, watchdog};

/// What `supervise` is started with.
pub struct Supervise<'a> {
    /// Its path.
    pub path: &'a CStr,
    /// How many of our last arguments are the main service's command.
    pub command: usize,
}

/// Reaps one child that has ended; its exit is noted first. `note` is not called twice for one
/// child by one image of the program, and once again by the next only if that child is still
/// there: its process id is not in use again, so saying it twice does no harm.
pub fn reap(state: &mut State, note: impl FnOnce(&mut State, Exit)) -> Dead {
    let dead = os::dead_child();
    if let Dead::Found(exit) = &dead {
        if state.burying != exit.pid {
            note(state, *exit);
            state.burying = exit.pid;
        }
        os::bury(exit.pid);
        state.burying = 0;
    }
    dead
}

/// How the final phase waits for its children.
pub struct Wait<'a> {
    /// Where signals are read from.
    pub signals: &'a Fd,
    /// What must not run out meanwhile.
    pub watchdog: watchdog::Last,
}

/// Reaps until no child is left, or `deadline`. Returns whether none is left.
pub fn reap_all(wait: &Wait<'_>, deadline: Instant) -> bool {
    loop {
        match os::dead_child() {
            Dead::Found(exit) => os::bury(exit.pid),
            Dead::NoChildren => return true,
            Dead::NoneYet => {
                if os::now() >= deadline {
                    return false;
                }
                wait.for_signal(deadline);
            }
        }
    }
}

/// How something that may hang went.
pub enum Outcome {
    /// It is done, or was refused with this error.
    Done(Result<(), Errno>),
    /// It is still at it. Leave it behind.
    Hangs,
}

/// Lets a child do something that may hang in the kernel, where no signal reaches it: a disk that
/// is gone, a server that is silent. Reaps whatever else ends meanwhile.
pub fn do_in_child(
    wait: &Wait<'_>,
    deadline: Instant,
    task: impl FnOnce() -> Result<(), Errno>,
) -> Outcome {
    let child = match os::fork() {
        Ok(Fork::Child) => {
            let code = task().err().map_or(0, |error| error.0.unsigned_abs());
            // Errors are below 134 on Linux; 255 is none of them.
            os::exit(u8::try_from(code).unwrap_or(u8::MAX))
        }
        Ok(Fork::Parent(child)) => child,
        // No process is to be had: better to hang than not to have tried.
        Err(_) => return Outcome::Done(task()),
    };
    loop {
        match os::dead_child() {
            Dead::Found(exit) => {
                os::bury(exit.pid);
                if exit.pid == child {
                    return Outcome::Done(result_of(exit.status));
                }
            }
            Dead::NoChildren => return Outcome::Done(Err(Errno(libc::ECHILD))),
            Dead::NoneYet => {
                if os::now() >= deadline {
                    return Outcome::Hangs;
                }
                wait.for_signal(deadline);
            }
        }
    }
}

/// Starts `supervise`, with `link` as its end.
pub fn start_supervise(role: Role, link: &Fd, supervise: &Supervise<'_>) -> Result<u32, Errno> {
    match os::fork()? {
        Fork::Parent(pid) => Ok(pid),
        Fork::Child => become_supervise(role, link, supervise),
    }
}

fn become_supervise(role: Role, link: &Fd, supervise: &Supervise<'_>) -> ! {
    Signals::new(core::iter::empty()).block();
    let _ = rustix::process::setsid();
    if role == Role::Machine {
        // The OOM killer shall look elsewhere. Services get a value of their own.
        let file = c"/proc/self/oom_score_adj";
        if let Ok(file) = os::open(file, libc::O_WRONLY) {
            let _ = file.write(b"-1000\n");
        }
    }
    let result = link.duplicate_onto(wire::paths::LINK_FD);
    os::close_from(4);
    if let Err(error) = result {
        say::failure("duplicate the link for", supervise.path.to_bytes(), error);
        os::exit(111);
    }
    program::execute(supervise.path, supervise.command);
    let error = os::last_error();
    say::speak_to(2, false);
    say::failure("execute", supervise.path.to_bytes(), error);
    os::exit(127)
}

impl Wait<'_> {
    /// Sleeps until a signal comes, which is SIGCHLD or one that no longer matters, or for as long
    /// as the watchdog allows.
    fn for_signal(&self, deadline: Instant) {
        let wake = self.watchdog.feed(deadline);
        os::wait_for([Some((self.signals, libc::POLLIN)), None], Some(wake));
        while os::next_signal(self.signals).is_some() {}
    }
}

/// What [`do_in_child`]'s child meant to say.
fn result_of(status: i32) -> Result<(), Errno> {
    match (status & 0x7f, (status >> 8) & 0xff) {
        (0, 0) => Ok(()),
        (0, code) => Err(Errno(code)),
        _ => Err(Errno(libc::EINTR)),
    }
}
