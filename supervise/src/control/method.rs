//! The methods of `org.cooper.Services`, and those that every Varlink service has.

use std::collections::BTreeSet;

use engine::Request;
use graph::ServiceId;
use serde_json::Value;
use wire::link;
use wire::varlink::{
    ApplyParameters, ApplyReply, BootTraceReply, DESCRIPTION, DescriptionParameters,
    DescriptionReply, Ending, Error, ExplainParameters, ExplainReply, INTERFACE, InfoReply,
    ListReply, Method, Nothing, Order, PlanParameters, PlanReply, ReloadParameters,
    RestartParameters, SERVICE_DESCRIPTION, SERVICE_INTERFACE, ShutdownParameters,
    SignalParameters, StartParameters, StatusParameters, Steps, StopParameters, WatchParameters,
};

use super::answer::{Snapshot, parameters};
use super::client::{Client, Doing, Watching, until};
use super::wait::{Waiting, What};
use crate::clock;
use crate::shell::Shell;

/// What an order is called with.
struct Ordered {
    request: Request,
    names: Vec<String>,
    plan_only: bool,
    wait: bool,
    timeout_us: Option<u64>,
}

impl Shell<'_> {
    /// Answers one call.
    pub fn call(
        &mut self,
        client: &mut Client,
        method: Method,
        more: bool,
        value: Option<Value>,
    ) -> Result<(), Error> {
        match method {
            Method::List => {
                parameters::<Nothing>(value)?;
                client.reply(self.list(self.view.ids()));
            }
            Method::Status => {
                let StatusParameters { names } = parameters(value)?;
                client.reply(self.list(self.ids(&names)?.into_iter()));
            }
            Method::Start => self.call_start(client, parameters(value)?)?,
            Method::Stop => self.call_stop(client, parameters(value)?)?,
            Method::Restart => self.call_restart(client, parameters(value)?)?,
            Method::Reload => self.call_reload(client, parameters(value)?)?,
            Method::Signal => self.call_signal(client, &parameters(value)?)?,
            Method::Apply => self.call_apply(client, parameters(value)?)?,
            Method::Plan => self.call_plan(client, &parameters(value)?)?,
            Method::Explain => self.call_explain(client, &parameters(value)?)?,
            Method::Watch if !more => return Err(Error::ExpectedMore {}),
            Method::Watch => self.call_watch(client, parameters(value)?)?,
            Method::Shutdown => self.call_shutdown(client, parameters(value)?)?,
            Method::BootTrace => {
                parameters::<Nothing>(value)?;
                let now_us = clock::now().0;
                let boot_us = self.world.live.boot_us;
                let traces = wire::describe::traces(&Snapshot { shell: self, now_us });
                client.reply(BootTraceReply { boot_us, traces, now_us });
            }
            Method::GetInfo => {
                parameters::<Nothing>(value)?;
                client.reply(info());
            }
            Method::GetInterfaceDescription => {
                let DescriptionParameters { interface } = parameters(value)?;
                let description = match interface.as_str() {
                    INTERFACE => DESCRIPTION,
                    SERVICE_INTERFACE => SERVICE_DESCRIPTION,
                    _ => return Err(Error::InterfaceNotFound { interface }),
                };
                client.reply(DescriptionReply { description: description.into() });
            }
        }
        Ok(())
    }

    fn list(&self, ids: impl Iterator<Item = ServiceId>) -> ListReply {
        let services = ids.filter_map(|id| self.describe(id)).collect();
        ListReply { services, now_us: clock::now().0 }
    }

    fn call_start(&mut self, client: &mut Client, said: StartParameters) -> Result<(), Error> {
        let StartParameters { names, plan, wait, timeout_us } = said;
        let ordered = Ordered {
            request: Request::Start,
            names,
            plan_only: plan == Some(true),
            wait: wait == Some(true),
            timeout_us,
        };
        self.order(client, &ordered, |ids, _| What::Up {
            services: ids.iter().map(|id| (*id, None)).collect(),
            plan: Steps::default(),
        })
    }

    fn call_stop(&mut self, client: &mut Client, said: StopParameters) -> Result<(), Error> {
        let StopParameters { names, force, plan, wait, timeout_us } = said;
        let plan_only = plan == Some(true);
        if force != Some(true) && !plan_only {
            self.authorise(client)?;
            let ids = self.ids(&names)?;
            let mut reached = self.engine.plan(Request::Stop, &ids).stop;
            reached.retain(|id| !ids.contains(id));
            if !reached.is_empty() {
                return Err(Error::WouldStop { names: self.names(&reached) });
            }
        }
        let wait = wait == Some(true);
        let ordered = Ordered { request: Request::Stop, names, plan_only, wait, timeout_us };
        self.order(client, &ordered, |ids, _| What::Down {
            services: ids.to_vec(),
            plan: Steps::default(),
        })
    }

    fn call_restart(&mut self, client: &mut Client, said: RestartParameters) -> Result<(), Error> {
        let RestartParameters { names, with_dependents, plan, wait, timeout_us } = said;
        let with_dependents = with_dependents == Some(true);
        let ordered = Ordered {
            request: Request::Restart { with_dependents },
            names,
            plan_only: plan == Some(true),
            wait: wait == Some(true),
            timeout_us,
        };
        self.order(client, &ordered, |ids, shell| {
            let life = |id: &ServiceId| {
                let unit = shell.engine.status(*id).unit;
                (*id, unit.state.is_up().then_some(unit.incarnation))
            };
            What::Up { services: ids.iter().map(life).collect(), plan: Steps::default() }
        })
    }

    fn call_reload(&mut self, client: &mut Client, said: ReloadParameters) -> Result<(), Error> {
        let ReloadParameters { names, plan, wait, timeout_us } = said;
        let plan_only = plan == Some(true);
        let ids = self.ids(&names)?;
        if !plan_only {
            self.authorise(client)?;
            let reached = self.engine.plan(Request::Reload, &ids).reload;
            if let Some(id) = ids.iter().find(|id| !reached.contains(id)) {
                let is_up = self.engine.status(*id).unit.state.is_up();
                let why = if is_up { "it has no way to reload" } else { "it is not up" };
                return Err(Error::Failed { name: self.name(*id).into(), why: why.into() });
            }
        }
        let wait = wait == Some(true);
        let ordered = Ordered { request: Request::Reload, names, plan_only, wait, timeout_us };
        self.order(client, &ordered, |ids, _| What::Reloaded {
            services: ids.to_vec(),
            plan: Steps::default(),
        })
    }

    /// Plans, and unless that is all, does it; and answers at once or later.
    fn order(
        &mut self,
        client: &mut Client,
        ordered: &Ordered,
        what: impl FnOnce(&[ServiceId], &Self) -> What,
    ) -> Result<(), Error> {
        let ids = self.ids(&ordered.names)?;
        let plan = self.plan_of(&self.engine.plan(ordered.request, &ids));
        if ordered.plan_only {
            client.reply(PlanReply { plan });
            return Ok(());
        }
        self.authorise(client)?;
        self.refuse_when_busy()?;
        let mut what = what(&ids, self);
        self.engine.request(clock::now(), ordered.request, &ids);
        if !ordered.wait {
            client.reply(PlanReply { plan });
            return Ok(());
        }
        match &mut what {
            What::Up { plan: to, .. } | What::Down { plan: to, .. } => *to = plan,
            What::Reloaded { plan: to, .. } => *to = plan,
            What::Applied { .. } => {}
        }
        self.begin_wait(client, what, ordered.timeout_us);
        Ok(())
    }

    fn begin_wait(&mut self, client: &mut Client, what: What, timeout_us: Option<u64>) {
        client.doing = Doing::Waiting(Waiting { what, until: until(timeout_us) });
        // What is so already is answered with this round's news.
        self.world.control.is_news = true;
    }

    fn call_signal(&mut self, client: &mut Client, said: &SignalParameters) -> Result<(), Error> {
        let id = self.id(&said.name)?;
        self.authorise(client)?;
        if !(1..=wire::describe::SIGNAL_MAX).contains(&said.signal) {
            let parameter = format!("signal: {} is no signal", said.signal);
            return Err(Error::InvalidParameter { parameter });
        }
        let failed = |why: &str| Error::Failed { name: said.name.clone(), why: why.into() };
        if said.all == Some(true) {
            self.process(id).ok_or_else(|| failed("it has no process"))?;
            self.signal_all(id, said.signal);
        } else {
            self.main(id).ok_or_else(|| failed("it has no process"))?;
            self.signal_main(id, said.signal);
        }
        client.reply(Nothing {});
        Ok(())
    }

    fn call_apply(&mut self, client: &mut Client, said: ApplyParameters) -> Result<(), Error> {
        let dry_run = said.dry_run == Some(true);
        if !dry_run {
            self.authorise(client)?;
            self.refuse_when_busy()?;
        }
        let changes = self.begin_apply(dry_run)?;
        if dry_run {
            client.reply(ApplyReply { changes });
        } else {
            self.begin_wait(client, What::Applied { changes }, None);
        }
        Ok(())
    }

    fn call_plan(&mut self, client: &mut Client, said: &PlanParameters) -> Result<(), Error> {
        let ids = self.ids(&said.names)?;
        let with_dependents = said.with_dependents == Some(true);
        let request = match said.order {
            Order::Start => Request::Start,
            Order::Stop => Request::Stop,
            Order::Restart => Request::Restart { with_dependents },
            Order::Reload => Request::Reload,
        };
        client.reply(PlanReply { plan: self.plan_of(&self.engine.plan(request, &ids)) });
        Ok(())
    }

    fn call_explain(&mut self, client: &mut Client, said: &ExplainParameters) -> Result<(), Error> {
        let id = self.id(&said.name)?;
        let now_us = clock::now().0;
        let chain = wire::describe::chain(&Snapshot { shell: self, now_us }, id);
        let Some(service) = self.describe(id) else {
            return Err(Error::UnknownService { name: said.name.clone(), nearest: None });
        };
        client.reply(ExplainReply { service, chain, now_us });
        Ok(())
    }

    fn call_watch(&mut self, client: &mut Client, said: WatchParameters) -> Result<(), Error> {
        let only = said.names.filter(|names| !names.is_empty());
        let only = only.map(|names| self.ids(&names)).transpose()?;
        let only: Option<BTreeSet<ServiceId>> = only.map(|ids| ids.into_iter().collect());
        let services: Vec<ServiceId> = match &only {
            Some(ids) => ids.iter().copied().collect(),
            None => self.view.ids().collect(),
        };
        client.doing = Doing::Watching(Watching { only, news: BTreeSet::new() });
        client.reply_more(self.list(services.into_iter()));
        Ok(())
    }

    fn call_shutdown(
        &mut self,
        client: &mut Client,
        said: ShutdownParameters,
    ) -> Result<(), Error> {
        self.authorise(client)?;
        let request = match said.ending {
            Ending::Poweroff => link::Request::Poweroff,
            Ending::Reboot => link::Request::Reboot,
            Ending::Halt => link::Request::Halt,
            Ending::Kexec => link::Request::Kexec,
            Ending::Exit => link::Request::Exit,
        };
        self.begin_shutdown(request, said.exit_status.unwrap_or(0), 0);
        client.reply(Nothing {});
        Ok(())
    }

    fn refuse_when_busy(&self) -> Result<(), Error> {
        let reason = if self.world.live.shutdown.is_some() {
            "a shutdown is under way"
        } else if self.apply.is_pending() {
            "a new graph is being put in force"
        } else {
            return Ok(());
        };
        Err(Error::Busy { reason: reason.into() })
    }

    fn plan_of(&self, plan: &engine::Plan) -> Steps {
        Steps {
            start: self.names(&plan.start),
            stop: self.names(&plan.stop),
            restart: self.names(&plan.restart),
            reload: self.names(&plan.reload),
        }
    }
}

fn info() -> InfoReply {
    InfoReply {
        vendor: "Cooper".into(),
        product: "Cooper".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        url: String::new(),
        interfaces: vec![SERVICE_INTERFACE.into(), INTERFACE.into()],
    }
}
