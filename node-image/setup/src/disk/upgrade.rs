//! `disk upgrade FILE`: what `node-image build disk --upgrade` has made, a tar file of a list, the
//! root, and for each slot the program that boots it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::entry::{Entry, Slot};
use super::esp::{Esp, sync};
use super::partition::Partition;
use super::{beside, booted};
use crate::Root;

/// The list comes first in the file.
const LIST: &str = "upgrade.json";
const FORMAT: u32 = 1;
const ROOT: &str = "root.erofs";
const ENTRIES: &str = "EFI/Linux";
const CHUNK: usize = 1 << 20;

/// The list.
#[derive(Debug, Deserialize)]
struct List {
    format: u32,
    /// The hardware target.
    target: String,
    architecture: String,
    files: BTreeMap<String, Sum>,
}

#[derive(Debug, Deserialize)]
struct Sum {
    size: u64,
    sha256: String,
}

/// Writes it to the slot that is not in use. What was done.
pub fn upgrade(file: &str, root: &Root) -> Result<String, String> {
    let current = booted(root)?;
    let slot = current.label.as_deref().and_then(Slot::of_label);
    let slot =
        slot.ok_or_else(|| format!("{} is no slot of node-image's", current.device()))?.other();
    let target = beside(&current, slot.label(), root)?;
    let esp = Esp::mount(&current, root)?;
    let directory = esp.path(ENTRIES);

    let reader: Box<dyn Read> = match file {
        "-" => Box::new(io::stdin()),
        path => Box::new(File::open(path).map_err(|error| format!("cannot read {path}: {error}"))?),
    };
    let failed = |error: &dyn std::fmt::Display| format!("cannot read {file}: {error}");
    let mut archive = tar::Archive::new(reader);
    let mut list: Option<List> = None;
    let mut new = None;
    let mut is_root_written = false;
    for member in archive.entries().map_err(|error| failed(&error))? {
        let mut member = member.map_err(|error| failed(&error))?;
        let name = member.path().map_err(|error| failed(&error))?.to_string_lossy().into_owned();
        let Some(list) = &list else {
            list = Some(read_list(&name, &mut member, root).map_err(|reason| failed(&reason))?);
            continue;
        };
        let sum = list
            .files
            .get(&name)
            .ok_or_else(|| failed(&format_args!("{name} is not in {LIST}")))?;
        if name == ROOT {
            // From here on the slot holds nothing that boots, so nothing may lead there.
            let others = forget(slot, &directory)
                .map_err(|error| format!("cannot change the boot entries: {error}"))?;
            new = Some(Entry::new(others.saturating_add(1), slot));
            write_root(&mut member, sum, &target, root)?;
            is_root_written = true;
        } else if name == format!("{}.efi", slot.letter()) {
            let Some(new) = new.as_ref().filter(|_| is_root_written) else {
                return Err(failed(&format_args!("{ROOT} must come before {name}")));
            };
            write_entry(&mut member, sum, &directory, new)?;
            return Ok(format!(
                "{} boots next time, {} attempts; if it does not come up, {} boots again",
                target.device(),
                super::entry::TRIES,
                current.device()
            ));
        }
    }
    Err(failed(&"it ends too early"))
}

fn read_list(name: &str, member: &mut impl Read, root: &Root) -> Result<List, String> {
    let what = format!("it is no upgrade of node-image's: it does not begin with {LIST}");
    if name != LIST {
        return Err(what);
    }
    let list: List = serde_json::from_reader(member).map_err(|error| format!("{LIST}: {error}"))?;
    if list.format != FORMAT {
        return Err(format!("its format is {}, and this node knows {FORMAT}", list.format));
    }
    if list.architecture != std::env::consts::ARCH {
        return Err(format!("it is for {}", list.architecture));
    }
    match own_target(root) {
        Some(own) if own != list.target => {
            Err(format!("it is for {}, and this node is {own}", list.target))
        }
        _ => Ok(list),
    }
}

/// What this node's image was made for.
fn own_target(root: &Root) -> Option<String> {
    let image = root.read("/usr/share/factory/image").ok()?;
    image.lines().find_map(|line| Some(line.strip_prefix("target=")?.to_owned()))
}

/// Removes the entries of a slot. The largest number of all.
fn forget(slot: Slot, directory: &Path) -> io::Result<u32> {
    let mut largest = 0;
    for file in fs::read_dir(directory)? {
        let file = file?;
        let Some(entry) = file.file_name().to_str().and_then(Entry::parse) else { continue };
        largest = entry.number.max(largest);
        if entry.slot == slot {
            fs::remove_file(file.path())?;
        }
    }
    sync(directory)?;
    Ok(largest)
}

fn write_root(from: &mut impl Read, sum: &Sum, to: &Partition, root: &Root) -> Result<(), String> {
    let device = to.device();
    let sectors = root.line(&format!("/sys/class/block/{}/size", to.name));
    let room = sectors.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0).saturating_mul(512);
    if sum.size > room {
        return Err(format!("{ROOT} has {} bytes, and {device} has room for {room}", sum.size));
    }
    let done = OpenOptions::new().write(true).open(root.path(&device)).and_then(|mut file| {
        copy(from, &mut file, sum)?;
        file.sync_all()
    });
    done.map_err(|error| format!("cannot write {device}: {error}"))
}

fn write_entry(
    from: &mut impl Read,
    sum: &Sum,
    directory: &Path,
    entry: &Entry,
) -> Result<(), String> {
    let (path, new) = (directory.join(&entry.file), directory.join("new"));
    let done = File::create(&new).and_then(|mut file| {
        copy(from, &mut file, sum)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync(directory)
    });
    done.map_err(|error| {
        let _ = fs::remove_file(&new);
        format!("cannot write {}: {error}", entry.file)
    })
}

/// Copies what has this sum, or fails.
fn copy(from: &mut impl Read, to: &mut impl Write, sum: &Sum) -> io::Result<()> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = from.read(&mut buffer)?;
        let Some(chunk @ [_, ..]) = buffer.get(..length) else { break };
        digest.update(chunk);
        to.write_all(chunk)?;
    }
    let is: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    match is == sum.sha256 {
        true => Ok(()),
        false => Err(io::Error::other("its SHA-256 is not that of the list: fetch it again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Machine;

    fn list(target: &str, architecture: &str, format: u32) -> String {
        format!(
            r#"{{"format":{format},"target":"{target}","architecture":"{architecture}","files":{{}}
            }}"#
        )
    }

    #[test]
    fn only_an_upgrade_for_this_node_is_taken() {
        let arch = std::env::consts::ARCH;
        let machine = Machine::new(&[("/usr/share/factory/image", "target=n100\nid=1\n")]);
        let read = |name: &str, text: &str| read_list(name, &mut text.as_bytes(), &machine.root());
        assert!(read(LIST, &list("n100", arch, 1)).is_ok());
        for (text, reason) in [
            (list("rpi4", arch, 1), "for rpi4"),
            (list("n100", "vax", 1), "for vax"),
            (list("n100", arch, 2), "format is 2"),
            ("{".to_owned(), LIST),
        ] {
            let error = read(LIST, &text).map(drop).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(read("index.json", "").map(drop).unwrap_err().contains("no upgrade"));
    }

    #[test]
    fn entries_of_a_slot_are_forgotten_and_others_counted() {
        let machine = Machine::new(&[
            ("/EFI/Linux/cooper-4-b.efi", ""),
            ("/EFI/Linux/cooper-5-a+0-3.efi", ""),
            ("/EFI/Linux/other.efi", ""),
        ]);
        let directory = machine.root().path("/EFI/Linux");
        assert_eq!(forget(Slot::A, &directory).unwrap(), 5);
        let mut left: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|it| it.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["cooper-4-b.efi", "other.efi"]);
    }

    #[test]
    fn what_has_another_sum_is_refused() {
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".to_owned();
        let sum = Sum { size: 5, sha256 };
        let mut out = Vec::new();
        copy(&mut &b"hello"[..], &mut out, &sum).unwrap();
        assert_eq!(out, b"hello");
        assert!(copy(&mut &b"hallo"[..], &mut out, &sum).is_err());
    }
}
