//! Links to `svc`: `poweroff`, `reboot` and `halt`, which cloud agents, ACPI scripts and fingers
//! know; and `init`, what a container begins with.

use std::{ffi::OsString, path::Path};

use clap::Parser;
use wire::varlink::Ending;

use crate::{args::Container, context::Context, error::Error, exit::Exit, verb};

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
    /// For the firmware, when it starts again: `"0 tryboot"` on a Raspberry Pi
    argument: Option<String>,
}

/// `init COMMAND...`, in an image.
#[derive(Debug, Parser)]
#[command(
    version,
    about = "Begin a container: its services, then its command",
    after_help = "\
Part of Cooper; the same as `svc container`."
)]
struct Begin {
    #[command(flatten)]
    container: Container,
}

/// A name that we were called by, and what came with it.
pub struct Applet {
    name: Name,
    arguments: Vec<OsString>,
}

enum Name {
    Init,
    Ending(Ending),
}

/// The applet, if we were called by one's name.
pub fn called_as(arguments: impl IntoIterator<Item = OsString>) -> Option<Applet> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = Path::new(arguments.first()?).file_name()?;
    let name = match name.to_str()? {
        "init" => Name::Init,
        "poweroff" => Name::Ending(Ending::Poweroff),
        "reboot" => Name::Ending(Ending::Reboot),
        "halt" => Name::Ending(Ending::Halt),
        _ => return None,
    };
    Some(Applet { name, arguments })
}

impl Applet {
    /// Ends the machine, or begins the container.
    pub fn run(self, context: &mut Context) -> Result<Exit, Error> {
        let done = match self.name {
            Name::Init => Begin::try_parse_from(&self.arguments)
                .map(|begin| verb::container(&begin.container, context)),
            Name::Ending(ending) => {
                Flags::try_parse_from(&self.arguments).map(|flags| flags.end(ending, context))
            }
        };
        done.unwrap_or_else(|help| Ok(crate::explain_usage(&help)))
    }
}

impl Flags {
    fn end(&self, called_as: Ending, context: &mut Context) -> Result<Exit, Error> {
        match (self.ending(called_as), self.argument.as_deref()) {
            (Ending::Reboot, argument) => verb::reboot(argument, self.force, context),
            (ending, None) => verb::shutdown(ending, self.force, context),
            (_, Some(_)) => Err(Error::Usage("only a reboot takes an argument".into())),
        }
    }

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
        let Name::Ending(ending) = applet.name else { return None };
        Some((flags.ending(ending), flags.force))
    }

    /// What follows the first word that is no option of ours is the command's, options and all.
    #[test]
    fn a_containers_command_keeps_its_options() {
        let parse = |words: &[&str]| {
            let applet = called_as(words.iter().map(OsString::from)).unwrap();
            assert!(matches!(applet.name, Name::Init));
            Begin::try_parse_from(&applet.arguments).unwrap().container
        };
        let container = parse(&["/init", "--rewrite", "TERM:QUIT", "nginx", "-g", "--group"]);
        assert_eq!(container.command, ["nginx", "-g", "--group"]);
        assert_eq!((container.rewrite, container.group), (vec!["TERM:QUIT".into()], false));
        let container = parse(&["/init", "--group", "--", "--help", "--", "a"]);
        assert_eq!((container.command.len(), container.group), (3, true));
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
