//! One client that has finished its handshake.

use crate::dbus::{Header, Kind, Rule, Signal, Writer};

use super::Client;
use super::call::{DBUS, OWN_NAME, Refused, Reply};

/// More rules than any client needs.
const RULES_MAX: usize = 16;

/// A client, and what it wants to hear.
#[derive(Clone, Debug)]
pub struct Session {
    /// As `Hello` returns it.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// It was told that a shutdown begins, and not that it does not.
    pub is_told: bool,
    /// It is to be told then.
    pub tell_at_us: Option<u64>,
    rules: Vec<Rule>,
    serial: u32,
}

impl Session {
    /// A client that knows nothing yet.
    pub fn new(client: Client, pid: u32, uid: u32) -> Self {
        // :1.0 is our own name.
        let name = format!(":1.{}", u64::from(client.0).saturating_add(1));
        Self { name, pid, uid, is_told: false, tell_at_us: None, rules: Vec::new(), serial: 0 }
    }

    /// It wants to hear what this rule matches.
    pub fn subscribe(&mut self, rule: &str) -> Result<(), Refused> {
        let rule = Rule::new(rule).ok_or(Refused::invalid_rule())?;
        if self.rules.len() >= RULES_MAX {
            return Err(Refused::limit("it has too many match rules"));
        }
        self.rules.push(rule);
        Ok(())
    }

    /// It does not want to any more.
    pub fn unsubscribe(&mut self, rule: &str) -> Result<Reply, Refused> {
        let rule = Rule::new(rule);
        let at = self.rules.iter().position(|known| Some(known) == rule.as_ref());
        self.rules.remove(at.ok_or(Refused::unknown_rule())?);
        Ok(Reply::default())
    }

    /// It wants to hear this.
    pub fn wants(&self, signal: &Signal<'_>) -> bool {
        self.rules.iter().any(|rule| rule.matches(signal))
    }

    /// The message that answers this call.
    pub fn reply(&mut self, call: &Header<'_>, answer: &Result<Reply, Refused>) -> Vec<u8> {
        let sender = if call.destination == DBUS { DBUS } else { OWN_NAME };
        let name = self.name.clone();
        let common = Header {
            serial: self.number(),
            reply_to: call.serial,
            destination: &name,
            sender,
            ..Header::default()
        };
        match answer {
            Ok(reply) => Header {
                kind: Kind::Return,
                signature: reply.signature,
                descriptors: reply.descriptors,
                ..common
            }
            .encode(&reply.body),
            Err(refused) => {
                let mut body = Writer::default();
                body.string(refused.text);
                Header { kind: Kind::Error, error: refused.name, signature: "s", ..common }
                    .encode(&body)
            }
        }
    }

    /// The message of a signal.
    pub fn signal(&mut self, signal: &Signal<'_>, signature: &str, body: &Writer) -> Vec<u8> {
        let header = Header {
            kind: Kind::Signal,
            serial: self.number(),
            path: signal.path,
            interface: signal.interface,
            member: signal.member,
            sender: OWN_NAME,
            signature,
            ..Header::default()
        };
        header.encode(body)
    }

    fn number(&mut self) -> u32 {
        // 0 is no number.
        self.serial = self.serial.checked_add(1).unwrap_or(1);
        self.serial
    }
}
