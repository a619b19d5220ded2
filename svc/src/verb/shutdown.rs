//! `svc poweroff`, `reboot`, `halt`, `kexec`: the end, by `supervise` or without it.

use rustix::process::{Pid, Signal, kill_process};
use wire::varlink::{Ending, Method, Nothing, ShutdownParameters};

use crate::{
    client::{Client, Fault},
    context::Context,
    error::Error,
    exit::Exit,
};

/// Asks `supervise`, which stops services in order; where there is none that answers, or with
/// `force`, signals init, which ends everything by itself.
pub fn shutdown(ending: Ending, force: bool, context: &mut Context) -> Result<Exit, Error> {
    if force {
        return signal_init(ending);
    }
    let parameters = ShutdownParameters { ending, exit_status: None };
    let asked = Client::connect(&context.paths)
        .and_then(|mut client| client.call::<_, Nothing>(Method::Shutdown, &parameters));
    match asked {
        Ok(Nothing {}) => {
            context.screen.chat("services are being stopped in order: `svc status`");
            Ok(Exit::Ok)
        }
        Err(Fault::Refused(error)) => Err(error.into()),
        // Ordering the same end twice is ordering it once, so init may be asked as well.
        Err(fault) => {
            let error = Error::from(fault);
            context.screen.say(format_args!("svc: warning: {error}; asking init itself"));
            signal_init(ending)
        }
    }
}

/// The signals that busybox's and sysvinit's tools send, and our init understands.
fn signal_init(ending: Ending) -> Result<Exit, Error> {
    let signal = match ending {
        Ending::Poweroff => Signal::USR2,
        Ending::Reboot => Signal::TERM,
        Ending::Halt => Signal::USR1,
        Ending::Kexec | Ending::Exit => {
            return Err(Error::Usage("init has no signal for this ending".into()));
        }
    };
    kill_process(Pid::INIT, signal).map_err(|errno| Error::system("signal init", &errno.into()))?;
    Ok(Exit::Ok)
}
