//! The end: everything is stopped in order, within the graph's budget, and then init takes over.
//!
//! Init is told the deadline first, so that the end comes even if this process does not live to
//! see it. A supervisor that is started meanwhile finds the shutdown in the state table.

use tracing::info;
use unit::Instant;
use wire::link::{FromSupervise, Request};
use wire::state::Shutdown;

use crate::clock;
use crate::shell::Shell;

/// Between SIGTERM and SIGKILL in init's final phase, for what no service owned.
const GRACE_MS: u32 = 5_000;
/// Init acts alone this long after our own deadline.
const MARGIN_MS: u32 = 10_000;

impl Shell<'_> {
    /// What a signal to init means.
    pub fn hear_request(&mut self, request: Request) {
        match request {
            Request::Poweroff
            | Request::Reboot
            | Request::Halt
            | Request::Kexec
            | Request::Exit => self.begin_shutdown(request, 0, 0),
            Request::Reload => self.reload_graph(),
        }
    }

    /// Begins to stop everything, by this signal if it is not 0. A shutdown that is under way is
    /// not changed.
    pub fn begin_shutdown(&mut self, request: Request, exit_status: u8, signal: u8) {
        if self.world.live.shutdown.is_some() {
            return;
        }
        self.cancel_apply();
        let budget = self.view.shutdown_budget_ms();
        let deadline_us = clock::now().after_ms(budget).0;
        info!("shutting down: {request:?}, within {} s", budget / 1000);
        self.world.live.shutdown = Some(Shutdown { request, exit_status, signal, deadline_us });
        self.table.write_live(&self.world.live);
        self.resume_shutdown();
    }

    /// Carries on with a shutdown that the table says is under way.
    pub fn resume_shutdown(&mut self) {
        let Some(shutdown) = self.world.live.shutdown else { return };
        let now = clock::now();
        let left_us = shutdown.deadline_us.saturating_sub(now.0);
        let left_ms = u32::try_from(left_us / 1000).unwrap_or(u32::MAX);
        let after_ms = left_ms.saturating_add(MARGIN_MS);
        let request = shutdown.request;
        self.world.link.send(&FromSupervise::Deadline { request, after_ms }, None);
        self.engine.shutdown(now, Instant(shutdown.deadline_us));
    }

    /// Everything is down, or the budget is spent: init's turn.
    pub fn shutdown_step(&mut self) {
        let Some(shutdown) = self.world.live.shutdown.filter(|_| !self.world.ended) else { return };
        if !self.engine.all_down() && clock::now().0 < shutdown.deadline_us {
            return;
        }
        self.world.ended = true;
        let Shutdown { request, exit_status, .. } = shutdown;
        self.world.link.acknowledge();
        let last = FromSupervise::Final { request, exit_status, grace_ms: GRACE_MS };
        self.world.link.send(&last, None);
    }

    /// When the budget is spent.
    pub fn shutdown_deadline(&self) -> Option<Instant> {
        let shutdown = self.world.live.shutdown.filter(|_| !self.world.ended)?;
        Some(Instant(shutdown.deadline_us))
    }
}
