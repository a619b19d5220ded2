//! From a definition to everything that a child needs (`sys::spawn::Prepared`).

use std::path::Path;

use graph::{LogTo, Probe, Process, Readiness, Reload, ServiceId};
use rustix::io::Errno;
use sys::spawn::{Order, Output, PathTest, Prepared, Stdin};
use sys::users::{Identity, Users};
use unit::{Command, Exit, SpawnError, State, Step};
use wire::paths;

use crate::exits::Role;
use crate::places::text;
use crate::shell::Shell;

/// Where users and groups are.
pub const ETC: &str = "/etc";
/// The console, for services that log there.
const CONSOLE: &str = "/dev/console";
/// What a finish command is told instead of an exit status, as s6 does it.
const NO_STATUS: &str = "256";

/// Users and groups, read when a service first needs them and again when a name is not known.
#[derive(Default)]
pub struct Names {
    users: Option<Users>,
}

impl Names {
    fn resolve(&mut self, process: &Process) -> Result<Option<Identity>, SpawnError> {
        let Some(spec) = &process.run.user else { return Ok(None) };
        if let Some(identity) = self.users.as_ref().and_then(|users| users.resolve(spec).ok()) {
            return Ok(Some(identity));
        }
        let at_user = |errno| SpawnError { step: Step::User, errno };
        let users = Users::read(Path::new(ETC)).map_err(|error| at_user(io_number(&error)))?;
        let identity = users.resolve(spec).map_err(|_| at_user(error_number(Errno::NOENT)));
        self.users = Some(users);
        identity.map(Some)
    }
}

impl Shell<'_> {
    /// Resolves one process of a service.
    pub fn prepare(
        &mut self,
        id: ServiceId,
        name: &str,
        process: &Process,
        role: Role,
        paths: &[PathTest<'_>],
    ) -> Result<Prepared, SpawnError> {
        let argv = self.argv(id, name, process, role);
        let identity = self.world.names.resolve(process)?;
        let main = role == Role::Main;
        let output = self.output_path(name, &process.log.to, identity.as_ref())?;
        let input = self.world.outputs.is_consumer(id).then(|| self.world.places.input(name));
        if let Some(input) = input.as_deref().filter(|_| main) {
            let held = format!("input/{name}");
            self.world.outputs.prepare(&self.world.link, input, &held, None)?;
        }
        let input = input.as_deref().map(text);
        let ready = match process.ready {
            Readiness::Fd(fd) if main => Some((fd, self.new_ready_fifo(id, name)?)),
            Readiness::Fd(_)
            | Readiness::Exec
            | Readiness::Notify
            | Readiness::Exit
            | Readiness::Probe(_) => None,
        };
        let socket = text(&self.world.places.below(paths::NOTIFY));
        let notifies = main && (process.ready == Readiness::Notify || process.watchdog_ms > 0);
        let pid = self.table.record(id).map_or(0, |record| record.main_pid).to_string();
        let mut variables: Vec<(&str, &str)> = Vec::new();
        if notifies {
            variables.push(("NOTIFY_SOCKET", &socket));
        }
        if matches!(role, Role::Command(_)) {
            variables.push(("MAINPID", &pid));
        }
        let watchdog_us = u64::from(process.watchdog_ms).saturating_mul(1000);
        Prepared::new(&Order {
            process,
            paths,
            argv: &argv,
            identity: identity.as_ref(),
            inherits: self.world.places.container.then_some(&self.world.inherited),
            stdin: match &input {
                Some(path) if main => Stdin::Fifo(path),
                _ if main && self.main_service() == Some(id) => Stdin::Ours,
                _ => Stdin::Null,
            },
            output: match (&process.log.to, &output) {
                (LogTo::None, _) | (_, None) => Output::Null,
                (LogTo::Console, Some(_)) if self.world.places.container => Output::Ours,
                (LogTo::Console, Some(path)) => Output::Console(path),
                (LogTo::Files | LogTo::Service(_), Some(path)) => Output::Fifo(path),
            },
            ready: ready.as_ref().map(|(fd, path)| (*fd, path.as_str())),
            variables: &variables,
            watchdog_us: Some(watchdog_us).filter(|us| main && *us > 0),
        })
    }

    /// Where output goes; a FIFO is there afterwards, and init holds it.
    fn output_path(
        &mut self,
        name: &str,
        to: &LogTo,
        identity: Option<&Identity>,
    ) -> Result<Option<String>, SpawnError> {
        let (path, held, owner) = match to {
            LogTo::None => return Ok(None),
            LogTo::Console => return Ok(Some(CONSOLE.into())),
            LogTo::Files => (self.world.places.log(name), format!("log/{name}"), identity),
            LogTo::Service(consumer) => {
                let consumer = self.name(*consumer);
                (self.world.places.input(consumer), format!("input/{consumer}"), None)
            }
        };
        self.world.outputs.prepare(&self.world.link, &path, &held, owner)?;
        Ok(Some(text(&path)))
    }

    fn argv(&self, id: ServiceId, name: &str, process: &Process, role: Role) -> Vec<String> {
        match role {
            Role::Main => process.exec.clone(),
            Role::Command(Command::Stop) => process.stop.exec.clone(),
            Role::Command(Command::Reload) => match &process.reload {
                Some(Reload::Exec(exec)) => exec.clone(),
                Some(Reload::Signal(_)) | None => Vec::new(),
            },
            Role::Command(Command::Finish) => {
                let (code, signal) = match self.engine.status(id).unit.exit {
                    Some(Exit::Code(code)) => (code.to_string(), String::new()),
                    Some(Exit::Signal(signal)) => (NO_STATUS.into(), signal_text(signal)),
                    Some(Exit::Lost) | None => (NO_STATUS.into(), String::new()),
                };
                let appended = [code, signal, name.to_owned()];
                process.finish.iter().cloned().chain(appended).collect()
            }
            Role::Probe => {
                let up = matches!(self.engine.status(id).unit.state, State::Up { .. });
                let health = process.health.as_ref().filter(|_| up).map(|health| &health.probe);
                let probe = match (&process.ready, health) {
                    (_, Some(probe)) | (Readiness::Probe(probe), None) => Some(probe),
                    _ => None,
                };
                match probe {
                    Some(Probe::Exec(exec)) => exec.clone(),
                    _ => Vec::new(),
                }
            }
        }
    }
}

/// The kernel's error number of an I/O error.
pub fn io_number(error: &std::io::Error) -> u16 {
    let number = error.raw_os_error().and_then(|number| u16::try_from(number).ok());
    number.unwrap_or_else(|| error_number(Errno::IO))
}

/// The kernel's error number.
pub fn error_number(errno: Errno) -> u16 {
    u16::try_from(errno.raw_os_error()).unwrap_or(0)
}

/// `SIGKILL`; the number of one that has no name.
pub fn signal_text(number: u8) -> String {
    wire::describe::signal_name(number).map_or_else(|| number.to_string(), str::to_owned)
}
