//! Where things are: the system's tree, a user's tree, or wherever the environment says.

use std::{
    env,
    path::{Path, PathBuf},
};

use wire::paths;

/// Every place that `svc` reads or writes.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Everything live.
    pub run: PathBuf,
    /// Compiled graphs.
    pub graphs: PathBuf,
    /// Log files.
    pub logs: PathBuf,
    /// Service files, the later wins whole.
    pub services: Vec<PathBuf>,
    /// Where `profiles` and `hardware` are, the later wins whole.
    pub facts: Vec<PathBuf>,
    /// The node's own settings.
    pub node: PathBuf,
}

impl Paths {
    /// The system's, or the user's own tree; the environment has the last word.
    pub fn new(user: bool) -> Self {
        let base = if user { Self::of_user() } else { Self::of_system() };
        let path = |name: &str, default: PathBuf| env::var_os(name).map_or(default, PathBuf::from);
        let list = |name: &str, default: Vec<PathBuf>| {
            env::var_os(name).map_or(default, |list| env::split_paths(&list).collect())
        };
        Self {
            run: env::var_os("COOPER_RUN").map_or(base.run, PathBuf::from),
            graphs: path("COOPER_GRAPHS", base.graphs),
            logs: path("COOPER_LOGS", base.logs),
            services: list("COOPER_SERVICES", base.services),
            facts: list("COOPER_FACTS", base.facts),
            node: path("COOPER_NODE", base.node),
        }
    }

    fn of_system() -> Self {
        Self {
            // A container's tree is wherever there was room for it.
            run: sys::run_dir::find().unwrap_or_else(|| paths::RUN.into()),
            graphs: paths::GRAPHS.into(),
            logs: paths::LOGS.into(),
            services: paths::SERVICES.map(PathBuf::from).into(),
            facts: paths::FACTS.map(PathBuf::from).into(),
            node: paths::NODE.into(),
        }
    }

    /// As the XDG base directory specification has it.
    fn of_user() -> Self {
        let home = env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let xdg = |name: &str, default: &str| {
            env::var_os(name).map_or_else(|| home.join(default), PathBuf::from).join("cooper")
        };
        let config = xdg("XDG_CONFIG_HOME", ".config");
        let state = xdg("XDG_STATE_HOME", ".local/state");
        let run = xdg("XDG_RUNTIME_DIR", ".local/run");
        Self {
            graphs: state.join("graph"),
            logs: state.join("log"),
            services: vec![config.join("services"), run.join("services")],
            node: config.join("node.toml"),
            facts: vec![config],
            run,
        }
    }

    /// The state table.
    pub fn state(&self) -> PathBuf {
        self.run.join(paths::STATE)
    }

    /// The graph in force.
    pub fn graph(&self) -> PathBuf {
        self.run.join(paths::GRAPH)
    }

    /// The graph that is to be in force.
    pub fn next(&self) -> PathBuf {
        self.run.join(paths::NEXT)
    }

    /// The Varlink socket.
    pub fn control(&self) -> PathBuf {
        self.run.join(paths::CONTROL)
    }

    /// Where an admin's own files go: the last directory but the one that a boot forgets.
    pub fn own_services(&self) -> Option<&Path> {
        let lasts = |path: &&PathBuf| !path.starts_with(&self.run) && !path.starts_with("/run");
        let found = self.services.iter().rev().find(lasts);
        found.or(self.services.last()).map(PathBuf::as_path)
    }
}
