//! Calls that are answered when what they asked for has happened.

use graph::ServiceId;
use unit::{Incarnation, Instant, Reloading, State};
use wire::varlink::{ApplyReply, Change, Error, ListReply, PlanReply, Steps};

use super::client::{Client, Doing, Watching};
use crate::clock;
use crate::shell::Shell;

/// A call that waits.
#[derive(Debug)]
pub struct Waiting {
    /// For what.
    pub what: What,
    /// It is answered by then, whatever has happened.
    pub until: Option<Instant>,
}

/// What is waited for.
#[derive(Debug)]
pub enum What {
    /// These services come up in a life after this one, or at all.
    Up { services: Vec<(ServiceId, Option<Incarnation>)>, plan: Steps },
    /// These services are down.
    Down { services: Vec<ServiceId>, plan: Steps },
    /// These services have re-read their configuration.
    Reloaded { services: Vec<ServiceId>, plan: Steps },
    /// The new graph is in force.
    Applied { changes: Vec<Change> },
}

impl Waiting {
    /// It waits for the new graph to be in force.
    pub fn is_for_graph(&self) -> bool {
        matches!(self.what, What::Applied { .. })
    }

    /// Another graph is in force; a service that it does not have cannot be waited for.
    pub fn switched(
        &mut self,
        moved: &dyn Fn(ServiceId) -> Option<ServiceId>,
    ) -> Result<(), Error> {
        let gone = || Error::Failed {
            name: String::new(),
            why: "a new graph is in force, which does not have this service".into(),
        };
        match &mut self.what {
            What::Up { services, .. } => {
                for (id, _) in services {
                    *id = moved(*id).ok_or_else(gone)?;
                }
            }
            What::Down { services, .. } | What::Reloaded { services, .. } => {
                for id in services {
                    *id = moved(*id).ok_or_else(gone)?;
                }
            }
            What::Applied { .. } => {}
        }
        Ok(())
    }
}

/// Where one service stands with respect to what is waited for.
enum Outcome {
    Pending,
    Done,
    /// It will not happen, on account of this service.
    Failed(ServiceId),
}

impl Shell<'_> {
    /// Answers the call if its wait is over.
    pub fn look_whether_settled(&mut self, client: &mut Client) {
        let Doing::Waiting(waiting) = &client.doing else { return };
        let outcome = match &waiting.what {
            What::Up { services, .. } => {
                first(services.iter().map(|(id, than)| self.is_up_since(*id, *than)))
            }
            What::Down { services, .. } => first(services.iter().map(|id| self.is_down(*id))),
            What::Reloaded { services, .. } => {
                first(services.iter().map(|id| self.is_reloaded(*id)))
            }
            What::Applied { .. } => Outcome::Pending,
        };
        match outcome {
            Outcome::Pending => {}
            Outcome::Failed(id) => {
                let (name, why) = self.name_and_why(id);
                client.refuse(&Error::Failed { name, why });
            }
            Outcome::Done => finish(client),
        }
    }

    /// The time that a call gave itself is over.
    pub fn time_out(&mut self, client: &mut Client) {
        let Doing::Waiting(waiting) = &client.doing else { return };
        let late = match &waiting.what {
            What::Up { services, .. } => services
                .iter()
                .find(|(id, than)| matches!(self.is_up_since(*id, *than), Outcome::Pending))
                .map(|(id, _)| *id),
            What::Down { services, .. } => {
                services.iter().copied().find(|id| matches!(self.is_down(*id), Outcome::Pending))
            }
            What::Reloaded { services, .. } => services
                .iter()
                .copied()
                .find(|id| matches!(self.is_reloaded(*id), Outcome::Pending)),
            What::Applied { .. } => None,
        };
        let (name, why) = late.map(|id| self.name_and_why(id)).unwrap_or_default();
        client.refuse(&Error::TimedOut { name, why });
    }

    /// Tells a client that watches what has changed, once it has taken what it was told before.
    pub fn tell_news(&mut self, client: &mut Client) {
        if !client.is_free() {
            // Looked at again when it has made room.
            return;
        }
        let Doing::Watching(Watching { news, .. }) = &mut client.doing else { return };
        let news = std::mem::take(news);
        if news.is_empty() {
            return;
        }
        let now_us = clock::now().0;
        let services = news.into_iter().filter_map(|id| self.describe(id)).collect();
        client.reply_more(ListReply { services, now_us });
    }

    fn is_up_since(&self, id: ServiceId, than: Option<Incarnation>) -> Outcome {
        let unit = self.engine.status(id).unit;
        let is_new = than.is_none_or(|than| unit.incarnation > than);
        match unit.state {
            State::Up { .. } if is_new => Outcome::Done,
            State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => {
                Outcome::Failed(id)
            }
            State::Down => self.is_stuck(id),
            State::Up { .. }
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Finishing { .. }
            | State::Cleaning { .. } => Outcome::Pending,
        }
    }

    /// It waits; for someone who has failed, in the end?
    fn is_stuck(&self, id: ServiceId) -> Outcome {
        let status = self.engine.status(id);
        if status.goal == engine::Goal::Down {
            return Outcome::Failed(id);
        }
        let chain = self.engine.why(id);
        let Some((root, _)) = chain.last().filter(|(root, _)| *root != id) else {
            return Outcome::Pending;
        };
        match self.engine.status(*root).unit.state {
            State::Backoff { .. } | State::Ended | State::Failed | State::Skipped { .. } => {
                Outcome::Failed(*root)
            }
            State::Down
            | State::Up { .. }
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Finishing { .. }
            | State::Cleaning { .. } => Outcome::Pending,
        }
    }

    fn is_down(&self, id: ServiceId) -> Outcome {
        let status = self.engine.status(id);
        if status.unit.state.is_idle() {
            Outcome::Done
        } else if status.goal == engine::Goal::Down {
            Outcome::Pending
        } else {
            // Somebody has started it again.
            Outcome::Failed(id)
        }
    }

    fn is_reloaded(&self, id: ServiceId) -> Outcome {
        match self.engine.status(id).unit.state {
            State::Up { reloading: Reloading::No, .. } => Outcome::Done,
            State::Up { reloading: Reloading::Failed { .. }, .. } => Outcome::Failed(id),
            State::Up { .. } => Outcome::Pending,
            State::Down
            | State::Spawning { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Finishing { .. }
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Ended
            | State::Failed
            | State::Skipped { .. } => Outcome::Failed(id),
        }
    }

    fn name_and_why(&self, id: ServiceId) -> (String, String) {
        let why =
            self.describe(id).map(|service| match (service.why.is_empty(), service.last_end) {
                (true, Some(end)) => end.text,
                (true, None) => service.state.word().into(),
                (false, _) => service.why,
            });
        (self.name(id).into(), why.unwrap_or_default())
    }
}

/// Answers a call whose wait was for this.
pub fn finish(client: &mut Client) {
    match std::mem::replace(&mut client.doing, Doing::Nothing) {
        Doing::Waiting(Waiting { what, .. }) => match what {
            What::Up { plan, .. } | What::Down { plan, .. } | What::Reloaded { plan, .. } => {
                client.reply(PlanReply { plan });
            }
            What::Applied { changes } => client.reply(ApplyReply { changes }),
        },
        other @ (Doing::Nothing | Doing::Watching(_)) => client.doing = other,
    }
}

/// The first failure; else pending, if any is.
fn first(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let mut all = Outcome::Done;
    for outcome in outcomes {
        match outcome {
            Outcome::Failed(id) => return Outcome::Failed(id),
            Outcome::Pending => all = Outcome::Pending,
            Outcome::Done => {}
        }
    }
    all
}
