//! The link: fixed-size messages between init and `supervise` over a SOCK_SEQPACKET pair.
//!
//! Every message of init's that must not be lost carries a sequence number, and init keeps it
//! until `supervise` has acknowledged it; a new `supervise` is told everything that the last one
//! did not acknowledge. Numbers never repeat and never go back, so a message that arrives twice
//! is recognised. Integers are little-endian; every message is [`SIZE`] bytes; bytes that a
//! message does not use are zero.

/// Each message's size in bytes.
pub const SIZE: usize = 64;
/// A held descriptor's name is at most this long.
pub const NAME_MAX: usize = 48;
/// The protocol's version; init and `supervise` of one image are always the same build, but an
/// upgrade replaces one before the other.
pub const VERSION: u8 = 1;

/// What init tells `supervise`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FromInit {
    /// First message on each new link.
    Hello(Hello),
    /// A child of init ended and was reaped.
    Exited {
        /// Acknowledge this.
        seq: u64,
        /// Its process id; it may belong to a new process by now.
        pid: u32,
        /// How, in the kernel's wait-status encoding.
        status: i32,
        /// User and system time, microseconds.
        cpu_us: u64,
        /// Peak resident memory, KiB.
        maxrss_kib: u64,
    },
    /// Somebody signalled init; what it means is `supervise`'s business.
    Signalled {
        /// Acknowledge this.
        seq: u64,
        /// What is wanted.
        request: Request,
    },
    /// Are you alive? (Only while a hardware watchdog is armed.)
    Ping {
        /// Acknowledge this.
        seq: u64,
    },
    /// Answer to [`FromSupervise::Fetch`]; the descriptor comes along, if there is one.
    Held {
        /// Its name.
        name: Name,
        /// Whether a descriptor comes along.
        found: bool,
    },
}

/// What `supervise` must know to begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u8,
    /// What init is.
    pub role: Role,
    /// Init's process id as `supervise` sees it.
    pub init_pid: u32,
    /// How often `supervise` has been started since boot, this time included.
    pub starts: u32,
    /// Exits fell out of the ring: every recorded process must be looked for.
    pub lost_exits: bool,
    /// When init's first instruction ran: microseconds, CLOCK_MONOTONIC.
    pub boot_us: u64,
}

/// What init is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Role {
    /// PID 1 of a machine.
    Machine = 1,
    /// PID 1 of a pid namespace: no reboot(2) beyond ending it, the exit status counts.
    Container = 2,
    /// Not PID 1: a subreaper.
    Subtree = 3,
}

/// What a signal to init, or the final phase, is to bring about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Request {
    /// End and switch off.
    Poweroff = 1,
    /// End and start again.
    Reboot = 2,
    /// End and stop the processor.
    Halt = 3,
    /// End and start the loaded kernel.
    Kexec = 4,
    /// End this tree with an exit status (containers, subtrees).
    Exit = 5,
    /// Read the graph again (SIGHUP).
    Reload = 6,
}

/// What `supervise` tells init.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FromSupervise {
    /// Everything up to this number has been dealt with and recorded.
    Ack {
        /// Sequence number.
        seq: u64,
    },
    /// Keep the descriptor that comes along under this name; it replaces one of the same name.
    Hold {
        /// Its name.
        name: Name,
    },
    /// Close the descriptor of this name.
    Drop {
        /// Its name.
        name: Name,
    },
    /// Send me the descriptor of this name.
    Fetch {
        /// Its name.
        name: Name,
    },
    /// All services are down, or the budget is spent: begin the final phase.
    Final {
        /// How it ends.
        request: Request,
        /// For [`Request::Exit`].
        exit_status: u8,
        /// Processes get this long between SIGTERM and SIGKILL, milliseconds.
        grace_ms: u32,
    },
    /// A shutdown has begun: should `supervise` never say `Final`, init begins the final phase
    /// by itself this long from now.
    Deadline {
        /// How it ends then.
        request: Request,
        /// Milliseconds from now.
        after_ms: u32,
    },
    /// Use the descriptor that comes along as standard output and error (the catch-all log).
    Stdio,
}

/// A held descriptor's name: printable, no NUL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Name {
    bytes: [u8; NAME_MAX],
    len: u8,
}
