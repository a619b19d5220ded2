//! On a v2 hierarchy of the machine, whatever its controllers; as root.

use std::os::fd::AsFd;

use super::*;
use crate::inotify::{Inotify, WatchFlags};
use crate::spawn::testing::{Live, order, process, reap, sleeper};
use crate::spawn::{Kin, Spawner};
use crate::testing::{is_root, wait};

/// A group of the test's own, killed and removed afterwards.
pub(crate) struct Nest {
    pub(crate) root: Root,
    name: String,
}

impl Nest {
    /// None, with a word why, where there is no hierarchy that may be written.
    pub(crate) fn new() -> Option<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let root = mount_point().and_then(|path| Root::open(&path).ok());
        let root = root.filter(|root| is_root() && root.is_writable());
        ::tests::needs("a cgroup v2 hierarchy that it may write", root.is_some());
        let root = root?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cooper-sys-{}-{count}", std::process::id());
        root.make(&name).expect("it is writable");
        Some(Self { root, name })
    }

    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}/{below}", self.name)
    }
}

impl Drop for Nest {
    fn drop(&mut self) {
        if let Ok(Some(group)) = self.root.find(&self.name) {
            let _ = group.kill();
            wait_empty(&self.root, &self.name);
        }
        self.root.remove(&self.name).expect("it has no process any more");
    }
}

fn wait_empty(root: &Root, path: &str) {
    let inotify = Inotify::new().unwrap();
    inotify.watch(&root.events(path), WatchFlags::MODIFY).unwrap();
    let group = root.find(path).unwrap().unwrap();
    wait(&inotify, || {
        inotify.drain(|_| ()).unwrap();
        (!group.is_populated().unwrap()).then_some(())
    });
}

fn spawn_in(group: &Group, exec: &[&str]) -> Live {
    let process = process(exec);
    Live::with(&mut Spawner::new(Kin::Child), &order(&process, None), Some(group.as_fd())).unwrap()
}

#[test]
fn groups_are_made_with_their_ancestors_and_removed_with_what_is_below() {
    let Some(nest) = Nest::new() else { return };
    nest.root.make(&nest.path("a/b/c")).unwrap();
    nest.root.make(&nest.path("a/b/c")).unwrap();
    nest.root.make(&nest.path("a/d")).unwrap();
    assert!(nest.root.find(&nest.path("a/b")).unwrap().is_some());
    nest.root.remove(&nest.path("a")).unwrap();
    assert!(nest.root.find(&nest.path("a")).unwrap().is_none());
    nest.root.remove(&nest.path("a")).unwrap();
}

#[test]
fn paths_that_do_not_go_down_are_refused() {
    let Some(nest) = Nest::new() else { return };
    for path in ["", "/", "..", "a/../..", "/etc", "a//b", "."] {
        assert_eq!(nest.root.make(path).unwrap_err().errno(), Errno::INVAL, "{path:?}");
    }
}

#[test]
fn what_is_no_hierarchy_is_refused() {
    assert!(matches!(Root::open(Path::new("/proc")), Err(Error::NotV2 { .. })));
    assert!(matches!(Root::open(Path::new("/nothing")), Err(Error::Open { .. })));
}

#[test]
fn a_controller_that_is_missing_is_named() {
    let Some(nest) = Nest::new() else { return };
    let group = nest.root.make(&nest.path("a")).unwrap();
    let error = group.set("nonsense.max", "1").unwrap_err();
    assert_eq!(error.to_string(), "cannot set nonsense.max: no controller nonsense here");
    let error = group.set("cgroup.freeze", "maybe").unwrap_err();
    assert!(matches!(error, Error::Setting { errno: Errno::INVAL, .. }), "{error}");
    let error = group.set("../cgroup.freeze", "1").unwrap_err();
    assert!(matches!(error, Error::Setting { errno: Errno::INVAL, .. }), "{error}");
    group.set("cgroup.max.depth", "3").unwrap();
    assert_eq!(group.read("cgroup.max.depth").unwrap(), "3\n");
}

#[test]
fn controllers_are_enabled_as_far_as_they_can_be() {
    let Some(nest) = Nest::new() else { return };
    let group = nest.root.make(&nest.path("a")).unwrap();
    assert_eq!(group.enable_controllers(|_| false).unwrap(), []);
    assert_eq!(group.read("cgroup.subtree_control").unwrap().trim(), "");
    let failed = group.enable_controllers(|_| true).unwrap();
    let enabled = group.read("cgroup.subtree_control").unwrap();
    for controller in group.controllers().unwrap() {
        let is_enabled = enabled.split_whitespace().any(|name| name == controller);
        assert_ne!(is_enabled, failed.iter().any(|(name, _)| *name == controller));
    }
}

#[test]
fn controllers_are_enabled_above_a_group_that_needs_them() {
    let Some(nest) = Nest::new() else { return };
    nest.root.make(&nest.path("a/b")).unwrap();
    nest.root.enable_above(&nest.path("a/b"), |_| true).unwrap();
    let enabled = |path| {
        let group = nest.root.find(&nest.path(path)).unwrap().unwrap();
        group.read("cgroup.subtree_control").unwrap().trim().to_owned()
    };
    let above = nest.root.find(&nest.path("a")).unwrap().unwrap();
    assert_eq!(enabled("a"), above.controllers().unwrap().join(" "));
    assert_eq!(enabled("a/b"), "");
    let gone = nest.root.enable_above(&nest.path("nothing/b"), |_| true);
    assert_eq!(gone, Err(Errno::NOENT));
}

#[test]
fn a_process_begins_in_its_group_and_belongs_to_it() {
    let Some(nest) = Nest::new() else { return };
    let group = nest.root.make(&nest.path("a")).unwrap();
    assert!(!group.is_populated().unwrap());
    let live = spawn_in(&group, &["sleep", "1000"]);
    assert!(group.is_populated().unwrap());
    assert_eq!(group.processes().unwrap().into_iter().collect::<Vec<_>>(), [live.pid]);
    let cgroup = crate::process::cgroup_of(live.pid).unwrap();
    assert!(cgroup.ends_with(&nest.path("a")), "{cgroup}");
    let busy = nest.root.remove(&nest.path("a")).unwrap_err();
    assert_eq!(busy.errno(), Errno::BUSY);
}

#[test]
fn a_process_enters_its_group_by_itself_where_clone3_is_refused() {
    let Some(nest) = Nest::new() else { return };
    let group = nest.root.make(&nest.path("a")).unwrap();
    let process = sleeper();
    let mut spawner = Spawner::without_clone3(Kin::Child);
    let live = Live::with(&mut spawner, &order(&process, None), Some(group.as_fd())).unwrap();
    assert_eq!(group.processes().unwrap().into_iter().collect::<Vec<_>>(), [live.pid]);
}

/// Kills a tree of processes that forks all the time, and waits until none is left.
fn kill_forking(kill: impl Fn(&Group) -> Result<(), Errno>) {
    let Some(nest) = Nest::new() else { return };
    let group = nest.root.make(&nest.path("a")).unwrap();
    let below = nest.root.make(&nest.path("a/b")).unwrap();
    let first =
        spawn_in(&group, &["sh", "-c", "trap '' TERM; while :; do sleep 1000 & wait; done"]);
    let second = spawn_in(&below, &["sh", "-c", "while :; do (:); done"]);
    kill(&group).unwrap();
    for live in [&first, &second] {
        assert_eq!(reap(live.pid), 9, "it was killed");
    }
    wait_empty(&nest.root, &nest.path("a"));
    std::mem::forget((first, second));
}

#[test]
fn killing_a_group_leaves_nothing() {
    kill_forking(Group::kill);
}

#[test]
fn killing_a_group_without_cgroup_kill_leaves_nothing() {
    kill_forking(Group::kill_frozen);
}

#[test]
fn a_signal_reaches_all_processes_of_a_group() {
    let Some(nest) = Nest::new() else { return };
    let group = nest.root.make(&nest.path("a")).unwrap();
    let below = nest.root.make(&nest.path("a/b")).unwrap();
    let lives = [
        spawn_in(&group, &["sleep", "1000"]),
        spawn_in(&group, &["sleep", "1000"]),
        spawn_in(&below, &["sleep", "1000"]),
    ];
    group.signal(15).unwrap();
    for live in lives {
        assert_eq!(reap(live.pid), 15);
        std::mem::forget(live);
    }
}

#[test]
fn a_group_that_is_gone_has_no_processes() {
    let Some(nest) = Nest::new() else { return };
    let group = nest.root.make(&nest.path("a")).unwrap();
    nest.root.remove(&nest.path("a")).unwrap();
    assert!(!group.is_populated().unwrap());
    assert_eq!(group.kill(), Ok(()));
    let process = sleeper();
    let spawned =
        Live::with(&mut Spawner::new(Kin::Child), &order(&process, None), Some(group.as_fd()));
    assert_eq!(spawned.err().unwrap().step, unit::Step::Cgroup);
}

#[test]
fn the_mount_is_found_by_its_type() {
    let text = "\
25 30 0:23 / /sys/fs/cgroup rw,nosuid shared:9 - tmpfs tmpfs rw,mode=755
26 25 0:24 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
27 25 0:25 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
";
    assert_eq!(find_mount(text), Some(PathBuf::from("/sys/fs/cgroup/unified")));
    assert_eq!(find_mount("25 30 0:23 / / rw - ext4 /dev/x rw\n"), None);
}
