//! Section `mounts`: the file systems that the kernel itself offers, where daemons look for them,
//! with their options, and shared where what is mounted in one place must show in another.
//!
//! init has mounted what it needs before anything runs; here are the others, and what init, an
//! initramfs or a distribution did otherwise is put right. A file system of another type is never
//! covered or unmounted: somebody wanted it there.

mod options;
mod types;

#[cfg(test)]
mod tests;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use facts::Mount;
use facts::section::Mounts;
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount,
};

use self::options::Options;
use self::types::Types;
use crate::mountinfo::{self, MountPoint};
use crate::{Finding, Need, Report, Root, State, modules};

/// The table's word for "whatever is mounted there", or whatever the path lies in.
const ANY: &str = "any";
/// … and for a directory that is mounted on itself.
const BIND: &str = "bind";
/// `S_ISVTX`
const STICKY: u32 = 0o1000;

/// What set-up can do about a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Mount it; first load the module that brings its type, if there is one to load.
    Mount {
        /// An alias of the module: `fs-configfs`.
        module: Option<String>,
    },
    /// Mount it again with these options.
    Remount(Options),
    /// Give its root this mode.
    Mode(u32),
    /// Share what is mounted below it.
    Share,
}

/// How each entry stands.
#[must_use]
pub fn inspect(table: &Mounts, root: &Root) -> Vec<Finding> {
    let mounts = mountinfo::read(root).unwrap_or_default();
    let types = Types::of(table, root);
    let finding = |entry: &Mount| {
        let (state, _) = look(&located(entry, &mounts), &mounts, &types, root);
        Finding { subject: entry.at.clone(), state, need: entry.into() }
    };
    table.mounts.iter().map(finding).collect()
}

/// Mounts what is missing, and puts right what is not as it should be.
pub fn apply(table: &Mounts, root: &Root, report: &mut Report<'_>) {
    let mut mounts = mountinfo::read(root).unwrap_or_default();
    let types = Types::of(table, root);
    let mut unknown = Vec::new();
    for entry in &table.mounts {
        let need = Need::from(entry);
        let about = located(entry, &mounts);
        match look(&about, &mounts, &types, root) {
            (State::Holds(_), _) => report.holds(),
            (State::Differs { is, wanted }, steps) => {
                match steps.iter().try_for_each(|step| take(step, &about, root)) {
                    Ok(()) => report.changed(&entry.at, &is, &wanted, &need),
                    Err(reason) => report.failed(&format_args!("cannot {reason}"), &need),
                }
                // What is shared at the root is shared below it.
                mounts = mountinfo::read(root).unwrap_or_default();
            }
            (State::Cannot(_), _) if entry.optional && !is_mounted(entry, &mounts) => {
                unknown.push(entry.at.as_str());
            }
            (State::Cannot(reason) | State::Hidden(reason), _) => {
                report.failed(&format_args!("cannot mount {}: {reason}", entry.at), &need);
            }
        }
    }
    if !unknown.is_empty() {
        report.note(&format_args!("not of this kernel or machine: {}", unknown.join(" ")));
    }
}

/// An entry that takes whatever is there is about the mount that its path lies in.
fn located(entry: &Mount, mounts: &[MountPoint]) -> Mount {
    let holder = (entry.fstype == ANY).then(|| mountinfo::holding(mounts, &entry.at)).flatten();
    match holder {
        Some(mount) => Mount { at: mount.at.clone(), ..entry.clone() },
        None => entry.clone(),
    }
}

fn is_mounted(entry: &Mount, mounts: &[MountPoint]) -> bool {
    mountinfo::top(mounts, &entry.at).is_some()
}

/// How one entry stands, and the steps that make it true.
fn look(entry: &Mount, mounts: &[MountPoint], types: &Types, root: &Root) -> (State, Vec<Step>) {
    let is_any = matches!(entry.fstype.as_str(), ANY | BIND);
    match mountinfo::top(mounts, &entry.at) {
        Some(mount) if is_any || mount.fstype == entry.fstype => mounted(entry, mount, root),
        Some(mount) => {
            let (is, wanted) = (&mount.fstype, &entry.fstype);
            let reason = format!("{is} is mounted there, not {wanted}; it is left");
            (State::Cannot(reason), Vec::new())
        }
        None => missing(entry, types, root),
    }
}

fn mounted(entry: &Mount, mount: &MountPoint, root: &Root) -> (State, Vec<Step>) {
    let (wanted, is) = (Options::of(entry.options.split(',')), Options::of_mount(mount));
    let mut steps = Vec::new();
    let (mut lacks, mut has) = (Vec::new(), Vec::new());
    let missing = wanted.missing_in(&entry.fstype, &is);
    if !missing.is_empty() {
        steps.push(Step::Remount(wanted.over(&is)));
        lacks.push(missing.join(","));
        has.push(mount.options.join(","));
    }
    let metadata = fs::metadata(root.path(&entry.at));
    let mode = metadata.map(|metadata| metadata.permissions().mode() & 0o7777).ok();
    if let (Some(wanted), Some(mode)) = (wanted.mode(&entry.fstype), mode) {
        // Some file systems are born with the sticky bit, whatever mode they are given.
        if wanted != mode && wanted | STICKY != mode {
            steps.push(Step::Mode(wanted));
            lacks.push(format!("mode={wanted:o}"));
            has.push(format!("mode={mode:o}"));
        }
    }
    if entry.shared && !mount.is_shared {
        steps.push(Step::Share);
        lacks.push("shared".to_owned());
        has.push("private".to_owned());
    }
    let state = match steps.is_empty() {
        true => State::Holds(format!("{} ({})", mount.fstype, mount.options.join(","))),
        false => State::Differs { is: has.join(" "), wanted: lacks.join(" ") },
    };
    (state, steps)
}

fn missing(entry: &Mount, types: &Types, root: &Root) -> (State, Vec<Step>) {
    let cannot = |reason: &str| (State::Cannot(reason.to_owned()), Vec::new());
    let Mount { at, fstype, .. } = entry;
    if fstype.as_str() == ANY {
        return cannot("nothing is mounted there");
    }
    let module = types.module(fstype);
    if fstype.as_str() != BIND && !types.is_known(fstype) && module.is_none() {
        return cannot("this kernel has no such file system");
    }
    // The kernel makes its own directories, some of them when the module is loaded; not those of
    // a firmware that the machine has not.
    let is_kernels = at.starts_with("/sys/") || at.starts_with("/proc/");
    let is_firmwares = at.starts_with("/sys/firmware/");
    if is_kernels && (module.is_none() || is_firmwares) && !root.exists(at) {
        return cannot("there is no such directory on this machine");
    }
    if entry.optional && fstype == "tmpfs" && has_files(root, at) {
        return cannot("it has files, which would be hidden; it is left until the next boot");
    }
    let wanted = format!("{fstype} ({})", entry.options);
    let mut steps = vec![Step::Mount { module }];
    steps.extend(entry.shared.then_some(Step::Share));
    (State::Differs { is: "not mounted".to_owned(), wanted }, steps)
}

fn has_files(root: &Root, at: &str) -> bool {
    fs::read_dir(root.path(at)).is_ok_and(|mut entries| entries.next().is_some())
}

/// Does it; otherwise says "VERB OBJECT: reason".
fn take(step: &Step, entry: &Mount, root: &Root) -> Result<(), String> {
    let at = root.path(&entry.at);
    let say = |verb: &str, error: &dyn std::fmt::Display| format!("{verb} {}: {error}", entry.at);
    match step {
        Step::Mount { module } => {
            if let Some(module) = module {
                modules::load_now(module, root).map_err(|reason| say("mount", &reason))?;
            }
            mount_new(entry, root).map_err(|error| say("mount", &error))
        }
        Step::Remount(options) => {
            again(entry, options, root).map_err(|error| say("remount", &error))
        }
        Step::Mode(mode) => fs::set_permissions(&at, Permissions::from_mode(*mode))
            .map_err(|error| say("change the mode of", &error)),
        Step::Share => {
            let flags = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
            mount_change(&at, flags).map_err(|error| say("share what is mounted below", &error))
        }
    }
}

fn mount_new(entry: &Mount, root: &Root) -> io::Result<()> {
    let Mount { at, fstype, device, .. } = entry;
    let target = root.path(at);
    if !target.exists() {
        let mode = entry.mode.as_deref().and_then(|mode| u32::from_str_radix(mode, 8).ok());
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(mode.unwrap_or(0o755)).create(&target)?;
    }
    if fstype == BIND {
        let source = device.as_ref().map_or_else(|| target.clone(), |device| root.path(device));
        return Ok(mount_bind(source, &target)?);
    }
    let options = Options::of(entry.options.split(','));
    let device = device.as_deref().unwrap_or(fstype);
    let data = c_string(&options.data())?;
    Ok(mount(device, &target, fstype.as_str(), options.flags, data.as_c_str())?)
}

/// Flags belong to the mount, other options to its file system, which may have other mounts: it is
/// left alone when only flags are missing.
fn again(entry: &Mount, options: &Options, root: &Root) -> io::Result<()> {
    let at = root.path(&entry.at);
    let mounts = mountinfo::read(root)?;
    let is = mountinfo::top(&mounts, &entry.at).map(Options::of_mount);
    let flags = options.flags;
    let wanted = Options::of(entry.options.split(','));
    let is_own_missing = is.is_none_or(|is| {
        let missing = Options { flags: MountFlags::empty(), ..wanted.clone() };
        !missing.missing_in(&entry.fstype, &is).is_empty()
    });
    if !is_own_missing {
        return Ok(mount_remount(&at, flags | MountFlags::BIND, c"")?);
    }
    let all = c_string(&options.data())?;
    match mount_remount(&at, flags, all.as_c_str()) {
        // The kernel shows options that it does not take back.
        Err(Errno::INVAL) => Ok(mount_remount(&at, flags, c_string(&wanted.data())?.as_c_str())?),
        done => Ok(done?),
    }
}

fn c_string(text: &str) -> io::Result<std::ffi::CString> {
    Ok(std::ffi::CString::new(text)?)
}
