//! `/init` of an initramfs: finds the root of the node, and what the node keeps, and hands over to
//! its init.
//!
//! For roots that are images and never written to (`node-image build disk`). What a node is, and
//! what its administrator changes, is on a partition of its own, `data`, on the same disk: it
//! becomes `/var`, and what is written over `/etc`. So another image is another root, and the node
//! stays what it was.
//!
//! The kernel's command line says which: `root=PARTLABEL=root-a` (or `PARTUUID=…`, `/dev/…`),
//! `rootfstype=`, `init=`.
//!
//! **Invariants:** it never waits without a deadline, and where it cannot go on it says why and
//! restarts the machine, for the loader to choose another root. Nothing of it is left in memory.

mod console;
mod hand_over;
mod root;
mod state;

use std::convert::Infallible;
use std::ffi::OsString;
use std::time::Duration;

use facts::Section;

use crate::Root;
use console::Console;

/// What the initramfs has for section `modules`.
const MODULES: &str = "/etc/modules.json";
/// For whoever reads the screen.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// Boots, as process 1. It returns only to say what has failed, and then the machine restarts.
#[must_use]
pub fn boot(words: &[OsString]) -> u8 {
    let Err(reason) = run(words);
    let mut console = Console::open();
    console.fatal(&reason);
    std::thread::sleep(GIVE_UP_AFTER);
    rustix::fs::sync();
    if let Err(error) = rustix::system::reboot(rustix::system::RebootCommand::Restart) {
        console.fatal(&format_args!("cannot restart: {error}"));
    }
    // The kernel panics without its process 1, and restarts if it was told to (panic=).
    crate::FAILED
}

fn run(words: &[OsString]) -> Result<Infallible, String> {
    root::mount_kernels()?;
    let mut console = Console::open();
    load_modules(&mut console);
    let line = std::fs::read_to_string("/proc/cmdline")
        .map_err(|error| format!("cannot read the kernel's command line: {error}"))?;
    let line = CommandLine::parse(&line);
    let found = root::mount(&line)?;
    root::switch().map_err(|error| format!("cannot make {} the root: {error}", found.device()))?;
    state::set_up(&found, &mut console)?;
    hand_over::to_init(&line, words)
}

/// Those that this machine has no device for fail, and there are always some.
fn load_modules(console: &mut Console) {
    let done =
        std::fs::read_to_string(MODULES).map_err(|error| error.to_string()).and_then(|json| {
            let root = Root::default();
            crate::apply_to(Section::Modules, &json, &root, console).map_err(|it| it.to_string())
        });
    if let Err(reason) = done {
        console.warn(&format_args!("cannot load modules: {reason}"));
    }
}

/// What is for us on the kernel's command line; of a word that is there twice the last counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct CommandLine {
    root: Option<String>,
    fstype: Option<String>,
    init: Option<String>,
}

impl CommandLine {
    fn parse(line: &str) -> Self {
        let mut parsed = Self::default();
        for word in line.split_ascii_whitespace() {
            let Some((name, value)) = word.split_once('=') else { continue };
            let value = Some(value.to_owned());
            match name {
                "root" => parsed.root = value,
                "rootfstype" => parsed.fstype = value,
                "init" => parsed.init = value,
                _ => {}
            }
        }
        parsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_others_are_left() {
        let line =
            CommandLine::parse("root=/dev/x quiet root=PARTLABEL=root-a rootfstype=erofs ro\n");
        let text = |text: &str| Some(text.to_owned());
        let (root, fstype) = (text("PARTLABEL=root-a"), text("erofs"));
        assert_eq!(line, CommandLine { root, fstype, init: None });
    }
}
