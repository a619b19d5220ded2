//! The link: fixed-size messages between init and `supervise` over a SOCK_SEQPACKET pair.
//!
//! Every message of init's that must not be lost carries a sequence number, and init keeps it
//! until `supervise` has acknowledged it; a new `supervise` is told everything that the last one
//! did not acknowledge. Numbers never repeat and never go back, so a message that arrives twice
//! is recognised. Integers are little-endian; every message is [`SIZE`] bytes; bytes that a
//! message does not use are zero.

use core::fmt;

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
    /// Somebody signalled init, and the tree has a main service that signals are for: which ones
    /// end the tree, and which the service gets, is `supervise`'s business ([`ending`]).
    Forwarded {
        /// Acknowledge this.
        seq: u64,
        /// The signal.
        signal: u8,
    },
    /// Are you alive? The first message on a link when no other waits, so that a `supervise` which
    /// hangs before it begins is noticed; then only while a hardware watchdog is armed, to which
    /// the answer is the proof that it need not reset the machine.
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

/// What a signal to a tree with a main service ends it by; none: it ends nothing, and is for the
/// service alone. Linux's numbers; 37 to 40 are systemd's, as container managers send them.
#[must_use]
pub fn ending(signal: u8) -> Option<Request> {
    match signal {
        // INT, QUIT, TERM, PWR; RTMIN+3, +4 and +6 as glibc counts.
        2 | 3 | 15 | 30 | 37 | 38 | 40 => Some(Request::Exit),
        39 => Some(Request::Reboot),
        _ => None,
    }
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
    /// Arm this hardware watchdog, and keep it from running out while `supervise` answers.
    Watchdog {
        /// The device's path, which must be as short as a name.
        device: Name,
        /// How long after the last answer it resets the machine, milliseconds. 0: disarm it.
        timeout_ms: u32,
    },
}

/// A held descriptor's name: 1 to [`NAME_MAX`] printable ASCII bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Name {
    /// Zero from `len` on, so that equal names are equal bytes.
    bytes: [u8; NAME_MAX],
    len: u8,
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// Not [`SIZE`] bytes.
    Length,
    /// No message of this direction has this kind.
    Kind(u8),
    /// A field holds what its type cannot.
    Value,
    /// A byte that the message does not use is not zero.
    Unused,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "not {SIZE} bytes long"),
            Self::Kind(kind) => write!(f, "unknown kind {kind}"),
            Self::Value => f.write_str("a field is out of range"),
            Self::Unused => f.write_str("an unused byte is not zero"),
        }
    }
}

impl core::error::Error for Error {}

impl Name {
    /// The name of these bytes, if they are one.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let len = u8::try_from(text.len()).ok()?;
        let mut bytes = [0; NAME_MAX];
        if text.is_empty() || text.len() > NAME_MAX || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
        Some(Self { bytes, len })
    }

    /// The name itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Request {
    const ALL: [Self; 6] =
        [Self::Poweroff, Self::Reboot, Self::Halt, Self::Kexec, Self::Exit, Self::Reload];

    /// The request of this number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|request| request.byte() == byte)
    }

    /// Its number.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Poweroff => 1,
            Self::Reboot => 2,
            Self::Halt => 3,
            Self::Kexec => 4,
            Self::Exit => 5,
            Self::Reload => 6,
        }
    }
}

impl Role {
    const ALL: [Self; 3] = [Self::Machine, Self::Container, Self::Subtree];

    /// The role of this number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.byte() == byte)
    }

    /// Its number.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Machine => 1,
            Self::Container => 2,
            Self::Subtree => 3,
        }
    }
}

/// The first byte. The two directions share no number, so that a message which comes back to its
/// sender is refused.
mod kind {
    pub const HELLO: u8 = 1;
    pub const EXITED: u8 = 2;
    pub const SIGNALLED: u8 = 3;
    pub const PING: u8 = 4;
    pub const HELD: u8 = 5;
    pub const FORWARDED: u8 = 6;
    pub const ACK: u8 = 65;
    pub const HOLD: u8 = 66;
    pub const DROP: u8 = 67;
    pub const FETCH: u8 = 68;
    pub const FINAL: u8 = 69;
    pub const DEADLINE: u8 = 70;
    pub const STDIO: u8 = 71;
    pub const WATCHDOG: u8 = 72;
}

impl FromInit {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SIZE] {
        match self {
            Self::Hello(hello) => {
                Writer::new(kind::HELLO)
                    .put([hello.version])
                    .put([hello.role.byte()])
                    .put(hello.init_pid.to_le_bytes())
                    .put(hello.starts.to_le_bytes())
                    .put([u8::from(hello.lost_exits)])
                    .put(hello.boot_us.to_le_bytes())
                    .bytes
            }
            Self::Exited { seq, pid, status, cpu_us, maxrss_kib } => {
                Writer::new(kind::EXITED)
                    .put(seq.to_le_bytes())
                    .put(pid.to_le_bytes())
                    .put(status.to_le_bytes())
                    .put(cpu_us.to_le_bytes())
                    .put(maxrss_kib.to_le_bytes())
                    .bytes
            }
            Self::Signalled { seq, request } => {
                Writer::new(kind::SIGNALLED).put(seq.to_le_bytes()).put([request.byte()]).bytes
            }
            Self::Forwarded { seq, signal } => {
                Writer::new(kind::FORWARDED).put(seq.to_le_bytes()).put([*signal]).bytes
            }
            Self::Ping { seq } => Writer::new(kind::PING).put(seq.to_le_bytes()).bytes,
            Self::Held { name, found } => {
                Writer::new(kind::HELD).put([u8::from(*found)]).name(name).bytes
            }
        }
    }

    /// The message that these bytes are.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (kind, mut fields) = Reader::new(bytes)?;
        let message = match kind {
            kind::HELLO => Self::Hello(Hello {
                version: fields.u8(),
                role: fields.role()?,
                init_pid: fields.u32(),
                starts: fields.u32(),
                lost_exits: fields.bool()?,
                boot_us: fields.u64(),
            }),
            kind::EXITED => Self::Exited {
                seq: fields.u64(),
                pid: fields.u32(),
                status: i32::from_le_bytes(fields.take()),
                cpu_us: fields.u64(),
                maxrss_kib: fields.u64(),
            },
            kind::SIGNALLED => Self::Signalled { seq: fields.u64(), request: fields.request()? },
            kind::FORWARDED => Self::Forwarded { seq: fields.u64(), signal: fields.u8() },
            kind::PING => Self::Ping { seq: fields.u64() },
            kind::HELD => Self::Held { found: fields.bool()?, name: fields.name()? },
            other => return Err(Error::Kind(other)),
        };
        fields.nothing_left(message)
    }
}

impl FromSupervise {
    /// The message's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SIZE] {
        match self {
            Self::Ack { seq } => Writer::new(kind::ACK).put(seq.to_le_bytes()).bytes,
            Self::Hold { name } => Writer::new(kind::HOLD).name(name).bytes,
            Self::Drop { name } => Writer::new(kind::DROP).name(name).bytes,
            Self::Fetch { name } => Writer::new(kind::FETCH).name(name).bytes,
            Self::Final { request, exit_status, grace_ms } => {
                Writer::new(kind::FINAL)
                    .put([request.byte()])
                    .put([*exit_status])
                    .put(grace_ms.to_le_bytes())
                    .bytes
            }
            Self::Deadline { request, after_ms } => {
                Writer::new(kind::DEADLINE).put([request.byte()]).put(after_ms.to_le_bytes()).bytes
            }
            Self::Stdio => Writer::new(kind::STDIO).bytes,
            Self::Watchdog { device, timeout_ms } => {
                Writer::new(kind::WATCHDOG).put(timeout_ms.to_le_bytes()).name(device).bytes
            }
        }
    }

    /// The message that these bytes are.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (kind, mut fields) = Reader::new(bytes)?;
        let message = match kind {
            kind::ACK => Self::Ack { seq: fields.u64() },
            kind::HOLD => Self::Hold { name: fields.name()? },
            kind::DROP => Self::Drop { name: fields.name()? },
            kind::FETCH => Self::Fetch { name: fields.name()? },
            kind::FINAL => Self::Final {
                request: fields.ending()?,
                exit_status: fields.u8(),
                grace_ms: fields.u32(),
            },
            kind::DEADLINE => Self::Deadline { request: fields.ending()?, after_ms: fields.u32() },
            kind::STDIO => Self::Stdio,
            kind::WATCHDOG => Self::Watchdog { timeout_ms: fields.u32(), device: fields.name()? },
            other => return Err(Error::Kind(other)),
        };
        fields.nothing_left(message)
    }
}

/// Fills a message from the front.
struct Writer {
    bytes: [u8; SIZE],
    at: usize,
}

impl Writer {
    fn new(kind: u8) -> Self {
        Self { bytes: [0; SIZE], at: 0 }.put([kind])
    }

    fn put<const N: usize>(mut self, field: [u8; N]) -> Self {
        for (to, from) in self.bytes.iter_mut().skip(self.at).zip(field) {
            *to = from;
        }
        self.at = self.at.saturating_add(N);
        self
    }

    fn name(self, name: &Name) -> Self {
        self.put([name.len]).put(name.bytes)
    }
}

/// Empties a message from the front. No message's fields are longer than [`SIZE`]: what reads on
/// behind the end would read zeros, and never panics.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Result<(u8, Self), Error> {
        if bytes.len() != SIZE {
            return Err(Error::Length);
        }
        let mut fields = Self { rest: bytes };
        Ok((fields.u8(), fields))
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.rest.split_first_chunk::<N>().unwrap_or((&[0; N], &[]));
        self.rest = rest;
        *field
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn bool(&mut self) -> Result<bool, Error> {
        match self.u8() {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::Value),
        }
    }

    fn role(&mut self) -> Result<Role, Error> {
        Role::from_byte(self.u8()).ok_or(Error::Value)
    }

    fn request(&mut self) -> Result<Request, Error> {
        Request::from_byte(self.u8()).ok_or(Error::Value)
    }

    /// A request that ends everything: one cannot shut down by reloading.
    fn ending(&mut self) -> Result<Request, Error> {
        match self.request()? {
            Request::Reload => Err(Error::Value),
            ending @ (Request::Poweroff
            | Request::Reboot
            | Request::Halt
            | Request::Kexec
            | Request::Exit) => Ok(ending),
        }
    }

    fn name(&mut self) -> Result<Name, Error> {
        let len = self.u8();
        let bytes: [u8; NAME_MAX] = self.take();
        let (text, unused) = bytes.split_at_checked(usize::from(len)).ok_or(Error::Value)?;
        if unused.iter().any(|byte| *byte != 0) {
            return Err(Error::Unused);
        }
        Name::new(text).ok_or(Error::Value)
    }

    fn nothing_left<T>(self, message: T) -> Result<T, Error> {
        if self.rest.iter().any(|byte| *byte != 0) { Err(Error::Unused) } else { Ok(message) }
    }
}

#[cfg(test)]
mod tests;
