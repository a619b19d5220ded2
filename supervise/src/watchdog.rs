//! The hardware watchdog: init arms it, once it is told to and the device is there.
//!
//! The driver may be a module that a service loads. So while the machine boots, the device is
//! looked for whenever something has happened; once the boot is over, init is told in any case,
//! and says what is wrong.

use std::path::Path;

use graph::Watchdog;
use tracing::warn;
use wire::link::{FromSupervise, Name, Role};

use crate::shell::Shell;

/// The usual one; where none is wanted, it does not matter which.
const DEVICE: &str = "/dev/watchdog";

impl Shell<'_> {
    /// Tells init what the graph in force says, as soon as it can do something about it. The
    /// machine's watchdog is not a container's, or a user's, to arm.
    pub fn watchdog_step(&mut self) {
        if self.world.knows_watchdog || self.world.hello.role != Role::Machine {
            return;
        }
        let is_booting = self.world.live.settled_us == 0;
        let wanted = self.view.watchdog();
        if wanted.as_ref().is_some_and(|it| is_booting && !Path::new(&it.device).exists()) {
            return;
        }
        self.world.knows_watchdog = true;
        let Watchdog { device, timeout_ms } =
            wanted.unwrap_or_else(|| Watchdog { device: DEVICE.to_owned(), timeout_ms: 0 });
        match Name::new(device.as_bytes()) {
            Some(device) => {
                self.world.link.send(&FromSupervise::Watchdog { device, timeout_ms }, None);
            }
            None => warn!("cannot arm the watchdog {device}: its name is too long"),
        }
    }
}
