//! What the node keeps: the partition `data`, which becomes `/var` and what is written over `/etc`.
//!
//! The image has what `/var` begins with in `/usr/share/factory/var`. Whenever another image boots
//! than before, what is missing is copied, and the graph is compiled anew: from the services of
//! this image and of the administrator. An image whose services do not go with the administrator's
//! comes up with its own, and says so.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_bind};

use super::console::Console;
use crate::disk::partition::{self, Partition};
use crate::{Root, tools};

/// The label of the partition, and what is on it.
const DATA: &str = "data";
const DATA_FSTYPE: &str = "ext4";
/// What `/var` begins with.
const FACTORY: &str = "/usr/share/factory/var";
/// Which image this is, as its maker says, and which one booted before.
const IMAGE: &str = "/usr/share/factory/image";
const IMAGE_BEFORE: &str = "/var/lib/cooper/image";
/// What is written over `/etc`.
const UPPER: &str = "/var/lib/cooper/etc/upper";
const WORK: &str = "/var/lib/cooper/etc/work";
/// Directories of the root that are written to, and are `/var/NAME`.
const WRITTEN: [&str; 5] = ["home", "mnt", "opt", "root", "srv"];
/// Graphs, and what the image's own is called.
const GRAPHS: &str = "/var/lib/cooper/graph";
const OWN: &str = "image";
const ANEW: &str = "upgraded";

/// Mounts it all.
pub fn set_up(root: &Partition, console: &mut Console) -> Result<(), String> {
    mount_data(root, console)?;
    let is_new = fs::read(IMAGE).ok() != fs::read(IMAGE_BEFORE).ok();
    if is_new {
        let missing = copy_missing(Path::new(FACTORY), Path::new("/var"));
        missing.map_err(|error| format!("cannot fill /var from {FACTORY}: {error}"))?;
    }
    lay_over_etc().map_err(|error| format!("cannot lay {UPPER} over /etc: {error}"))?;
    for name in WRITTEN {
        if let Err(error) = bind(name) {
            console.warn(&format_args!("cannot mount /var/{name} on /{name}: {error}"));
        }
    }
    if is_new {
        put_graph_in_force(console).map_err(|error| format!("cannot write {GRAPHS}: {error}"))?;
        // Last of all: what was broken off begins anew.
        if let Err(error) = fs::copy(IMAGE, IMAGE_BEFORE) {
            console.warn(&format_args!("cannot write {IMAGE_BEFORE}: {error}"));
        }
    }
    Ok(())
}

/// It is on the disk of the root. A disk without one is that of a machine that keeps nothing.
fn mount_data(root: &Partition, console: &mut Console) -> Result<(), String> {
    let partitions = partition::all(&Root::default());
    let is_data = |it: &&Partition| it.disk == root.disk && it.label.as_deref() == Some(DATA);
    let (device, fstype) = match partitions.iter().find(is_data) {
        Some(data) => (data.device(), DATA_FSTYPE),
        None => {
            console.warn(&format_args!("{} has no partition {DATA}: nothing is kept", root.disk));
            ("tmpfs".to_owned(), "tmpfs")
        }
    };
    if fstype == DATA_FSTYPE {
        check(&device, console)?;
    }
    // Without nosuid and nodev: images of containers are unpacked here, and run.
    mount(&*device, "/var", fstype, MountFlags::empty(), c"")
        .map_err(|errno| format!("cannot mount {device} on /var: {errno}"))
}

/// By the image's own fsck(8), before anything is on it. What it cannot mend is not written to.
fn check(device: &str, console: &mut Console) -> Result<(), String> {
    match tool("e2fsck").args(["-p", device]).output() {
        Ok(output) if output.status.code().is_some_and(|code| code < 4) => Ok(()),
        Ok(output) => Err(format!(
            "e2fsck -p {device} left errors ({}): mend it by hand, from another system",
            tools::words(&output)
        )),
        Err(error) => {
            console
                .warn(&format_args!("cannot check {device}: {}", tools::not_run("e2fsck", &error)));
            Ok(())
        }
    }
}

/// A program of the root. The kernel gives its process 1 no `PATH`.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// What is there is the node's, and stays.
fn copy_missing(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !target.exists() {
                fs::create_dir(&target)?;
                fs::set_permissions(&target, entry.metadata()?.permissions())?;
            }
            if target.is_dir() {
                copy_missing(&source, &target)?;
            }
        } else if fs::symlink_metadata(&target).is_err() {
            match kind.is_symlink() {
                true => symlink(fs::read_link(&source)?, &target)?,
                false => fs::copy(&source, &target).map(drop)?,
            }
        }
    }
    Ok(())
}

fn lay_over_etc() -> io::Result<()> {
    for directory in [UPPER, WORK] {
        fs::create_dir_all(directory)?;
    }
    let options = std::ffi::CString::new(format!("lowerdir=/etc,upperdir={UPPER},workdir={WORK}"))?;
    Ok(mount("overlay", "/etc", "overlay", MountFlags::empty(), options.as_c_str())?)
}

fn bind(name: &str) -> io::Result<()> {
    let (from, at) = (format!("/var/{name}"), format!("/{name}"));
    if !Path::new(&at).is_dir() {
        return Ok(());
    }
    if !Path::new(&from).exists() {
        fs::create_dir(&from)?;
        fs::set_permissions(&from, fs::metadata(&at)?.permissions())?;
    }
    Ok(mount_bind(from, at)?)
}

/// The image's graph, or one that has the administrator's services as well.
fn put_graph_in_force(console: &mut Console) -> io::Result<()> {
    let own = format!("{FACTORY}/lib/cooper/graph/{OWN}");
    if !Path::new(&own).exists() {
        return Ok(());
    }
    fs::create_dir_all(GRAPHS)?;
    fs::copy(own, format!("{GRAPHS}/{OWN}"))?;
    let name = match Path::new(UPPER).join("cooper").exists() {
        false => OWN,
        true => {
            let anew = format!("{GRAPHS}/{ANEW}");
            match tools::run(tool("svc").args(["compile", "--output", &anew])) {
                Ok(()) => ANEW,
                Err(reason) => {
                    console.warn(&format_args!(
                        "this image's services and those of /etc/cooper do not go together \
                         ({reason}): it comes up with its own (svc check, svc apply)"
                    ));
                    OWN
                }
            }
        }
    };
    let (link, new) = (format!("{GRAPHS}/current"), format!("{GRAPHS}/current.new"));
    let _ = fs::remove_file(&new);
    symlink(name, &new)?;
    fs::rename(new, link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Machine;

    #[test]
    fn what_is_missing_is_copied_and_what_is_there_stays() {
        let machine = Machine::new(&[
            ("/factory/lib/a/one", "image"),
            ("/factory/lib/a/two", "image"),
            ("/var/lib/a/one", "node"),
        ]);
        let path = |path: &str| machine.root().path(path);
        symlink("one", path("/factory/lib/link")).unwrap();
        for _ in 0..2 {
            copy_missing(&path("/factory"), &path("/var")).unwrap();
        }
        assert_eq!(machine.read("/var/lib/a/one"), "node");
        assert_eq!(machine.read("/var/lib/a/two"), "image");
        assert_eq!(fs::read_link(path("/var/lib/link")).unwrap(), Path::new("one"));
        copy_missing(&path("/nowhere"), &path("/var")).unwrap();
    }
}
