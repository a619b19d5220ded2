//! Readiness by newline, as s6 does it: the service writes one to a FIFO that it was given as a
//! descriptor.
//!
//! **Invariant:** each life has a FIFO of its own, so that nothing an earlier one left over can
//! write to it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use graph::ServiceId;
use mio::{Interest, Token};
use sys::{Errno, fifo};
use tracing::warn;
use unit::{Event, SpawnError, Step};

use crate::output::{FIFO_MODE, held_name};
use crate::places::text;
use crate::prepare::error_number;
use crate::shell::Shell;
use crate::sources::Source;

/// The FIFOs of services that are starting.
#[derive(Default)]
pub struct Fifos {
    open: BTreeMap<ServiceId, (Token, OwnedFd)>,
}

impl Shell<'_> {
    /// A new FIFO for the life that is about to begin; its path.
    pub fn new_ready_fifo(&mut self, id: ServiceId, name: &str) -> Result<String, SpawnError> {
        self.drop_ready_fifo(id);
        let path = self.world.places.ready(name);
        let fail = |errno| SpawnError { step: Step::Notify, errno: error_number(errno) };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(fail(Errno::from_io_error(&error).unwrap_or(Errno::IO)));
            }
            _ => {}
        }
        self.open_ready_fifo(id, name).map_err(fail)?;
        Ok(text(&path))
    }

    /// Listens to the FIFO of a life that a supervisor before us has begun.
    pub fn resume_ready_fifo(&mut self, id: ServiceId) {
        if self.fifos.open.contains_key(&id) {
            return;
        }
        let name = self.name(id);
        if let Err(error) = self.open_ready_fifo(id, name) {
            warn!(service = name, "cannot listen for its readiness: {error}");
        }
    }

    /// Something was written.
    pub fn hear_fifo(&mut self, id: ServiceId) {
        let Some((_, fd)) = self.fifos.open.get(&id) else { return };
        let mut bytes = [0; 256];
        while let Ok(count @ 1..) = rustix::io::read(fd, &mut bytes) {
            if bytes.get(..count).unwrap_or_default().contains(&b'\n') {
                let incarnation = self.engine.status(id).unit.incarnation;
                self.drop_ready_fifo(id);
                return self.tell(id, Event::Ready(incarnation));
            }
        }
    }

    /// It is ready, or will never be.
    pub fn drop_ready_fifo(&mut self, id: ServiceId) {
        if let Some((token, _)) = self.fifos.open.remove(&id) {
            self.world.sources.forget(token);
            let name = self.name(id);
            self.world.link.release(&held_name(&format!("ready/{name}")));
            let _ = fs::remove_file(self.world.places.ready(name));
        }
    }

    fn open_ready_fifo(&mut self, id: ServiceId, name: &str) -> Result<(), Errno> {
        let path = self.world.places.ready(name);
        let fd = fifo::make(&path, FIFO_MODE, None)?;
        // A service that writes, closes, and all of that while we are being replaced.
        self.world.link.hold(&held_name(&format!("ready/{name}")), fd.as_fd());
        let registry = self.world.poll.registry();
        let watched = self.world.sources.watch(registry, &fd, Source::Fifo(id), Interest::READABLE);
        let token = watched.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        self.fifos.open.insert(id, (token, fd));
        Ok(())
    }
}
