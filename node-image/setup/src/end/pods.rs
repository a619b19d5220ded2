//! Pods, and what is left of them: every process in kubelet's cgroups, the shims of their
//! containers, and their mounts.
//!
//! kubelet has ended them before, in order and each with its own grace period, if it was told of
//! the shutdown (`login1`). Here is what it has left, or everything, if it was not told.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;
use sys::cgroup::{self, Group};
use sys::inotify::{Inotify, WatchFlags};

use super::{Ending, mounts, processes};
use crate::Root;

/// kubelet's cgroups: its own, and where k3s puts them in a container (node.md, invariant 4).
const GROUPS: [&str; 2] = ["kubepods", "k3s/kubepods"];
/// Containers whose first process ignores SIGTERM are common, so this is spent often. Pods that
/// need more have had it: that is what kubelet's own part is for.
const TERM_PATIENCE: Duration = Duration::from_secs(10);
/// What was killed ends within this, unless the kernel holds it.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// A shim whose container is gone has nothing to finish.
const SHIM_PATIENCE: Duration = Duration::from_secs(2);
/// Numbers of signals.
const TERM: u8 = 15;

/// Ends them.
pub fn end(root: &Root, ending: &mut Ending<'_>) {
    match cgroup::mount_point() {
        Some(hierarchy) => end_groups(&hierarchy, &GROUPS, TERM_PATIENCE, ending),
        None => ending.left("cannot find the pods' processes: no cgroup2 is mounted"),
    }
    end_shims(ending);
    mounts::end(root, ending);
}

/// The groups' processes: all are asked first, then all are killed.
fn end_groups(hierarchy: &Path, names: &[&str], patience: Duration, ending: &mut Ending<'_>) {
    let open = |name: &&str| {
        let hierarchy = cgroup::Root::open(hierarchy).ok()?;
        let group = hierarchy.find(name).ok()??;
        Some((hierarchy.events(name), group))
    };
    let groups: Vec<_> = names.iter().filter_map(open).collect();
    let asked = count(&groups);
    if asked == 0 {
        return ending.note("no process of a pod is left");
    }
    ending.note(format_args!("{asked} processes of pods get SIGTERM"));
    for (_, group) in &groups {
        if let Err(errno) = group.signal(TERM) {
            ending.left(format_args!("cannot signal all of them: {errno}"));
        }
    }
    wait_empty(&groups, patience);
    let stubborn = count(&groups);
    if stubborn == 0 {
        return;
    }
    let seconds = patience.as_secs();
    ending.note(format_args!("{stubborn} of them are there after {seconds} s, and are killed"));
    for (_, group) in &groups {
        if let Err(errno) = group.kill() {
            ending.left(format_args!("cannot kill all of them: {errno}"));
        }
    }
    wait_empty(&groups, KILL_PATIENCE);
    for pid in groups.iter().flat_map(|(_, group)| group.processes().unwrap_or_default()) {
        // A zombie is as good as gone: its parent is about to be.
        if let Some(name) = living(pid) {
            ending.left(format_args!("process {pid} ({name}) does not die"));
        }
    }
}

type Watched = (std::path::PathBuf, Group);

fn count(groups: &[Watched]) -> usize {
    let pids = groups.iter().flat_map(|(_, group)| group.processes().unwrap_or_default());
    pids.filter(|pid| living(*pid).is_some()).collect::<BTreeSet<_>>().len()
}

/// Its name, if it is no zombie.
fn living(pid: u32) -> Option<String> {
    let stat = sys::process::Stat::of(pid).ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    (!stat.is_zombie()).then(|| name.trim_end().to_owned())
}

/// The kernel says when the last process of a group is gone (`cgroup.events`).
fn wait_empty(groups: &[Watched], patience: Duration) {
    let until = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
    let Ok(inotify) = Inotify::new() else { return };
    for (events, _) in groups {
        // One that cannot be watched is looked at when time is up.
        let _ = inotify.watch(events, WatchFlags::MODIFY);
    }
    while Instant::now() < until {
        if groups.iter().all(|(_, group)| !group.is_populated().unwrap_or(false)) {
            return;
        }
        let mut fds = [PollFd::new(&inotify, PollFlags::IN)];
        if processes::wait(&mut fds, until).is_err() || inotify.drain(|_| ()).is_err() {
            return;
        }
    }
}

/// The shims that kubelet's containers belong to; those of other containers, which somebody runs
/// by `ctr` or docker, are not ours to end. They are in the cgroup of containerd or k3s, which kill
/// nothing but themselves.
fn end_shims(ending: &mut Ending<'_>) {
    let (pids, shims): (Vec<_>, Vec<_>) = processes::find(is_shim_of_pod).into_iter().unzip();
    if shims.is_empty() {
        return;
    }
    processes::signal(&shims, Signal::TERM);
    let mut left = shims.len();
    for then in [Some(Signal::KILL), None] {
        let until = Instant::now().checked_add(SHIM_PATIENCE).unwrap_or_else(Instant::now);
        left = processes::wait_all(&shims, until).unwrap_or(left);
        match then {
            Some(signal) if left > 0 => processes::signal(&shims, signal),
            Some(_) | None => break,
        }
    }
    ending.note(format_args!("{} shims of pods are ended", pids.len().saturating_sub(left)));
    if left > 0 {
        ending.left(format_args!("{left} shims do not die, of {pids:?}"));
    }
}

/// `…/containerd-shim-runc-v2 -namespace k8s.io -id …`: kubelet's containers, of containerd and of
/// k3s, are in this namespace.
fn is_shim_of_pod(arguments: &[&[u8]]) -> bool {
    let Some((program, rest)) = arguments.split_first() else { return false };
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let mut pairs = rest.windows(2);
    name.starts_with(b"containerd-shim")
        && pairs.any(|pair| matches!(pair, [b"-namespace" | b"--namespace", b"k8s.io"]))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command, Stdio};

    use sys::cgroup::Root as Cgroups;

    use super::*;

    #[test]
    fn only_kubelets_shims_are_ended() {
        let is = |line: &str| {
            let arguments: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            is_shim_of_pod(&arguments)
        };
        assert!(is("/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id 1 -address a"));
        assert!(is("/var/lib/rancher/k3s/data/x/bin/containerd-shim-runc-v2 -namespace k8s.io"));
        assert!(!is("/usr/bin/containerd-shim-runc-v2 -namespace moby -id k8s.io"));
        assert!(!is("/bin/sh containerd-shim -namespace k8s.io") && !is(""));
    }

    /// Processes in two groups, one of which ignores SIGTERM, deeper down.
    #[test]
    fn all_processes_of_all_groups_end() {
        let hierarchy = cgroup::mount_point().filter(|path| {
            rustix::process::geteuid().is_root() && Cgroups::open(path).unwrap().is_writable()
        });
        ::tests::needs("a cgroup v2 hierarchy that it may write", hierarchy.is_some());
        let Some(hierarchy) = hierarchy else { return };
        let root = Cgroups::open(&hierarchy).unwrap();
        let top = format!("cooper-end-{}", std::process::id());
        let (a, b) = (format!("{top}/a/pod"), format!("{top}/b"));
        let mut polite = child(&root, &a, "echo; exec sleep 1000");
        let mut stubborn = child(&root, &b, "trap '' TERM; echo; exec sleep 1000");
        let mut ending = Ending { what: "pods", is_left: false };
        let groups = [format!("{top}/a"), b, format!("{top}/absent")];
        let groups = groups.each_ref().map(String::as_str);
        end_groups(&hierarchy, &groups, Duration::from_millis(300), &mut ending);
        let signals = [&mut polite, &mut stubborn].map(|child| child.wait().unwrap().signal());
        assert_eq!(signals, [Some(15), Some(9)]);
        assert!(!ending.is_left);
        root.remove(&top).unwrap();
    }

    /// In a group; it has said that it listens.
    fn child(root: &Cgroups, group: &str, script: &str) -> Child {
        let group = root.make(group).unwrap();
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        group.add(child.id()).unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }
}
