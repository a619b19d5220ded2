//! Section `filesystems`: what /etc/fstab lists is checked and mounted, by the image's own fsck(8)
//! and mount(8).
//!
//! A mount point that is missing is made, as systemd does. What is mounted already is left, but for
//! a root that is to be written to. What needs the network is mounted later, by the service
//! `netmounts`.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};

use facts::section::Empty;

use crate::fstab::{self, Entry};
use crate::looked::{self, Looked};
use crate::mountinfo::{self, MountPoint};
use crate::{Finding, Need, Report, Root, tools};

enum Step {
    Mount(Entry),
    /// The root, to be written to.
    Remount,
}

/// How each stands.
#[must_use]
pub fn inspect(_: &Empty, root: &Root) -> Vec<Finding> {
    looked::findings(look(root, |_| true))
}

/// Checks what is not mounted, or only to be read, and mounts it.
pub fn apply(_: &Empty, root: &Root, report: &mut Report<'_>) {
    let bad = check(root, report);
    looked::settle(look(root, |entry| !bad.contains(entry)), report, |step| {
        let at = match step {
            Step::Mount(entry) => &entry.at,
            Step::Remount => "/",
        };
        mount(step, at, root).map_err(|why| format!("mount {at}: {why}"))
    });
}

fn mount(step: &Step, at: &str, root: &Root) -> Result<(), String> {
    let mut command = Command::new("mount");
    match step {
        Step::Mount(_) => {
            // Where that cannot be, mount says why.
            let _ = fs::create_dir_all(root.path(at));
            command.arg(at)
        }
        Step::Remount => command.args(["-o", "remount,rw", at]),
    };
    tools::run(&mut command)?;
    // With `nofail` it succeeds without a device, and says nothing.
    let mounts = mountinfo::read(root).unwrap_or_default();
    match (mountinfo::top(&mounts, at), step) {
        (None, Step::Mount(entry)) => Err(format!("there is no {}", entry.device)),
        (_, Step::Mount(_) | Step::Remount) => Ok(()),
    }
}

fn look(root: &Root, is_sound: impl Fn(&Entry) -> bool) -> Vec<Looked<Step>> {
    let mounts = mountinfo::read(root).unwrap_or_default();
    let entries = ours(root).into_iter().filter(is_sound);
    entries.map(|entry| look_at(entry, &mounts)).collect()
}

fn look_at(entry: Entry, mounts: &[MountPoint]) -> Looked<Step> {
    let need = need(&entry);
    match mountinfo::top(mounts, &entry.at) {
        Some(_) if is_to_be_written(&entry, mounts) => {
            Looked::differs("/", "read-only", "read-write", need, Step::Remount)
        }
        Some(mount) => Looked::holds(entry.at, mount.source.clone(), need),
        None => {
            let (subject, device) = (entry.at.clone(), entry.device.clone());
            Looked::differs(subject, "not mounted", device, need, Step::Mount(entry))
        }
    }
}

/// What this section is about.
fn ours(root: &Root) -> Vec<Entry> {
    let is_ours = |it: &Entry| !it.is_swap() && !it.is_left_alone() && !it.is_remote();
    fstab::read(root).into_iter().filter(is_ours).collect()
}

fn need(entry: &Entry) -> Need {
    Need {
        why: String::new(),
        source: "fstab(5)".to_owned(),
        by: vec!["/etc/fstab".to_owned()],
        is_optional: entry.has("nofail"),
    }
}

/// The root is mounted to be read only, as a kernel does without being told otherwise, and fstab
/// does not want it so.
fn is_to_be_written(entry: &Entry, mounts: &[MountPoint]) -> bool {
    let is_read_only = |mount: &MountPoint| mount.has("ro");
    entry.at == "/" && !entry.has("ro") && mountinfo::top(mounts, "/").is_some_and(is_read_only)
}

/// Checks what is to be mounted; those of one pass at the same time, the root first. Returns those
/// that must not be.
fn check(root: &Root, report: &mut Report<'_>) -> Vec<Entry> {
    let mounts = mountinfo::read(root).unwrap_or_default();
    let is_due = |entry: &Entry| {
        let is_mounted = mountinfo::top(&mounts, &entry.at).is_some();
        entry.pass > 0 && (!is_mounted || is_to_be_written(entry, &mounts))
    };
    let mut due: Vec<Entry> = ours(root).into_iter().filter(is_due).collect();
    due.sort_by_key(|entry| entry.pass);
    let mut bad = Vec::new();
    for pass in due.chunk_by(|one, other| one.pass == other.pass) {
        let started: Vec<_> = pass.iter().map(|entry| (entry, start(entry))).collect();
        for (entry, child) in started {
            let ended = child.and_then(|mut child| child.wait().map_err(|error| error.to_string()));
            if !judge(entry, ended, report) {
                bad.push(entry.clone());
            }
        }
    }
    bad
}

/// What it says goes to the service's log.
fn start(entry: &Entry) -> Result<Child, String> {
    let mut command = Command::new("fsck");
    // -T: no title. -a: mend what can be mended without a question.
    command.args(["-T", "-a", &entry.device]).stdin(Stdio::null());
    command.spawn().map_err(|error| tools::not_run("fsck", &error))
}

/// Whether it may be mounted.
fn judge(entry: &Entry, ended: Result<ExitStatus, String>, report: &mut Report<'_>) -> bool {
    let need = need(entry);
    let Entry { device, at, .. } = entry;
    let status = match ended {
        Ok(status) => status,
        Err(reason) => {
            // Most of them check themselves when they are mounted.
            report.note(&format_args!("cannot check {device}: {reason}; it is mounted as it is"));
            return true;
        }
    };
    match verdict(status.code()) {
        Verdict::Sound => report.holds(),
        Verdict::Mended => report.changed(device, "with errors", "mended", &need),
        Verdict::Bad(reason) => {
            report.failed(&format_args!("cannot mount {device} on {at}: {reason}"), &need);
            return false;
        }
    }
    true
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Sound,
    Mended,
    Bad(&'static str),
}

/// fsck(8), EXIT STATUS: a sum of these.
fn verdict(code: Option<i32>) -> Verdict {
    let Some(code) = code else { return Verdict::Bad("fsck was killed") };
    let has = |bit: i32| code & bit != 0;
    if has(4) {
        Verdict::Bad("fsck left errors: run it by hand, without -a")
    } else if has(2) {
        Verdict::Bad("fsck has changed what is in use: restart the machine (svc reboot)")
    } else if has(8) || has(128) {
        Verdict::Bad("fsck could not look at it; is the device there?")
    } else if has(16) {
        Verdict::Bad("this fsck does not take -T -a")
    } else if has(32) {
        Verdict::Bad("fsck was interrupted")
    } else if has(1) {
        Verdict::Mended
    } else {
        Verdict::Sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::Machine;

    const FSTAB: &str = "UUID=1 / ext4 defaults 0 1\nUUID=2 /data ext4 nofail 0 2\n\
                         /dev/sdc /x xfs defaults 0 0\nsrv:/n /n nfs ro\n/dev/sdd none swap sw\n";

    fn found(mountinfo: &str) -> Vec<(String, State, bool)> {
        let files = [("/etc/fstab", FSTAB), ("/proc/self/mountinfo", mountinfo)];
        let found = inspect(&Empty {}, &Machine::new(&files).root());
        found.into_iter().map(|it| (it.subject, it.state, it.need.is_optional)).collect()
    }

    #[test]
    fn what_is_mounted_holds_and_a_root_is_to_be_written_to() {
        let mounts = "1 1 8:1 / / ro - ext4 /dev/sda1 ro\n2 1 8:2 / /data rw - ext4 /dev/sdb rw\n";
        let [(_, root, _), (_, data, _), (_, x, _)] = &found(mounts)[..] else { panic!("three") };
        assert!(matches!(root, State::Differs { wanted, .. } if wanted == "read-write"));
        assert_eq!(*data, State::Holds("/dev/sdb".to_owned()));
        assert!(matches!(x, State::Differs { wanted, .. } if wanted == "/dev/sdc"));
    }

    #[test]
    fn nofail_makes_it_optional() {
        let found = found("");
        let optional: Vec<bool> =
            found.into_iter().map(|(_, _, is_optional)| is_optional).collect();
        assert_eq!(optional, [false, true, false]);
    }

    #[test]
    fn the_exit_status_of_fsck_is_understood() {
        assert_eq!(verdict(Some(0)), Verdict::Sound);
        assert_eq!(verdict(Some(1)), Verdict::Mended);
        for (code, word) in
            [(2, "restart"), (3, "restart"), (4, "by hand"), (5, "by hand"), (6, "by hand")]
        {
            let Verdict::Bad(reason) = verdict(Some(code)) else { panic!("{code}") };
            assert!(reason.contains(word), "{code}: {reason}");
        }
        for code in [Some(8), Some(9), Some(16), Some(32), Some(128), None] {
            assert!(matches!(verdict(code), Verdict::Bad(_)), "{code:?}");
        }
    }
}
