//! From the bytes of a call to the method that it means.

use graph::ServiceId;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sys::users::Users;
use wire::link::Role;
use wire::state::Record;
use wire::varlink::{Call, Error, Method, Service};

use super::client::Client;
use crate::clock;
use crate::shell::Shell;

impl Shell<'_> {
    /// Answers a call, or begins to wait for what it asks for.
    pub fn answer(&mut self, client: &mut Client, bytes: &[u8]) {
        client.oneway = false;
        let call: Call<Value> = match serde_json::from_slice(bytes) {
            Ok(call) => call,
            Err(error) => {
                return client.refuse(&Error::InvalidParameter { parameter: error.to_string() });
            }
        };
        client.oneway = call.oneway;
        let answered = Method::named(&call.method)
            .and_then(|method| self.call(client, method, call.more, call.parameters));
        if let Err(error) = answered {
            client.refuse(&error);
        }
    }

    /// Root, the tree's own user, and operators may change things.
    pub fn authorise(&self, client: &Client) -> Result<(), Error> {
        let uid = client.peer.id.uid;
        let own =
            self.world.hello.role == Role::Subtree && uid == rustix::process::geteuid().as_raw();
        if uid == 0 || own || self.is_operator(client) {
            return Ok(());
        }
        Err(Error::NotAllowed {})
    }

    /// The services of these names.
    pub fn ids(&self, names: &[String]) -> Result<Vec<ServiceId>, Error> {
        names.iter().map(|name| self.id(name)).collect()
    }

    /// The service of this name.
    pub fn id(&self, name: &str) -> Result<ServiceId, Error> {
        self.view.find(name).ok_or_else(|| {
            let names = self.view.ids().filter_map(|id| self.view.name(id));
            let nearest = graph::nearest(name, names).map(str::to_owned);
            Error::UnknownService { name: name.to_owned(), nearest }
        })
    }

    /// The names of services.
    pub fn names(&self, ids: &[ServiceId]) -> Vec<String> {
        ids.iter().map(|id| self.name(*id).to_owned()).collect()
    }

    /// A service, for people and programs.
    pub fn describe(&self, id: ServiceId) -> Option<Service> {
        wire::describe::describe(&Snapshot { shell: self, now_us: clock::now().0 }, id)
    }

    fn is_operator(&self, client: &Client) -> bool {
        let operators = self.view.operators();
        if operators.is_empty() {
            return false;
        }
        let Ok(users) = Users::read(std::path::Path::new(crate::prepare::ETC)) else {
            return false;
        };
        operators.iter().any(|operator| match operator.strip_prefix('@') {
            Some(group) => users.gid(group).is_ok_and(|gid| client.peer.is_member(gid)),
            None => users.uid(operator) == Ok(client.peer.id.uid),
        })
    }
}

/// Reads a method's parameters.
pub fn parameters<T: DeserializeOwned>(value: Option<Value>) -> Result<T, Error> {
    let value = value.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    serde_json::from_value(value)
        .map_err(|error| Error::InvalidParameter { parameter: error.to_string() })
}

/// What descriptions are made from.
pub struct Snapshot<'s, 'g> {
    pub shell: &'s Shell<'g>,
    pub now_us: u64,
}

impl wire::describe::World for Snapshot<'_, '_> {
    fn now_us(&self) -> u64 {
        self.now_us
    }

    fn count(&self) -> u32 {
        self.shell.table.count()
    }

    fn service(&self, id: ServiceId) -> Option<graph::Service> {
        self.shell.view.service(id).ok()
    }

    fn record(&self, id: ServiceId) -> Option<Record> {
        self.shell.table.record(id)
    }
}
