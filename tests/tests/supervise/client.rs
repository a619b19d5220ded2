//! A Varlink client as anyone could write it: a socket, JSON, a NUL.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use serde_json::{Value, json};

use crate::tree::{PATIENCE, Tree};

/// A connection.
pub struct Client<'a> {
    tree: &'a Tree,
    stream: UnixStream,
    read: Vec<u8>,
}

impl<'a> Client<'a> {
    /// Connects; the socket is there even while there is no supervisor.
    pub fn connect(tree: &'a Tree) -> Self {
        let stream = UnixStream::connect(tree.run("control")).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { tree, stream, read: Vec::new() }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Begins a call.
    pub fn begin(&mut self, method: &str, parameters: &Value, more: bool) -> std::io::Result<()> {
        let method = if method.contains('.') {
            method.to_owned()
        } else {
            format!("org.cooper.Services.{method}")
        };
        let call = json!({ "method": method, "parameters": parameters, "more": more });
        self.send(format!("{call}\0").as_bytes())
    }

    /// The next reply; none if the connection ends.
    pub fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = self.read.drain(..=end).collect();
                let message = &message[..end];
                return Some(serde_json::from_slice(message).expect("JSON"));
            }
            let mut buffer = [0; 65536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.read.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no reply: {error}: {}", self.tree.said()),
            }
        }
    }

    /// Calls, again and again if the supervisor is replaced meanwhile.
    pub fn call(mut self, method: &str, parameters: Value) -> Result<Value, (String, Value)> {
        let start = Instant::now();
        loop {
            let sent = self.begin(method, &parameters, false);
            match sent.ok().and_then(|()| self.next()) {
                Some(reply) => return outcome(reply),
                None => self = Self::connect(self.tree),
            }
            assert!(start.elapsed() < PATIENCE, "{method}: no answer: {}", self.tree.said());
        }
    }

    /// Calls once: no reply means that the call must be repeated.
    pub fn call_once(
        &mut self,
        method: &str,
        parameters: &Value,
    ) -> Option<Result<Value, (String, Value)>> {
        self.begin(method, parameters, false).ok()?;
        self.next().map(outcome)
    }

    /// Waits until a service is as the test wants it.
    pub fn watch(mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        let mut last = Value::Null;
        loop {
            let begun = self.begin("Watch", &json!({ "names": [name] }), true);
            while let Some(reply) = begun.as_ref().ok().and_then(|()| self.next()) {
                let reply = outcome(reply).expect("a stream");
                for service in reply["services"].as_array().expect("services") {
                    last = service.clone();
                    if is_it(service) {
                        return last;
                    }
                }
                assert!(start.elapsed() < PATIENCE, "{name} is {last}: {}", self.tree.said());
            }
            assert!(start.elapsed() < PATIENCE, "{name} is {last}: {}", self.tree.said());
            self = Self::connect(self.tree);
        }
    }
}

fn outcome(mut reply: Value) -> Result<Value, (String, Value)> {
    let parameters = reply["parameters"].take();
    match reply["error"].as_str() {
        None => Ok(parameters),
        Some(error) => Err((error.rsplit('.').next().unwrap_or(error).to_owned(), parameters)),
    }
}
