//! `node-setup end WHAT`: what a node still has to end on its way down, between the daemons that
//! leave it behind by design: pods, which outlive kubelet and containerd, and iSCSI sessions.
//!
//! These are the undoings of oneshots, and they do nothing unless the node goes down (or they are
//! forced): stopping such a service by hand, or applying another graph, ends no pod.
//!
//! **Invariants:** each step has a deadline, whatever hangs; what could not be ended is said, and
//! what comes after it is done all the same.

mod command;
mod iscsi;
mod mounts;
mod pods;
mod processes;

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::{BAD_INPUT, DONE, FAILED, Root};

/// How it is called.
pub const USAGE: &str = "usage: node-setup end pods|iscsi [--force]";

/// Ends what `words` say. The exit code: 111 if something is left.
#[must_use]
pub fn end(words: &[&str], root: &Root) -> u8 {
    let (what, force) = match words {
        // Our own child: an unmount that hangs must not be ours.
        ["unmount", path] => return mounts::unmount(Path::new(path)),
        [what @ ("pods" | "iscsi")] => (*what, false),
        [what @ ("pods" | "iscsi"), "--force"] => (*what, true),
        [..] => {
            eprintln!("{USAGE}");
            return BAD_INPUT;
        }
    };
    let mut ending = Ending { what, is_left: false };
    let run = std::env::var_os("COOPER_RUN").map_or_else(|| wire::paths::RUN.into(), PathBuf::from);
    match (force, login1::node::shutdown(&run)) {
        (false, Ok(None)) => {
            ending.note("the node does not go down, so they are kept (--force: end them)");
            return DONE;
        }
        // Whether it goes down is not known: then nothing is ended that somebody may need.
        (false, Err(error)) => ending.left(error),
        (false, Ok(Some(_))) | (true, _) => match what {
            "pods" => pods::end(root, &mut ending),
            _ => iscsi::end(root, &mut ending),
        },
    }
    ending.finish()
}

/// What an ending says, line by line.
#[derive(Debug)]
struct Ending<'a> {
    what: &'a str,
    is_left: bool,
}

impl Ending<'_> {
    fn note(&self, what: impl Display) {
        say(&format_args!("end {}: {what}", self.what));
    }

    /// Something was not ended.
    fn left(&mut self, what: impl Display) {
        self.is_left = true;
        say(&format_args!("end {}: warning: {what}", self.what));
    }

    const fn finish(&self) -> u8 {
        if self.is_left { FAILED } else { DONE }
    }
}

/// One write for each line; whoever reads it no longer stops nothing.
fn say(what: &dyn Display) {
    let _ = std::io::stdout().write_all(format!("{what}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_ends_what_has_no_name() {
        for words in [&[][..], &["nodes"], &["pods", "now"], &["pods", "--force", "x"]] {
            assert_eq!(end(words, &Root::default()), BAD_INPUT, "{words:?}");
        }
    }
}
