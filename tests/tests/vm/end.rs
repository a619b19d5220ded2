//! How a node ends. Each step says its rule first.

use std::time::Duration;

use crate::guest::Guest;

/// How long an ordered end may take under emulation.
const END_MAX: Duration = Duration::from_secs(60);

/// Everything stops in order, the machine switches off by itself, within its deadline. Returns what
/// the console showed of it.
pub fn poweroff_ends_it_in_order(guest: Guest) -> String {
    let before = guest.console();
    let (took, console) = guest.end("svc poweroff");
    eprintln!("down {:.1} s after `svc poweroff`", took.as_secs_f32());
    assert!(took < END_MAX, "it took {took:?}:\n{console}");
    let end = console.get(before.len()..).unwrap_or(&console);
    assert_sound(end);
    assert!(end.contains("init: all done"), "{end}");
    end.to_owned()
}

/// The shell on the console works, `svc` works in it, and it ends as any other machine.
pub fn a_rescue_shell_is_all_there_is(mut guest: Guest) {
    guest.console_says("node:");
    // What is typed is shown as well: only the answer has the sum.
    guest.types("echo shell $((40 + 2)) as $(id -un)");
    guest.console_says("shell 42 as root");
    guest.types("svc status rescue-shell | head -n 3; pidof containerd || echo nothing $((1 + 1))");
    guest.console_says("nothing 2");
    let console = guest.console();
    assert!(console.contains("rescue-shell"), "{console}");
    guest.types("svc poweroff");
    let (took, console) = guest.ended();
    assert!(took < END_MAX, "it took {took:?}:\n{console}");
    assert_sound(&console);
}

fn assert_sound(console: &str) {
    for bad in ["Kernel panic", "Call Trace", "would not die", "cannot ", "still in use"] {
        assert!(!console.contains(bad), "{bad}:\n{console}");
    }
}
