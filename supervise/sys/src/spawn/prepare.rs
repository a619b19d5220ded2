//! Everything that a child needs, resolved and in the form in which the kernel takes it.

use std::ffi::{CStr, CString, c_char};

use graph::{CapabilitySet, LimitSpec, MountSpec, Process, TtySpec};
use rustix::fs::OFlags;
use rustix::process::{Resource, Rlimit};
use unit::{SpawnError, Step};

use crate::Errno;
use crate::raw;
use crate::users::Identity;

/// What is searched when a service's environment names no `PATH`.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// `[run].umask` when a service does not say.
const UMASK_DEFAULT: u16 = 0o022;
/// `nofile` when a service does not say: select(2) of old programs breaks above the soft limit,
/// and everyone else raises it to the hard one. What systemd has given since version 240.
const NOFILE_DEFAULT: (u64, u64) = (1024, 524_288);
/// An environment file larger than this is a mistake.
pub(super) const FILE_MAX: usize = 64 * 1024;
/// All environment files of a service together define at most this many variables.
const FILE_VARIABLES_MAX: usize = 512;
/// How the one variable begins whose value only the child knows.
pub(super) const WATCHDOG_PID: &[u8] = b"WATCHDOG_PID=";
/// A process id has at most this many digits.
pub(super) const DIGITS_MAX: usize = 10;
/// All of it, with the NUL.
const WATCHDOG_PID_SIZE: usize = WATCHDOG_PID.len() + DIGITS_MAX + 1;

/// What is to be executed, and what only the shell knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The definition.
    pub process: &'a Process,
    /// Which paths must exist or must not. The child looks: there may be a disk behind them.
    pub paths: &'a [PathTest<'a>],
    /// Its `exec`, or one of its commands with what is appended to it.
    pub argv: &'a [String],
    /// Its user, resolved; none: as this process.
    pub identity: Option<&'a Identity>,
    /// Where it reads from. Its terminal, if it has one, takes the place of this and of `output`.
    pub stdin: Stdin<'a>,
    /// Where standard output and standard error go.
    pub output: Output<'a>,
    /// The FIFO for readiness by newline, and the number that its descriptor must have.
    pub ready: Option<(u32, &'a str)>,
    /// Variables beside those of the definition: `NOTIFY_SOCKET`.
    pub variables: &'a [(&'a str, &'a str)],
    /// In a container a process has what the container has, as far as its definition says nothing:
    /// these variables, and limits, umask, priority and OOM score as they are.
    pub inherits: Option<&'a [(String, String)]>,
    /// Set `WATCHDOG_USEC` and `WATCHDOG_PID` to these microseconds and the process itself.
    pub watchdog_us: Option<u64>,
}

/// A condition that a path exists, or that it does not.
#[derive(Clone, Copy, Debug)]
pub struct PathTest<'a> {
    /// What [`crate::spawn::Outcome::Unmet`] calls it.
    pub index: u8,
    /// Links are followed.
    pub path: &'a str,
    /// It must not exist.
    pub negated: bool,
}

/// Standard input.
#[derive(Clone, Copy, Debug)]
pub enum Stdin<'a> {
    /// /dev/null.
    Null,
    /// The FIFO at this path, which it opens for reading and writing, so that it never ends.
    Fifo(&'a str),
    /// What this process has; a terminal becomes the controlling one, if it is nobody's.
    Ours,
}

/// Standard output and standard error.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// /dev/null.
    Null,
    /// The FIFO at this path, which it opens for reading and writing, so that it never breaks.
    Fifo(&'a str),
    /// A terminal or file at this path, which it opens for writing and appending.
    Console(&'a str),
    /// What this process has.
    Ours,
}

/// An order, ready to be carried out without another allocation.
#[derive(Debug)]
pub struct Prepared {
    pub(super) paths: Vec<Condition>,
    pub(super) programs: Vec<CString>,
    pub(super) argv: Strings,
    pub(super) environment: Strings,
    pub(super) files: Vec<EnvironmentFile>,
    /// Room for `WATCHDOG_PID=` and the digits that only the child knows.
    pub(super) watchdog_pid: Option<Vec<u8>>,
    /// None: ours.
    pub(super) stdin: Option<Open>,
    pub(super) output: Option<Open>,
    pub(super) ready: Option<(u32, CString)>,
    pub(super) directories: Vec<Directory>,
    pub(super) mounts: Vec<Mount>,
    pub(super) terminal: Option<Terminal>,
    pub(super) limits: Vec<Limit>,
    /// None, as everywhere below: as it is.
    pub(super) nice: Option<Setting<i32>>,
    pub(super) oom_score_adj: Option<Setting<i16>>,
    pub(super) oom_score_text: CString,
    pub(super) umask: Option<u16>,
    pub(super) identity: Option<Identity>,
    pub(super) capabilities: Option<CapabilitySet>,
    pub(super) no_new_privs: bool,
    pub(super) cwd: CString,
    /// Its cgroup has a limit of memory.
    pub(super) memory_is_limited: bool,
}

/// [`PathTest`] with a C string.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) index: u8,
    pub(super) path: CString,
    pub(super) negated: bool,
}

/// A value, and whether somebody asked for it: a default that an unprivileged tree or a container
/// may not set is left alone, what a definition says is an error.
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) asked: bool,
}

/// A resource limit to set.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) resource: Resource,
    pub(super) limit: Setting<Rlimit>,
}

/// A path to open as a standard descriptor.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) path: CString,
    pub(super) flags: rustix::fs::OFlags,
}

/// A file of variables, and the room for its contents.
#[derive(Debug)]
pub(super) struct EnvironmentFile {
    pub(super) path: CString,
    pub(super) optional: bool,
    /// [`FILE_MAX`] bytes, one more to notice a file that is larger, and one for the last NUL.
    pub(super) buffer: Vec<u8>,
}

/// A directory of the service's own, with the ancestors that may have to be made first.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) ancestors: Vec<CString>,
    pub(super) path: CString,
    pub(super) mode: u16,
}

/// [`MountSpec`] with C strings.
#[derive(Debug)]
pub(super) enum Mount {
    Tmpfs(CString),
    ReadOnly(CString),
    Bind { source: CString, target: CString },
    Inaccessible(CString),
}

/// [`TtySpec`] with a C string.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) path: CString,
    pub(super) reset: bool,
}

/// Strings in the form in which execve takes them: pointers, and a null pointer after the last.
///
/// **Invariant:** each pointer but the last is to a NUL-terminated string that `_owned` holds, or
/// that lives as long by the word of whoever defined it; `pointers` is never empty and its last
/// element is null.
#[derive(Debug)]
pub(super) struct Strings {
    /// Only held, so that the pointers stay valid.
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Prepared {
    /// Resolves `order`.
    ///
    /// # Errors
    /// [`Step::Definition`], when something cannot be said to the kernel at all: a NUL inside a
    /// string (EINVAL), a limit it does not know (EINVAL), an empty command (ENOEXEC).
    pub fn new(order: &Order<'_>) -> Result<Self, SpawnError> {
        Self::resolve(order)
            .map_err(|errno| SpawnError { step: Step::Definition, errno: raw::number(errno) })
    }

    fn resolve(order: &Order<'_>) -> Result<Self, Errno> {
        let Process { run, environment, cgroup, .. } = order.process;
        let files = all(&environment.files, |file| EnvironmentFile::new(file))?;
        let of_files = if files.is_empty() { 0 } else { FILE_VARIABLES_MAX };
        let room = of_files.saturating_add(usize::from(order.watchdog_us.is_some()));
        let inherits = order.inherits.is_some();
        let cwd = match (run.cwd.as_str(), inherits) {
            ("", true) => ".",
            ("", false) => "/",
            (said, _) => said,
        };
        Ok(Self {
            paths: all(order.paths, |test| {
                let PathTest { index, path, negated } = *test;
                Ok(Condition { index, path: c_string(path)?, negated })
            })?,
            programs: programs(order)?,
            argv: Strings::new(order.argv.iter().map(|word| c_string(word)), 0)?,
            environment: variables(order, room)?,
            files,
            watchdog_pid: order.watchdog_us.map(|_| vec![0; WATCHDOG_PID_SIZE]),
            stdin: Open::stdin(order.stdin)?,
            output: Open::output(order.output)?,
            ready: order.ready.map(|(fd, path)| Ok((fd, c_string(path)?))).transpose()?,
            directories: all(&run.directories, |spec| Directory::new(spec))?,
            mounts: all(&run.mounts, Mount::new)?,
            terminal: run.tty.as_ref().map(Terminal::new).transpose()?,
            limits: limits(&run.limits, inherits)?,
            nice: Setting::of(run.nice.map(i32::from), 0, inherits),
            oom_score_adj: Setting::of(run.oom_score_adj, 0, inherits),
            oom_score_text: c_string(&run.oom_score_adj.unwrap_or(0).to_string())?,
            umask: run.umask.or((!inherits).then_some(UMASK_DEFAULT)),
            identity: order.identity.cloned(),
            capabilities: run.capabilities,
            no_new_privs: run.no_new_privs,
            cwd: c_string(cwd)?,
            memory_is_limited: cgroup.settings.iter().any(|(key, _)| key.starts_with("memory.")),
        })
    }
}

/// Each of `items` made into something, or the first reason why one cannot be.
fn all<A, B>(items: &[A], make: impl FnMut(&A) -> Result<B, Errno>) -> Result<Vec<B>, Errno> {
    items.iter().map(make).collect()
}

fn c_string(text: &str) -> Result<CString, Errno> {
    CString::new(text).map_err(|_| Errno::INVAL)
}

/// What the child tries to execute, in order: the parent touches no disk to find out which of
/// them exists.
fn programs(order: &Order<'_>) -> Result<Vec<CString>, Errno> {
    let program = order.argv.first().filter(|name| !name.is_empty()).ok_or(Errno::NOEXEC)?;
    if program.contains('/') {
        return Ok(vec![c_string(program)?]);
    }
    let path = defined(order).filter(|(name, _)| *name == "PATH").map(|(_, value)| value).last();
    path.unwrap_or(PATH_DEFAULT)
        .split(':')
        // An empty element means the current directory, which has no place in a service's PATH.
        .filter(|directory| directory.starts_with('/'))
        .map(|directory| c_string(&format!("{}/{program}", directory.trim_end_matches('/'))))
        .collect()
}

fn variables(order: &Order<'_>, room: usize) -> Result<Strings, Errno> {
    let ours = order.variables.iter().copied();
    let watchdog = order.watchdog_us.map(|us| us.to_string());
    let watchdog = watchdog.iter().map(|us| ("WATCHDOG_USEC", us.as_str()));
    let all = defined(order).chain(ours).chain(watchdog);
    Strings::new(all.map(|(name, value)| c_string(&format!("{name}={value}"))), room)
}

/// What the definition says, after those inherited variables of which it says nothing. Every
/// compiled definition has a `PATH`, so the one that it has by default says nothing.
fn defined<'a>(order: &Order<'a>) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let own = &order.process.environment.variables;
    let inherited = order.inherits.unwrap_or_default();
    let is_default = |(name, value): &(String, String)| name == "PATH" && value == graph::PATH;
    let has_path = inherited.iter().any(|(name, _)| name == "PATH");
    let says = move |variable: &&(String, String)| !(has_path && is_default(variable));
    let unsaid =
        move |(name, _): &&(String, String)| !own.iter().filter(says).any(|(said, _)| said == name);
    let all = inherited.iter().filter(unsaid).chain(own.iter().filter(says));
    all.map(|(name, value)| (name.as_str(), value.as_str()))
}

fn limits(specs: &[LimitSpec], inherits: bool) -> Result<Vec<Limit>, Errno> {
    let mut limits = Vec::with_capacity(specs.len().saturating_add(1));
    if !inherits && !specs.iter().any(|spec| spec.name == "nofile") {
        let (soft, hard) = NOFILE_DEFAULT;
        let value = Rlimit { current: Some(soft), maximum: Some(hard) };
        limits.push(Limit { resource: Resource::Nofile, limit: Setting { value, asked: false } });
    }
    let finite = |value: u64| if value == u64::MAX { None } else { Some(value) };
    for spec in specs {
        let value = Rlimit { current: finite(spec.soft), maximum: finite(spec.hard) };
        let resource = resource(&spec.name).ok_or(Errno::INVAL)?;
        limits.push(Limit { resource, limit: Setting { value, asked: true } });
    }
    Ok(limits)
}

/// The limit of this name, as `[run.limits]` writes it.
pub(super) fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

impl<T> Setting<T> {
    /// What is said, or the default; none: whatever is inherited.
    fn of(said: Option<T>, default: T, inherits: bool) -> Option<Self> {
        match said {
            Some(value) => Some(Self { value, asked: true }),
            None => (!inherits).then_some(Self { value: default, asked: false }),
        }
    }
}

impl Open {
    fn stdin(stdin: Stdin<'_>) -> Result<Option<Self>, Errno> {
        match stdin {
            Stdin::Null => Self::new("/dev/null", OFlags::RDONLY).map(Some),
            Stdin::Fifo(path) => Self::new(path, OFlags::RDWR).map(Some),
            Stdin::Ours => Ok(None),
        }
    }

    fn output(output: Output<'_>) -> Result<Option<Self>, Errno> {
        match output {
            Output::Null => Self::new("/dev/null", OFlags::WRONLY).map(Some),
            Output::Fifo(path) => Self::new(path, OFlags::RDWR).map(Some),
            Output::Console(path) => Self::new(path, OFlags::WRONLY | OFlags::APPEND).map(Some),
            Output::Ours => Ok(None),
        }
    }

    fn new(path: &str, access: OFlags) -> Result<Self, Errno> {
        Ok(Self { path: c_string(path)?, flags: access | OFlags::NOCTTY | OFlags::CLOEXEC })
    }
}

impl EnvironmentFile {
    fn new(spec: &str) -> Result<Self, Errno> {
        let path = spec.strip_prefix('-');
        Ok(Self {
            path: c_string(path.unwrap_or(spec))?,
            optional: path.is_some(),
            buffer: vec![0; FILE_MAX.saturating_add(2)],
        })
    }
}

impl Directory {
    const MODE_DEFAULT: u16 = 0o755;

    /// `PATH` or `PATH:MODE`, the mode in octal.
    fn new(spec: &str) -> Result<Self, Errno> {
        let split = spec.rsplit_once(':');
        let moded = split.and_then(|(path, mode)| {
            let mode = u16::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777)?;
            Some((path, mode))
        });
        let (path, mode) = moded.unwrap_or((spec, Self::MODE_DEFAULT));
        let path = path.trim_end_matches('/');
        if !path.starts_with('/') {
            return Err(Errno::INVAL);
        }
        let slashes = path.match_indices('/').skip(1);
        let ancestors = slashes.filter_map(|(end, _)| path.get(..end)).map(c_string);
        Ok(Self {
            ancestors: ancestors.collect::<Result<Vec<_>, _>>()?,
            path: c_string(path)?,
            mode,
        })
    }
}

impl Mount {
    fn new(spec: &MountSpec) -> Result<Self, Errno> {
        Ok(match spec {
            MountSpec::Tmpfs(path) => Self::Tmpfs(c_string(path)?),
            MountSpec::ReadOnly(path) => Self::ReadOnly(c_string(path)?),
            MountSpec::Bind { source, target } => {
                Self::Bind { source: c_string(source)?, target: c_string(target)? }
            }
            MountSpec::Inaccessible(path) => Self::Inaccessible(c_string(path)?),
        })
    }
}

impl Terminal {
    fn new(spec: &TtySpec) -> Result<Self, Errno> {
        Ok(Self { path: c_string(&spec.path)?, reset: spec.reset })
    }
}

impl Strings {
    fn new(
        strings: impl Iterator<Item = Result<CString, Errno>>,
        room: usize,
    ) -> Result<Self, Errno> {
        let owned = strings.collect::<Result<Vec<_>, _>>()?;
        let capacity = owned.len().saturating_add(room).saturating_add(1);
        let mut pointers = Vec::with_capacity(capacity);
        pointers.extend(owned.iter().map(|string| string.as_ptr()));
        pointers.push(std::ptr::null());
        Ok(Self { _owned: owned, pointers })
    }

    /// What execve takes.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }

    /// Defines a variable once more, or for the first time. Allocates nothing: false if the room
    /// that was set aside is full. `entry` is `NAME=VALUE`.
    ///
    /// # Safety
    /// `entry` must stay as it is for as long as `self`.
    pub(super) unsafe fn define(&mut self, entry: &CStr) -> bool {
        let name = name_of(entry);
        let old = self.pointers.iter().position(|pointer| {
            // SAFETY: by the invariant each pointer that is not null is to a NUL-terminated
            // string that lives as long as `self` or longer.
            !pointer.is_null() && name_of(unsafe { CStr::from_ptr(*pointer) }) == name
        });
        if let Some(slot) = old.and_then(|index| self.pointers.get_mut(index)) {
            *slot = entry.as_ptr();
            return true;
        }
        if self.pointers.len() == self.pointers.capacity() {
            return false;
        }
        if let Some(last) = self.pointers.last_mut() {
            *last = entry.as_ptr();
        }
        self.pointers.push(std::ptr::null());
        true
    }
}

/// The part before the first `=`, which every entry has.
fn name_of(entry: &CStr) -> &[u8] {
    entry.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}
