//! `svc poweroff`, `reboot`, `halt`, `kexec`: the end, by `supervise` or without it.

use std::{fs, path::Path};

use login1::{
    lock::Lock,
    store::{Held, Store},
};
use rustix::process::{Pid, Signal, kill_process};
use wire::varlink::{Ending, Method, Nothing, ShutdownParameters};

use crate::{
    client::{Client, Fault},
    context::Context,
    error::Error,
    exit::Exit,
    paths::Paths,
};

/// What the kernel takes of an argument.
const ARGUMENT_MAX: usize = 255;
/// What the kernel calls our init.
const INIT: &str = "init";

/// Asks `supervise`, which stops services in order; where there is none that answers, or with
/// `force`, signals init, which ends everything by itself.
pub fn shutdown(ending: Ending, force: bool, context: &mut Context) -> Result<Exit, Error> {
    if force {
        return signal_init(ending, &context.paths);
    }
    let parameters = ShutdownParameters { ending, exit_status: None };
    let asked = Client::connect(&context.paths)
        .and_then(|mut client| client.call::<_, Nothing>(Method::Shutdown, &parameters));
    match asked {
        Ok(Nothing {}) => {
            context.screen.chat("services are being stopped in order: `svc status`");
            say_holders(context);
            Ok(Exit::Ok)
        }
        Err(Fault::Refused(error)) => Err(error.into()),
        // Ordering the same end twice is ordering it once, so init may be asked as well.
        Err(fault) => {
            let error = Error::from(fault);
            context.screen.say(format_args!("svc: warning: {error}; asking init itself"));
            signal_init(ending, &context.paths)
        }
    }
}

/// Asks for a reboot, with an argument for the firmware or with none.
pub fn reboot(argument: Option<&str>, force: bool, context: &mut Context) -> Result<Exit, Error> {
    let path = context.paths.run.join(wire::paths::REBOOT_ARGUMENT);
    if let Some(argument) = argument {
        if argument.contains('\n') || argument.len() > ARGUMENT_MAX {
            let reason =
                format!("an argument for the firmware is one line of {ARGUMENT_MAX} bytes");
            return Err(Error::Usage(reason));
        }
        fs::write(&path, format!("{argument}\n"))
            .map_err(|error| Error::system(&format!("write {}", path.display()), &error))?;
    } else {
        // That of an earlier order. Who may not remove it may not reboot, either, and is told so.
        let _ = fs::remove_file(&path);
    }
    shutdown(Ending::Reboot, force, context)
}

/// Says who has asked for time before the node goes down (kubelet, for its pods).
pub fn say_holders(context: &mut Context) {
    // Nobody is kept from stopping a node because of this.
    for Held { lock, .. } in Store::new(&context.paths.run).held().unwrap_or_default() {
        if lock.delays_shutdown() {
            let Lock { who, pid, why, .. } = &lock;
            context.screen.say(format_args!("svc: {who} (process {pid}) delays it: {why}"));
        }
    }
}

/// The signals that busybox's and sysvinit's tools send, and our init understands.
fn signal_init(ending: Ending, paths: &Paths) -> Result<Exit, Error> {
    let signal = signal_of(ending)?;
    // The machine must not end because a user's tree, or a test's, has.
    if paths.run != Path::new(wire::paths::RUN) {
        return Err(Error::Failed("process 1 is not the init of this tree".into()));
    }
    // Another init may take these signals for something else; systemd does.
    let name = fs::read_to_string("/proc/1/comm").unwrap_or_default();
    if !["", INIT].contains(&name.trim_end()) {
        return Err(Error::Failed(format!("process 1 is {}, not ours", name.trim_end())));
    }
    kill_process(Pid::INIT, signal).map_err(|errno| Error::system("signal init", &errno.into()))?;
    Ok(Exit::Ok)
}

fn signal_of(ending: Ending) -> Result<Signal, Error> {
    match ending {
        Ending::Poweroff => Ok(Signal::USR2),
        Ending::Reboot => Ok(Signal::TERM),
        Ending::Halt => Ok(Signal::USR1),
        Ending::Kexec | Ending::Exit => {
            Err(Error::Usage("init has no signal for this ending".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::{Peer, Tree};

    /// The machine never ends because a tree of somebody's own does.
    #[test]
    fn only_the_systems_own_tree_ends_the_machine() {
        for force in [true, false] {
            let mut tree = Tree::new();
            let error = shutdown(Ending::Poweroff, force, &mut tree.context).unwrap_err();
            assert_eq!(error.to_string(), "process 1 is not the init of this tree");
        }
    }

    /// Whoever has asked for time is named, and nobody else.
    #[test]
    fn holders_are_named() {
        let mut tree = Tree::new();
        say_holders(&mut tree.context);
        assert_eq!(tree.err.text(), "");
        let store = Store::new(&tree.context.paths.run);
        store.create().unwrap();
        let lock = |id, what: &str| Lock {
            id: login1::lock::LockId(id),
            what: what.into(),
            who: "kubelet".into(),
            why: "its pods".into(),
            pid: 7,
            uid: 0,
            since_us: 0,
        };
        let _held = ["sleep", "shutdown"]
            .map(|what| store.take(&lock(u32::try_from(what.len()).unwrap(), what)).unwrap());
        say_holders(&mut tree.context);
        assert_eq!(tree.err.text(), "svc: kubelet (process 7) delays it: its pods\n");
    }

    /// What the firmware is to be told is there before supervise is asked, and not the next time.
    #[test]
    fn a_reboot_leaves_its_argument_for_init() {
        let mut tree = Tree::new();
        let path = tree.context.paths.run.join(wire::paths::REBOOT_ARGUMENT);
        let wrong = reboot(Some("a\nb"), false, &mut tree.context);
        assert!(matches!(wrong, Err(Error::Usage(_))));
        for argument in [Some("0 tryboot"), None] {
            let server = tree.serve(vec![Box::new(|mut peer: Peer| {
                assert_eq!(peer.call(), ("Shutdown".into(), json!({"ending": "reboot"})));
                peer.reply(&json!({}));
            })]);
            assert_eq!(reboot(argument, false, &mut tree.context).unwrap(), Exit::Ok);
            server.join().unwrap();
            let left = fs::read_to_string(&path).ok();
            assert_eq!(left, argument.map(|argument| format!("{argument}\n")));
        }
    }

    /// supervise is told how it is to end.
    #[test]
    fn supervise_is_asked() {
        let mut tree = Tree::new();
        let server = tree.serve(vec![Box::new(|mut peer: Peer| {
            assert_eq!(peer.call(), ("Shutdown".into(), json!({"ending": "kexec"})));
            peer.reply(&json!({}));
        })]);
        assert_eq!(shutdown(Ending::Kexec, false, &mut tree.context).unwrap(), Exit::Ok);
        server.join().unwrap();
    }
}
