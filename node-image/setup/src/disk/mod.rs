//! `node-setup disk WHAT`: a node whose disk `node-image build disk` has made: two slots for the
//! root, `root-a` and `root-b`, and a partition `data` for what the node keeps.
//!
//! * `grow`: `data` becomes as large as the disk lets it, at the first boot and whenever the disk
//!   has grown.
//! * `bless`: the root that has booted is good, so the loader no longer counts its attempts.
//! * `upgrade FILE`: another root into the slot that is not in use, for the next boot. The loader
//!   tries it three times, and falls back to this one.
//!
//! **Invariant:** whenever the power fails, one of the slots boots.

mod bless;
mod entry;
mod esp;
mod grow;
pub mod partition;
mod table;
mod upgrade;

use std::fmt::Display;
use std::io::Write as _;

use crate::{BAD_INPUT, DONE, FAILED, Root};
use partition::Partition;

const USAGE: &str = "usage: node-setup disk grow | bless | upgrade FILE";
/// What its label says.
const DATA: &str = "data";

/// Does what `words` say. The exit code: 111 if it could not be done.
#[must_use]
pub fn disk(words: &[&str], root: &Root) -> u8 {
    let (what, done) = match words {
        ["grow"] => ("grow", grow::grow(root)),
        ["bless"] => ("bless", bless::bless(root)),
        ["upgrade", file] => ("upgrade", upgrade::upgrade(file, root)),
        [..] => {
            eprintln!("{USAGE}");
            return BAD_INPUT;
        }
    };
    match done {
        Ok(said) => {
            say(what, &said);
            DONE
        }
        Err(reason) => {
            say(what, &format_args!("fatal: {reason}"));
            FAILED
        }
    }
}

fn say(what: &str, said: &dyn Display) {
    // Whoever reads it no longer stops nothing.
    let _ = std::io::stdout().write_all(format!("disk {what}: {said}\n").as_bytes());
}

/// The slot that has booted: it is `/`, or the store of a NixOS.
fn booted(root: &Root) -> Result<Partition, String> {
    mounted("/", root).or_else(|reason| mounted("/nix/store", root).map_err(|_| reason))
}

/// The partition of this label, on the disk of another one.
fn beside(other: &Partition, label: &str, root: &Root) -> Result<Partition, String> {
    let is_meant = |it: &Partition| it.disk == other.disk && it.label.as_deref() == Some(label);
    let found = partition::all(root).into_iter().find(is_meant);
    found.ok_or_else(|| format!("{} has no partition {label}", other.disk))
}

/// The partition that is mounted at a path.
fn mounted(at: &str, root: &Root) -> Result<Partition, String> {
    let mounts =
        crate::mountinfo::read(root).map_err(|error| format!("cannot read mounts: {error}"))?;
    let mount = crate::mountinfo::top(&mounts, at);
    let partitions = partition::all(root);
    mount
        .and_then(|mount| partitions.into_iter().find(|it| it.device() == mount.source))
        .ok_or_else(|| format!("{at} is on no partition: this node's disk is none of node-image's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_not_done() {
        for words in [&[][..], &["shrink"], &["upgrade"], &["grow", "x"]] {
            assert_eq!(disk(words, &Root::default()), BAD_INPUT, "{words:?}");
        }
    }
}
