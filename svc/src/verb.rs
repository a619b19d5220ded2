//! The verbs, one file each.

mod apply;
mod boot;
mod check;
mod compile;
mod container;
mod detail;
mod doctor;
mod edit;
mod explain;
mod follow;
mod health;
mod logs;
mod names;
mod order;
mod plan;
mod profiles;
mod shutdown;
mod signal;
mod status;
mod switch;
mod watch;

use wire::varlink::Ending;

use crate::{args::Verb, completions, context::Context, error::Error, exit::Exit};

pub use container::run as container;
pub use shutdown::{reboot, shutdown};

/// Does what was typed.
pub fn run(verb: &Verb, context: &mut Context) -> Result<Exit, Error> {
    match verb {
        Verb::Status(args) => status::run(args, context),
        Verb::Start(args) => order::start(args, context),
        Verb::Stop(args) => order::stop(args, context),
        Verb::Restart(args) => order::restart(args, context),
        Verb::Reload(args) => order::reload(args, context),
        Verb::Signal(args) => signal::run(args, context),
        Verb::Logs(args) => logs::run(args, context),
        Verb::Explain(args) => explain::run(args, context),
        Verb::Plan(args) => plan::run(args, context),
        Verb::Apply(args) => apply::run(args, context),
        Verb::Check(args) => check::run(args, context),
        Verb::Compile(args) => compile::run(args, context),
        Verb::Container(args) => container::run(args, context),
        Verb::Profiles(args) => profiles::run(args, context),
        Verb::Boot(args) => boot::run(args, context),
        Verb::Doctor(args) => doctor::run(args, context),
        Verb::Health(args) => health::run(args, context),
        Verb::Watch(args) => watch::run(args, context),
        Verb::Edit(args) => edit::run(args, context),
        Verb::Poweroff(args) => shutdown(Ending::Poweroff, args.force, context),
        Verb::Reboot(args) => reboot(args.argument.as_deref(), args.ending.force, context),
        Verb::Halt(args) => shutdown(Ending::Halt, args.force, context),
        Verb::Kexec(args) => shutdown(Ending::Kexec, args.force, context),
        Verb::Completions(args) => completions::run(args.shell, context),
        Verb::Names => names::run(context),
    }
}
