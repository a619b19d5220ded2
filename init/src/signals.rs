//! What a signal to init means. The numbers are Linux's on all its common architectures.
//!
//! On a machine these are busybox's (`halt`, `poweroff`, `reboot` send USR1, USR2, TERM to PID 1),
//! and systemd's real-time ones, which container managers and `kill -RTMIN+n 1` use. In a
//! container or a subtree every signal that people end a process with ends the tree; where there
//! is a main service, the others are for it, too.

use wire::link::{Request, Role};

/// What init does about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Meaning {
    /// Ask `supervise`, which stops the services in order first.
    Ask(Request),
    /// Begin the final phase at once.
    Act(Request),
}

/// A signal of this table: number, on a machine, elsewhere.
type Row = (i32, Option<Meaning>, Option<Meaning>);

pub(crate) const SIGHUP: i32 = 1;
pub(crate) const SIGINT: i32 = 2;
pub(crate) const SIGQUIT: i32 = 3;
pub(crate) const SIGUSR1: i32 = 10;
pub(crate) const SIGUSR2: i32 = 12;
pub(crate) const SIGTERM: i32 = 15;
pub(crate) const SIGPWR: i32 = 30;
/// What glibc's programs call SIGRTMIN (musl's say 35): the number that systemd's interface means.
const RTMIN: i32 = 34;

const fn ask(request: Request) -> Option<Meaning> {
    Some(Meaning::Ask(request))
}

const fn act(request: Request) -> Option<Meaning> {
    Some(Meaning::Act(request))
}

/// All that mean something. docs/init.md has this table in words.
const TABLE: [Row; 15] = [
    (SIGHUP, ask(Request::Reload), ask(Request::Reload)),
    // Ctrl-Alt-Del; on a container's terminal, Ctrl-C.
    (SIGINT, ask(Request::Reboot), ask(Request::Exit)),
    (SIGQUIT, None, ask(Request::Exit)),
    (SIGUSR1, ask(Request::Halt), ask(Request::Exit)),
    (SIGUSR2, ask(Request::Poweroff), ask(Request::Exit)),
    (SIGTERM, ask(Request::Reboot), ask(Request::Exit)),
    // The UPS says that power fails; LXC's way to stop a container.
    (SIGPWR, ask(Request::Poweroff), ask(Request::Exit)),
    (RTMIN + 3, ask(Request::Halt), ask(Request::Exit)),
    (RTMIN + 4, ask(Request::Poweroff), ask(Request::Exit)),
    (RTMIN + 5, ask(Request::Reboot), ask(Request::Reboot)),
    (RTMIN + 6, ask(Request::Kexec), ask(Request::Exit)),
    (RTMIN + 13, act(Request::Halt), act(Request::Exit)),
    (RTMIN + 14, act(Request::Poweroff), act(Request::Exit)),
    (RTMIN + 15, act(Request::Reboot), act(Request::Reboot)),
    (RTMIN + 16, act(Request::Kexec), act(Request::Exit)),
];

/// What the signal means to init in this role; nothing, mostly.
#[must_use]
pub fn meaning(role: Role, signal: i32) -> Option<Meaning> {
    let (_, machine, elsewhere) = TABLE.into_iter().find(|row| row.0 == signal)?;
    match role {
        Role::Machine => machine,
        Role::Container | Role::Subtree => elsewhere,
    }
}

/// The signals that init waits for, SIGCHLD apart.
pub fn all() -> impl Iterator<Item = i32> {
    TABLE.into_iter().map(|row| row.0)
}

/// The signals that init waits for where there is a main service that they may be for: all that
/// can be caught, but those by which the kernel tells init itself of something: its own faults, a
/// child, a terminal or a pipe that is not its own.
pub fn all_for_main() -> impl Iterator<Item = i32> {
    (1..=LAST).filter(|signal| !NEVER.contains(signal))
}

/// The highest signal.
const LAST: i32 = 64;

/// QUIT's neighbours ILL, TRAP, ABRT, BUS and FPE; KILL, SEGV and PIPE; CHLD and STOP; TTIN and
/// TTOU; SYS; 32 and 33 are the C library's own.
const NEVER: [i32; 15] = [4, 5, 6, 7, 8, 9, 11, 13, 17, 19, 21, 22, 31, 32, 33];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busybox_tools_do_what_they_say() {
        let said = |signal| meaning(Role::Machine, signal);
        assert_eq!(said(SIGUSR1), ask(Request::Halt));
        assert_eq!(said(SIGUSR2), ask(Request::Poweroff));
        assert_eq!(said(SIGTERM), ask(Request::Reboot));
        assert_eq!(said(SIGINT), ask(Request::Reboot), "Ctrl-Alt-Del");
    }

    #[test]
    fn no_signal_switches_the_host_off_from_inside_a_container() {
        for signal in all() {
            for role in [Role::Container, Role::Subtree] {
                let (Some(Meaning::Ask(request)) | Some(Meaning::Act(request))) =
                    meaning(role, signal)
                else {
                    panic!("signal {signal} means nothing")
                };
                assert!(
                    matches!(request, Request::Exit | Request::Reload | Request::Reboot),
                    "signal {signal}"
                );
            }
        }
    }

    #[test]
    fn what_ends_a_tree_with_a_main_service_ends_one_without() {
        for signal in all_for_main() {
            let ending = wire::link::ending(u8::try_from(signal).unwrap());
            let without = meaning(Role::Container, signal);
            assert!(ending.is_none() || ending.map(Meaning::Ask) == without, "signal {signal}");
        }
        // Nobody means the end of everything by these where there is somebody else to get them.
        for signal in [SIGHUP, SIGUSR1, SIGUSR2] {
            assert_eq!(wire::link::ending(u8::try_from(signal).unwrap()), None);
        }
        assert_eq!(all().filter(|signal| !all_for_main().any(|one| one == *signal)).count(), 0);
    }

    #[test]
    fn each_signal_has_one_row_and_others_have_none() {
        for signal in all() {
            assert_eq!(all().filter(|other| *other == signal).count(), 1);
        }
        for signal in [0, 9, 11, 17, 18, 19, 33, 64, -1] {
            assert_eq!(meaning(Role::Machine, signal), None);
        }
    }
}
