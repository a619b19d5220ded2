//! PID 1: the shell around [`init::State`]. It reaps everything, keeps `supervise` alive, tells it
//! of exits and signals, keeps descriptors for it, and ends the machine, the container or the
//! subtree. It starts nothing else, but for a shell
//! when `supervise` cannot be started, reads no configuration and has no heap.
//!
//! Invariant: from the loop on it does not end, unless all is over; a fatal signal makes it
//! execute itself again and go on.

#![no_std]
#![no_main]

mod boot;
mod cgroup;
mod children;
mod fatal;
mod last;
mod link;
mod os;
mod program;
mod region;
mod run;
mod say;
mod shell;
mod storage;
mod watchdog;

use core::ffi::{CStr, c_char, c_int};
use core::panic::PanicInfo;

use init::state::Crashes;
use init::{Instant, State, args, signals};
use rustix::system::RebootCommand;
use wire::link::Role;

use crate::children::Supervise;
use crate::link::Link;
use crate::os::{Fd, Signals};
use crate::region::Left;
use crate::run::Init;

// With std, std would see to this.
#[link(name = "c")]
unsafe extern "C" {}

/// Exit status: wrong usage.
const USAGE: u8 = 100;
/// Exit status: a system call failed that nothing works without.
const SYSTEM: u8 = 111;

/// Called by the C library's start code, which has set up nothing else that we use.
///
/// # Safety
///
/// `argv` and `envp` are what the kernel has put on the stack.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(
    argc: c_int,
    argv: *mut *const c_char,
    envp: *mut *const c_char,
) -> c_int {
    let boot = os::now();
    // SAFETY: it is the kernel's array, which stays for as long as the program.
    unsafe { program::remember(argc, argv, envp) };
    start(boot)
}

fn start(boot: Instant) -> ! {
    let pid = os::own_pid();
    let args = args::parse(program::arguments().map(Word));
    fatal::catch();
    let waited = Signals::new(waited(&args));
    // A log that nobody reads any more, or a terminal that is somebody else's, is no reason to end.
    let unwanted = [libc::SIGPIPE, libc::SIGTTOU, libc::SIGTTIN, libc::SIGTSTP];
    Signals::new(self::waited(&args).chain(unwanted)).block();
    let state = match region::adopt(pid) {
        Left::Sound(state) => go_on(state),
        Left::Suspect(crashes) => begin_anew(pid, &args, boot, crashes),
        Left::Nothing => begin(pid, &args, boot),
    };
    program::open();
    let _ = rustix::thread::set_name(c"init");
    let Ok(signals) = waited.open() else { os::exit(SYSTEM) };
    let mut place = [0; PATH_MAX];
    let supervise = Supervise { path: supervise_path(&args, &mut place), command: args.command };
    if state.has_main() {
        say::warnings_only();
    }
    // From now on, we must not die.
    let is_booting = state.role() == Role::Machine && state.keeper.starts() == 0;
    Init { state, link: Link::new(), signals: &signals, is_booting, supervise }.run()
}

/// The signals that are read from a descriptor.
fn waited(args: &args::Args<Word>) -> impl Iterator<Item = c_int> + use<> {
    let has_main = args.command > 0;
    let always = signals::all().filter(move |_| !has_main);
    let for_main = signals::all_for_main().filter(move |_| has_main);
    always.chain(for_main).chain([libc::SIGCHLD])
}

/// The first start.
fn begin(pid: u32, args: &args::Args<Word>, boot: Instant) -> &'static mut State {
    let role = role_of(pid, args);
    let has_main = args.command > 0 && role != Role::Machine;
    let log = set_up(role, has_main);
    let Ok(state) = region::create() else {
        say::warning(say::line("fatal: cannot allocate memory"));
        os::exit(SYSTEM)
    };
    state.begin(pid, role, boot, has_main);
    state.descriptors.log = log.map_or(0, Fd::into_number);
    state.descriptors.console = state.descriptors.log;
    state
}

/// After a fatal signal: everything that was known is known.
fn go_on(state: &'static mut State) -> &'static mut State {
    fatal::take_over(state);
    let is_machine = state.role() == Role::Machine;
    let log = state.descriptors.log;
    say::speak_to(if log > 0 { log } else { 2 }, is_machine && say::is_kernel_log(log));
    let signal = u64::from(state.crashes.signal.unsigned_abs());
    let line = say::line("warning: ended by signal ").number(signal);
    say::warning(line.text("; executed again, and going on"));
    state
}

/// After fatal signals in a row, each soon after we had gone on: what was known may be the
/// reason. `supervise` finds its link closed, and its successor that exits were lost.
fn begin_anew(
    pid: u32,
    args: &args::Args<Word>,
    boot: Instant,
    crashes: Crashes,
) -> &'static mut State {
    os::close_from(3);
    let state = begin(pid, args, boot);
    state.crashes = crashes;
    state.ring.lose();
    say::warning(say::line("warning: fatal signals in a row: the state is forgotten"));
    state
}

/// What we are. Only PID 1 of the whole machine may say what Ctrl-Alt-Del does; in any other
/// process id namespace the kernel refuses.
fn role_of(pid: u32, args: &args::Args<Word>) -> Role {
    if pid == 1 {
        return match rustix::system::reboot(RebootCommand::CadOff) {
            Ok(()) => Role::Machine,
            Err(_) => Role::Container,
        };
    }
    if args.help || args.version {
        let text = if args.help { HELP } else { VERSION };
        let _ = os::lend(1).map(|output| output.write(text.as_bytes()));
        os::exit(0);
    }
    if let Some(Word(unknown)) = args.unknown {
        let line = say::line("fatal: unknown argument: ").text(unknown.to_bytes());
        say::warning(line.text(" (try --help)"));
        os::exit(USAGE);
    }
    // Whoever has a command run is not surprised that it runs; a whole tree by mistake would be.
    if !args.subtree && args.command == 0 {
        say::warning(say::line("fatal: not process 1: run as PID 1, or with --subtree"));
        os::exit(USAGE);
    }
    Role::Subtree
}

/// Makes the place fit to work in. Returns where messages go.
fn set_up(role: Role, has_main: bool) -> Option<Fd> {
    let log = match role {
        Role::Machine => {
            boot::leave_kernel_root();
            boot::mount_first();
            let log = boot::open_standard(true);
            boot::mount_rest();
            log
        }
        Role::Container => boot::open_standard(false),
        Role::Subtree => {
            let own = Some(rustix::process::getpid());
            if let Err(error) = rustix::process::set_child_subreaper(own) {
                say::failure("become", b"the parent of orphans", error);
            }
            boot::open_standard(false)
        }
    };
    match role {
        Role::Machine | Role::Container => cgroup::enter_own(),
        Role::Subtree => {}
    }
    if has_main {
        // It is to have what the container has: its limits, and its terminal.
        os::leave_terminal();
    } else {
        boot::raise_limits();
    }
    log
}

const HELP: &str = "\
usage: init [--subtree] [--supervise PATH] [-- COMMAND...]

PID 1 of a machine or a container: keeps supervise alive, reaps, shuts down.
  --subtree          run as any process: the parent of all that is below it;
                     with a COMMAND that goes without saying
  --supervise PATH   start this instead of /usr/lib/cooper/supervise
  -- COMMAND...      the main service, whose exit status becomes init's
";

const VERSION: &str = concat!("init ", env!("CARGO_PKG_VERSION"), "\n");

const PATH_MAX: usize = 4096;

/// `--supervise`, or `$COOPER_LIBEXEC/supervise`, or where it is installed.
fn supervise_path<'a>(args: &args::Args<Word>, place: &'a mut [u8]) -> &'a CStr {
    if let Some(Word(path)) = args.supervise {
        return path;
    }
    let directory = program::variable("COOPER_LIBEXEC");
    let directory = directory.unwrap_or(wire::paths::LIBEXEC.as_bytes());
    let path = directory.iter().chain(b"/supervise\0");
    for (to, from) in place.iter_mut().zip(path) {
        *to = *from;
    }
    CStr::from_bytes_until_nul(place).unwrap_or(c"/usr/lib/cooper/supervise")
}

/// An argument.
#[derive(Clone, Copy)]
struct Word(&'static CStr);

impl AsRef<[u8]> for Word {
    fn as_ref(&self) -> &[u8] {
        self.0.to_bytes()
    }
}

/// There is no way here: the linked program has no call of it. Should there ever be one, it is a
/// fatal signal like any other.
#[panic_handler]
fn on_panic(_: &PanicInfo<'_>) -> ! {
    fatal::start_again(libc::SIGABRT)
}

/// Without optimisation the linker keeps parts of core that name the function which unwinding
/// asks at each frame. Nothing unwinds here: it is never called.
#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}
