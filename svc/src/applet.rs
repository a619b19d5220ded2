//! `poweroff`, `reboot` and `halt` as links to `svc`: what cloud agents, ACPI scripts and fingers
//! know.

use std::{ffi::OsString, path::Path};

use clap::Parser;
use wire::varlink::Ending;

use crate::{context::Context, error::Error, exit::Exit, verb};

/// Flags of busybox's and systemd's tools of these names.
#[derive(Debug, Parser)]
#[command(
    version,
    about = "Stop everything in order and end",
    after_help = "\
Part of Cooper; the same as `svc poweroff`, `svc reboot`, `svc halt`."
)]
struct Flags {
    /// Do not ask supervise: signal init, which ends everything by itself
    #[arg(short, long)]
    force: bool,
    /// Switch off
    #[arg(short, long)]
    poweroff: bool,
    /// Start again
    #[arg(long)]
    reboot: bool,
    /// Stop the processor
    #[arg(long)]
    halt: bool,
    /// Accepted and ignored, as sync and wtmp are init's business
    #[arg(short = 'n', long = "no-sync", hide = true)]
    no_sync: bool,
    /// Accepted and ignored
    #[arg(short = 'd', long = "no-wtmp", hide = true)]
    no_wtmp: bool,
}

/// A name that we were called by, and what came with it.
pub struct Applet {
    ending: Ending,
    arguments: Vec<OsString>,
}

/// The applet, if we were called by one's name.
pub fn called_as(arguments: impl IntoIterator<Item = OsString>) -> Option<Applet> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = Path::new(arguments.first()?).file_name()?;
    let ending = match name.to_str()? {
        "poweroff" => Ending::Poweroff,
        "reboot" => Ending::Reboot,
        "halt" => Ending::Halt,
        _ => return None,
    };
    Some(Applet { ending, arguments })
}

impl Applet {
    /// Ends the machine.
    pub fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let flags = match Flags::try_parse_from(&self.arguments) {
            Ok(flags) => flags,
            Err(help) => return Ok(crate::explain_usage(&help)),
        };
        verb::shutdown(flags.ending(self.ending), flags.force, context)
    }
}

impl Flags {
    /// `halt -p` switches off, as it does everywhere.
    const fn ending(&self, called_as: Ending) -> Ending {
        match (self.poweroff, self.reboot, self.halt) {
            (true, _, _) => Ending::Poweroff,
            (_, true, _) => Ending::Reboot,
            (_, _, true) => Ending::Halt,
            (false, false, false) => called_as,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(words: &[&str]) -> Option<(Ending, bool)> {
        let applet = called_as(words.iter().map(OsString::from))?;
        let flags = Flags::try_parse_from(&applet.arguments).ok()?;
        Some((flags.ending(applet.ending), flags.force))
    }

    /// The name decides, wherever the link is; flags may override it.
    #[test]
    fn the_name_decides() {
        assert_eq!(ending(&["/sbin/poweroff"]), Some((Ending::Poweroff, false)));
        assert_eq!(ending(&["reboot", "-f"]), Some((Ending::Reboot, true)));
        assert_eq!(ending(&["halt", "-p", "-n"]), Some((Ending::Poweroff, false)));
        assert_eq!(ending(&["halt"]), Some((Ending::Halt, false)));
        assert_eq!(ending(&["svc", "halt"]), None);
        assert_eq!(ending(&["reboot", "--frob"]), None);
        assert_eq!(ending(&[]), None);
    }
}
