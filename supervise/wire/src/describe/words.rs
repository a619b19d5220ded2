//! Durations, signals, errors and spawn steps, for people.

use alloc::{format, string::String};

use unit::{Cause, Exit, SpawnError, Step};

/// A time span in the largest unit that says enough: `850 ms`, `12 s`, `2 min 5 s`, `3 h 20 min`,
/// `4 d 1 h`.
#[must_use]
pub fn duration(us: u64) -> String {
    const MS: u64 = 1000;
    const S: u64 = 1000 * MS;
    const MIN: u64 = 60 * S;
    const H: u64 = 60 * MIN;
    const D: u64 = 24 * H;
    let two = |large: u64, large_name: &str, small: u64, small_name: &str| {
        let rest = us.checked_rem(large).and_then(|rest| rest.checked_div(small)).unwrap_or(0);
        let whole = us.checked_div(large).unwrap_or(0);
        if rest == 0 {
            format!("{whole} {large_name}")
        } else {
            format!("{whole} {large_name} {rest} {small_name}")
        }
    };
    match us {
        0..MS => format!("{us} µs"),
        MS..S => format!("{} ms", us / MS),
        S..MIN => format!("{} s", us / S),
        MIN..H => two(MIN, "min", S, "s"),
        H..D => two(H, "h", MIN, "min"),
        D.. => two(D, "d", H, "h"),
    }
}

/// A time limit: as [`duration`], but to the nearest second, because what is counted begins a
/// little after the clock was read that the limit counts from.
#[must_use]
pub fn limit(us: u64) -> String {
    const S: u64 = 1_000_000;
    if us < S {
        return duration(us);
    }
    let nearest = us.saturating_add(S / 2) / S;
    duration(nearest.saturating_mul(S))
}

/// The largest signal number.
pub const SIGNAL_MAX: u8 = 64;

/// By number, as on every architecture that Linux has but alpha, mips, parisc and sparc.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];
/// The first real-time signal as the kernel counts; musl and glibc keep the first few.
const RTMIN: u8 = 32;

/// `SIGKILL` for 9; real-time signals have numbers only.
#[must_use]
pub fn signal_name(number: u8) -> Option<&'static str> {
    SIGNALS.get(usize::from(number.checked_sub(1)?)).copied()
}

/// 9 for `SIGKILL`, `KILL`, `kill` and `9`.
#[must_use]
pub fn signal_named(name: &str) -> Option<u8> {
    if let Ok(number) = name.parse() {
        return (1..=SIGNAL_MAX).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let matches = |signal: &u8| {
        signal_name(*signal).and_then(|known| known.strip_prefix("SIG")) == Some(short)
    };
    (1..RTMIN).find(matches)
}

/// The kernel's error numbers that a start or a file meets, in the C library's words.
#[must_use]
pub fn errno_text(errno: u16) -> String {
    let text = match errno {
        1 => "operation not permitted",
        2 => "no such file or directory",
        5 => "input/output error",
        7 => "argument list too long",
        8 => "not a program (exec format error)",
        11 => "resource temporarily unavailable",
        12 => "out of memory",
        13 => "permission denied",
        16 => "device or resource busy",
        17 => "file exists",
        19 => "no such device",
        20 => "not a directory",
        21 => "is a directory",
        22 => "invalid argument",
        23 | 24 => "too many open files",
        26 => "text file busy",
        28 => "no space left on device",
        30 => "read-only file system",
        38 => "the kernel does not have it",
        40 => "too many levels of symbolic links",
        110 => "timed out",
        other => return format!("error {other}"),
    };
    text.into()
}

/// The step's name on the wire.
pub(super) const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Definition => "definition",
        Step::Cgroup => "cgroup",
        Step::Clone => "clone",
        Step::Log => "log",
        Step::Notify => "notify",
        Step::Directories => "directories",
        Step::Mounts => "mounts",
        Step::Tty => "tty",
        Step::Limits => "limits",
        Step::Priority => "priority",
        Step::User => "user",
        Step::Capabilities => "capabilities",
        Step::Cwd => "cwd",
        Step::Environment => "environment",
        Step::Exec => "exec",
    }
}

/// What could not be done in this step of a spawn: `cannot execute its program`.
#[must_use]
pub const fn step_text(step: Step) -> &'static str {
    match step {
        Step::Definition => "cannot read its definition",
        Step::Cgroup => "cannot make its cgroup",
        Step::Clone => "cannot make its process",
        Step::Log => "cannot open its output",
        Step::Notify => "cannot open its notification descriptor",
        Step::Directories => "cannot make its directories",
        Step::Mounts => "cannot make its mounts",
        Step::Tty => "cannot take its terminal",
        Step::Limits => "cannot set its resource limits",
        Step::Priority => "cannot set its priority",
        Step::User => "cannot become its user",
        Step::Capabilities => "cannot set its capabilities",
        Step::Cwd => "cannot enter its working directory",
        Step::Environment => "cannot read its environment files",
        Step::Exec => "cannot execute its program",
    }
}

/// How a life ended: `exit 1`, `signal 9 (SIGKILL)`, `cannot execute its program: …`.
pub(super) fn cause_text(cause: Cause) -> String {
    match cause {
        Cause::Stopped => "stopped on purpose".into(),
        Cause::Exited(exit) => exit_text(exit),
        Cause::Spawn(SpawnError { step, errno }) => {
            format!("{}: {}", step_text(step), errno_text(errno))
        }
        Cause::StartTimeout => "not ready in time".into(),
        Cause::Watchdog => "did not ping its watchdog".into(),
        Cause::Unhealthy => "its health probes failed".into(),
        Cause::Permanent => "its finish command says that starting again is of no use".into(),
    }
}

fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(number) => match signal_name(number) {
            Some(name) => format!("signal {number} ({name})"),
            None => format!("signal {number}"),
        },
        Exit::Lost => "ended unseen".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        let cases = [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (999_999, "999 ms"),
            (59_999_999, "59 s"),
            (60_000_000, "1 min"),
            (125_000_000, "2 min 5 s"),
            (3_600_000_000, "1 h"),
            (12_000_000_000, "3 h 20 min"),
            (86_400_000_000 * 4 + 3_700_000_000, "4 d 1 h"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(us), text);
        }
        assert_eq!(duration(u64::MAX), "213503982 d 8 h");
    }

    #[test]
    fn limits_are_whole_seconds() {
        assert_eq!(limit(59_999_700), "1 min");
        assert_eq!(limit(30_000_200), "30 s");
        assert_eq!(limit(250_000), "250 ms");
    }

    #[test]
    fn signals_are_known_by_any_of_their_names() {
        for name in ["SIGKILL", "KILL", "kill", "9"] {
            assert_eq!(signal_named(name), Some(9), "{name}");
        }
        assert_eq!(signal_named("64"), Some(64));
        for name in ["0", "65", "SIG", "", "SIGFOO", "-9"] {
            assert_eq!(signal_named(name), None, "{name}");
        }
        assert_eq!(signal_name(0), None);
        assert_eq!(signal_name(32), None);
    }
}
