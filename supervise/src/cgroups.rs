//! The cgroups of services: `/system/NAME` and the like, below the root that this tree manages.
//!
//! Where there is no cgroup v2 to write to, everything works without: a service is then the
//! session of its main process, and a process that leaves that is not found again.

use std::path::{Path, PathBuf};

use graph::CgroupSpec;
use sys::cgroup::{Error, Group, Root};
use tracing::{debug, info, warn};
use unit::{SpawnError, Step};
use wire::link::Role;

use crate::prepare::error_number;

/// Where the main process of a service with cgroups of its own is.
const MAIN: &str = "main";

/// The hierarchy, if there is one.
#[derive(Debug)]
pub struct Cgroups {
    root: Option<Root>,
}

impl Cgroups {
    /// Looks at `root`, and passes every controller on to the cgroups below it. None: wherever the
    /// kernel has it, unless this is a tree within a tree, which must not write into its owner's.
    pub fn open(root: Option<&Path>, role: Role) -> Self {
        let found = match (root, role) {
            (Some(root), _) => Some(root.to_owned()),
            (None, Role::Machine | Role::Container) => sys::cgroup::mount_point(),
            (None, Role::Subtree) => None,
        };
        let root = found.and_then(|path| Root::open(&path).ok()).filter(Root::is_writable);
        match &root {
            Some(root) => match root.group().enable_controllers(|_| true) {
                Ok(refused) => {
                    for (controller, errno) in refused {
                        warn!("cannot enable the cgroup controller {controller}: {errno}");
                    }
                }
                Err(errno) => warn!("cannot enable cgroup controllers: {errno}"),
            },
            None => info!("no cgroup v2 to write to: services have no cgroups"),
        }
        Self { root }
    }

    /// The cgroup for a new process, made and set up; none where there are no cgroups.
    ///
    /// One that is there and empty is made anew. It may have been killed, and Linux 6.14 and later
    /// kill whatever is cloned into a cgroup that has ever been: they compare the count of kills
    /// of the parent's cgroup with that of the child's (`kill_seq` in kernel/cgroup/cgroup.c).
    pub fn enter(&self, spec: &CgroupSpec) -> Result<Option<Group>, SpawnError> {
        let Some(root) = &self.root else { return Ok(None) };
        let fail = |error: Error| {
            warn!("{error}");
            SpawnError { step: Step::Cgroup, errno: error_number(error.errno()) }
        };
        let (group, is_new) = match root.make_new(&spec.path).map_err(fail)? {
            Some(group) => (group, true),
            None => {
                let populated = self.find(spec).map(|group| group.is_populated());
                if populated == Some(Ok(false)) {
                    self.remove(spec);
                }
                (root.make(&spec.path).map_err(fail)?, populated != Some(Ok(true)))
            }
        };
        if is_new {
            for (key, value) in &spec.settings {
                match set(root, &group, spec, key, value) {
                    Ok(()) => {}
                    // A kernel or container without the controller runs the service without it.
                    Err(error @ Error::Controller { .. }) => warn!("{error}"),
                    Err(error) => return Err(fail(error)),
                }
            }
        }
        if !spec.delegate {
            return Ok(Some(group));
        }
        // It is for the service to say what it needs of all that there is.
        if let Err(errno) = root.enable_above(&spec.path, |_| true) {
            warn!("cannot enable cgroup controllers for {}: {errno}", spec.path);
        }
        root.make(&format!("{}/{MAIN}", spec.path)).map(Some).map_err(fail)
    }

    /// Writes the settings of a cgroup that is there.
    pub fn set(&self, spec: &CgroupSpec) {
        let (Some(root), Some(group)) = (&self.root, self.find(spec)) else { return };
        for (key, value) in &spec.settings {
            if let Err(error) = set(root, &group, spec, key, value) {
                warn!("{error}");
            }
        }
    }

    /// A service's cgroup; none if it has none, now or ever.
    pub fn find(&self, spec: &CgroupSpec) -> Option<Group> {
        match self.root.as_ref()?.find(&spec.path) {
            Ok(group) => group,
            Err(error) => {
                warn!("{error}");
                None
            }
        }
    }

    /// There are cgroups.
    pub fn exist(&self) -> bool {
        self.root.is_some()
    }

    /// The file whose changes tell that the last process is gone.
    pub fn events(&self, spec: &CgroupSpec) -> Option<PathBuf> {
        Some(self.root.as_ref()?.events(&spec.path))
    }

    /// Removes what a service has left, unless something runs there.
    pub fn remove(&self, spec: &CgroupSpec) {
        if let Some(Err(error)) = self.root.as_ref().map(|root| root.remove(&spec.path)) {
            debug!("{error}");
        }
    }
}

/// Writes one setting; its controller is enabled when it is the first one to need it.
fn set(root: &Root, group: &Group, spec: &CgroupSpec, key: &str, value: &str) -> Result<(), Error> {
    match group.set(key, value) {
        Err(Error::Controller { controller, .. }) => {
            // What cannot be enabled is missing once more.
            let _ = root.enable_above(&spec.path, |name| name == controller);
            group.set(key, value)
        }
        set => set,
    }
}
