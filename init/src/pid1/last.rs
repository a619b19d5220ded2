//! The final phase: straight on, alone, and with a deadline for each step. It begins when
//! `supervise` says so, or when the time is up; it needs nobody but the kernel.

use core::ffi::CStr;

use init::State;
use init::line::Line;
use init::process;
use init::shutdown::Ending;
use rustix::system::RebootCommand;
use wire::link::{Request, Role};
use wire::paths;

use crate::children::{self, Outcome, Wait};
use crate::os::{self, Fd};
use crate::{say, storage, watchdog};

/// How long killed processes have to be gone. One that waits for a disk stays; the rest are gone
/// in milliseconds.
const KILL_MS: u64 = 5_000;
/// Without /proc, a subtree cannot find the processes it must end; it looks again so often.
const SWEEP_MS: u64 = 50;
/// Each step has its deadline; what is between them takes less than this.
const MARGIN_MS: u64 = 30_000;
/// How many processes that would not die are named.
const NAMED_MAX: u32 = 10;
/// What the kernel takes of an argument, with its end.
const ARGUMENT_MAX: usize = 256;

/// Ends everything. `Reload` ends nothing, and does not come here.
pub fn run(state: &mut State, signals: &Fd, ending: Ending) -> ! {
    let role = state.role();
    state.descriptors.console = say::speak_to_the_last(role, state.descriptors.console);
    say::info(say::line("final phase: ").text(what(role, ending.request)));
    // It would start again what ends now. It is built to be killed at any time.
    if let Some(pid) = state.keeper.pid() {
        os::kill(Some(pid), libc::SIGKILL);
    }
    let mut argument = [0; ARGUMENT_MAX];
    let argument = reboot_argument(&mut argument);
    let wait = Wait { signals, watchdog: watchdog::Last::begin(state, limit_ms(ending)) };
    if !end_processes(role, &wait, ending.grace_ms) {
        name_survivors();
    }
    if role == Role::Machine {
        storage::release(&wait);
    }
    watchdog::leave(state, ending.request);
    finish(role, ending, argument)
}

/// What somebody wants the firmware to be told, from `/run`, before that is unmounted.
fn reboot_argument(bytes: &mut [u8; ARGUMENT_MAX]) -> Option<&CStr> {
    let mut path = Line::new().text(paths::RUN).text("/").text(paths::REBOOT_ARGUMENT);
    let path = CStr::from_bytes_with_nul(path.finish_with(0)).ok()?;
    let length = os::open(path, libc::O_RDONLY).and_then(|file| file.read(bytes)).ok()?;
    // One line; what is too long ends with the room for it.
    let end = bytes.iter().take(length).position(|byte| *byte == b'\n').unwrap_or(length);
    *bytes.get_mut(end.min(ARGUMENT_MAX.saturating_sub(1)))? = 0;
    CStr::from_bytes_until_nul(bytes).ok().filter(|argument| !argument.is_empty())
}

/// All steps together take no longer: from then on, nobody gives the watchdog time.
fn limit_ms(ending: Ending) -> u64 {
    let steps = KILL_MS.saturating_add(storage::ALL_MS).saturating_add(MARGIN_MS);
    steps.saturating_add(u64::from(ending.grace_ms))
}

fn what(role: Role, request: Request) -> &'static str {
    match (role, request) {
        (Role::Machine, Request::Poweroff | Request::Exit | Request::Reload) => "power off",
        (_, Request::Reboot) => "reboot",
        (Role::Machine, Request::Halt) => "halt",
        (Role::Machine, Request::Kexec) => "kexec",
        (Role::Container | Role::Subtree, _) => "exit",
    }
}

/// TERM, time, KILL. Returns whether nobody is left.
fn end_processes(role: Role, wait: &Wait<'_>, grace_ms: u32) -> bool {
    let grace_by = os::now().plus_ms(u64::from(grace_ms));
    // CONT: a stopped process does not see its TERM otherwise.
    signal_all(role, wait, &[libc::SIGTERM, libc::SIGCONT]);
    if children::reap_all(wait, grace_by) {
        return true;
    }
    say::info(say::line("some processes did not end in time: killing them"));
    let kill_by = os::now().plus_ms(KILL_MS);
    loop {
        signal_all(role, wait, &[libc::SIGKILL]);
        let now = os::now();
        // Whoever forks while a subtree is being looked through is found the next time.
        let look_again = now.plus_ms(SWEEP_MS).min(kill_by);
        if children::reap_all(wait, look_again) {
            return true;
        }
        if now >= kill_by {
            return false;
        }
    }
}

/// Signals everyone below us. As PID 1 of a namespace that is everyone in it; it is done in a
/// child, because on some kernels a process that hangs in the kernel makes the sender wait.
fn signal_all(role: Role, wait: &Wait<'_>, numbers: &[i32]) {
    match role {
        Role::Machine | Role::Container => {
            let by = os::now().plus_ms(SWEEP_MS);
            let _: Outcome = children::do_in_child(wait, by, || {
                numbers.iter().for_each(|number| os::kill(None, *number));
                Ok(())
            });
        }
        Role::Subtree => {
            for_each_process(|pid, _| {
                if is_below_us(pid) {
                    numbers.iter().for_each(|number| os::kill(Some(pid), *number));
                }
            });
        }
    }
}

/// Whether this process is our descendant: its line of parents leads to us. Each orphan below us
/// becomes our child, so the line does not break.
fn is_below_us(pid: u32) -> bool {
    /// No line of parents is longer, unless it changed while we looked.
    const LINE_MAX: u32 = 1000;
    let ours = os::own_pid();
    let mut pid = pid;
    for _ in 0..LINE_MAX {
        let Some(parent) = with_process(pid, |process| process.parent) else { return false };
        if parent == ours {
            return true;
        }
        if parent <= 1 {
            return false;
        }
        pid = parent;
    }
    false
}

fn name_survivors() {
    let mut count = 0_u32;
    let ours = os::own_pid();
    for_each_process(|pid, process| {
        if process.is_kernel_thread || process.state == b'Z' || pid == ours {
            return;
        }
        count = count.saturating_add(1);
        if count <= NAMED_MAX {
            let line = say::line("warning: process ").number(u64::from(pid)).text(" (");
            let line = line.text(process.name).text(") would not die");
            let hangs = if process.state == b'D' { ": it hangs in the kernel" } else { "" };
            say::warning(line.text(hangs));
        }
    });
}

/// Calls for each process there is.
fn for_each_process(mut call: impl FnMut(u32, process::Process<'_>)) {
    os::for_each_entry(c"/proc", |name| {
        let number = process::number(name).and_then(|number| u32::try_from(number).ok());
        if let Some(pid) = number {
            with_process(pid, |process| call(pid, process));
        }
    });
}

/// Looks a process up.
fn with_process<T>(pid: u32, look: impl FnOnce(process::Process<'_>) -> T) -> Option<T> {
    let mut path = Line::new().text("/proc/").number(u64::from(pid)).text("/stat");
    let path = core::ffi::CStr::from_bytes_with_nul(path.finish_with(0)).ok()?;
    let file = os::open(path, libc::O_RDONLY).ok()?;
    let mut text = [0; 1024];
    let length = file.read(&mut text).ok()?;
    process::parse(text.get(..length)?).map(look)
}

fn finish(role: Role, ending: Ending, argument: Option<&CStr>) -> ! {
    match (role, ending.request) {
        (Role::Machine, request) => {
            if let (Request::Reboot, Some(argument)) = (request, argument) {
                let error = os::restart_with(argument);
                say::failure("restart with", argument.to_bytes(), error);
            }
            reboot(request);
            // The kernel refuses: nothing is left to be done, and PID 1 must not end.
            loop {
                os::sleep_ms(1_000_000);
            }
        }
        // A container's manager knows by how we end that we want to be started again.
        (Role::Container, Request::Reboot) => {
            let _ = rustix::system::reboot(RebootCommand::Restart);
            os::exit(ending.exit_status)
        }
        (Role::Container | Role::Subtree, _) => os::exit(ending.exit_status),
    }
}

/// Does not return, if the kernel can do what is asked, or the next best.
fn reboot(request: Request) {
    let commands = match request {
        Request::Poweroff | Request::Exit | Request::Reload => {
            [RebootCommand::PowerOff, RebootCommand::Halt]
        }
        Request::Reboot => [RebootCommand::Restart, RebootCommand::Halt],
        Request::Halt => [RebootCommand::Halt, RebootCommand::PowerOff],
        Request::Kexec => [RebootCommand::Kexec, RebootCommand::Restart],
    };
    for command in commands {
        say::info(say::line("all done"));
        if let Err(error) = rustix::system::reboot(command) {
            say::failure("end as asked", what(Role::Machine, request).as_bytes(), error);
        }
    }
}
