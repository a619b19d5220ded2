//! Where this tree keeps its things. The system's tree has the paths of `wire::paths`; a user's
//! tree, a container or a test moves them by environment variables.

use std::env;
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use wire::paths;

use crate::container::CONTAINER;

/// The kernel's own table of what a node was started with.
const COMMAND_LINE: &str = "/proc/cmdline";

/// The paths of one tree.
#[derive(Clone, Debug)]
pub struct Places {
    /// Everything live.
    pub run: PathBuf,
    /// Compiled graphs.
    pub graphs: PathBuf,
    /// Our own programs.
    pub libexec: PathBuf,
    /// The cgroup below which services get theirs, if somebody said.
    pub cgroup: Option<PathBuf>,
    /// A graph that is to be used instead of the one on disk.
    pub graph: Option<PathBuf>,
    /// What is to be up.
    pub target: Target,
    /// Finer events are to be told, too.
    pub debug: bool,
    /// Output is init's own, and services have the environment and the limits of init: an engine
    /// has made all that, and keeps what is said.
    pub container: bool,
    /// There is a main service.
    pub has_main: bool,
}

/// What is to be up after the first start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Nobody said: `default`, or everything if there is no such service.
    Default,
    /// This one.
    Named(String),
    /// The built-in rescue graph, whatever is on disk (`single`).
    Rescue,
}

impl Places {
    /// From the environment, and from the kernel's command line if this is a machine's own tree.
    /// `has_main`: there is a command.
    pub fn find(machine: bool, has_main: bool) -> Self {
        let variable = |name: &str, otherwise: &str| {
            env::var_os(name).map_or_else(|| PathBuf::from(otherwise), PathBuf::from)
        };
        let words = if machine { words(Path::new(COMMAND_LINE)) } else { Vec::new() };
        let option = |name: &str| words.iter().rev().find_map(|word| word.strip_prefix(name));
        let named = option("cooper.target=").map(str::to_owned);
        let target = named.or_else(|| env::var("COOPER_TARGET").ok());
        Self {
            run: env::var_os("COOPER_RUN").map_or_else(|| run(machine), PathBuf::from),
            graphs: variable("COOPER_GRAPHS", paths::GRAPHS),
            libexec: variable("COOPER_LIBEXEC", paths::LIBEXEC),
            cgroup: env::var_os("COOPER_CGROUP").map(PathBuf::from),
            graph: option("cooper.graph=")
                .map(PathBuf::from)
                .or_else(|| env::var_os("COOPER_GRAPH").map(PathBuf::from)),
            container: has_main || (!machine && env::var_os(CONTAINER).is_some()),
            has_main,
            debug: words.iter().any(|word| word == "cooper.debug")
                || env::var_os("COOPER_DEBUG").is_some(),
            target: match target {
                Some(name) if name == "rescue" => Target::Rescue,
                Some(name) => Target::Named(name),
                None if words.iter().any(|word| word == "single") => Target::Rescue,
                None => Target::Default,
            },
        }
    }

    /// A path below [`Places::run`].
    pub fn below(&self, name: impl AsRef<Path>) -> PathBuf {
        self.run.join(name)
    }

    /// The FIFO that takes a service's output.
    pub fn log(&self, name: &str) -> PathBuf {
        self.run.join(paths::LOG).join(name)
    }

    /// The FIFO that a service reads, if others log to it.
    pub fn input(&self, name: &str) -> PathBuf {
        self.run.join(paths::INPUT).join(name)
    }

    /// The FIFO for readiness by newline.
    pub fn ready(&self, name: &str) -> PathBuf {
        self.run.join(paths::READY).join(name)
    }
}

/// A machine has a /run; elsewhere, what can be written.
fn run(machine: bool) -> PathBuf {
    let made = if machine { None } else { sys::run_dir::make().ok() };
    made.unwrap_or_else(|| paths::RUN.into())
}

/// The words of a kernel command line.
pub fn words(path: impl AsRef<Path>) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// A path as text for messages and for interfaces that take text.
pub fn text(path: &(impl AsRef<OsStr> + ?Sized)) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

/// "cannot VERB OBJECT: reason".
pub fn cannot(verb: &str, path: &Path, why: impl Display) -> String {
    format!("cannot {verb} {}: {why}", path.display())
}
