//! A Varlink client: one connection, one call at a time, blocking.
//!
//! `supervise` may be killed and replaced at any moment. The socket is held by init, so that
//! connecting works even then; a connection that was open breaks, and [`Fault::Broken`] says so,
//! apart from everything else, because only the caller knows whether a call may be repeated.
//! Repeating needs no pause: the next connection waits until the next `supervise` takes it, and
//! init paces those.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wire::varlink::{self, Call, Frames, Method, REPLY_MAX, Reply};

use crate::{error::Error, paths::Paths};

/// `supervise` answers at once; one that has not for so long is stopped or hangs.
pub const ANSWER: Duration = Duration::from_secs(10);
/// So many broken connections in a row, and a person should know: init's back-off has begun.
pub const BREAKS_MAX: u32 = 6;
/// Read at once from the socket.
const CHUNK: usize = 16 * 1024;

/// Why there is no reply.
#[derive(Debug)]
pub enum Fault {
    /// Nobody listens: Cooper does not run here.
    Absent(io::Error),
    /// The connection ended: `supervise` was replaced, or refuses to talk to us.
    Broken,
    /// No answer in time.
    Silent,
    /// What came is not Varlink.
    Garbage(String),
    /// Another failure of the socket.
    Socket(io::Error),
    /// It was understood, and refused.
    Refused(varlink::Error),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let why = match fault {
            Fault::Refused(error) => return error.into(),
            Fault::Absent(error) => {
                format!("{}; Cooper does not run here", crate::error::io_text(&error))
            }
            Fault::Broken => "it was replaced meanwhile; repeat the command".into(),
            Fault::Silent => {
                format!(
                    "it has not answered for {} s; `svc status` works without it",
                    ANSWER.as_secs()
                )
            }
            Fault::Garbage(what) => format!("its answer makes no sense: {what}"),
            Fault::Socket(error) => crate::error::io_text(&error),
        };
        Self::System { what: "talk to supervise".into(), why }
    }
}

/// One connection to `supervise`.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    frames: Frames,
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Client {
    /// Connects to the control socket.
    pub fn connect(paths: &Paths) -> Result<Self, Fault> {
        Self::open(&paths.control())
    }

    fn open(path: &Path) -> Result<Self, Fault> {
        let stream = UnixStream::connect(path).map_err(|error| {
            let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
            if absent.contains(&error.kind()) { Fault::Absent(error) } else { Fault::Socket(error) }
        })?;
        stream.set_write_timeout(Some(ANSWER)).map_err(Fault::Socket)?;
        Ok(Self { stream, frames: Frames::new(REPLY_MAX) })
    }

    /// Calls a method that answers once.
    pub fn call<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: Method,
        parameters: &P,
    ) -> Result<R, Fault> {
        self.send(method, parameters, false)?;
        self.reply(ANSWER)?.ok_or(Fault::Silent)
    }

    /// Sends a call. [`Client::reply`] reads what it is answered; with `more`, again and again.
    pub fn send<P: Serialize>(
        &mut self,
        method: Method,
        parameters: &P,
        more: bool,
    ) -> Result<(), Fault> {
        let call = Call {
            method: method.name().into(),
            parameters: Some(parameters),
            more,
            oneway: false,
            upgrade: false,
        };
        let mut bytes =
            serde_json::to_vec(&call).map_err(|error| Fault::Garbage(error.to_string()))?;
        bytes.push(0);
        self.stream.write_all(&bytes).map_err(|error| broken_or(&error))
    }

    /// The next reply; none if none came for so long.
    pub fn reply<R: DeserializeOwned>(&mut self, patience: Duration) -> Result<Option<R>, Fault> {
        let end = Instant::now().checked_add(patience);
        loop {
            let message = self.frames.next_message();
            if let Some(message) = message.map_err(|_| Fault::Garbage("it is too long".into()))? {
                return parse(&message).map(Some);
            }
            let left = end.map_or(patience, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() || !self.read(left)? {
                return Ok(None);
            }
        }
    }

    /// Reads once; false if nothing came in time.
    fn read(&mut self, patience: Duration) -> Result<bool, Fault> {
        self.stream.set_read_timeout(Some(patience)).map_err(Fault::Socket)?;
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Fault::Broken),
            Ok(count) => {
                self.frames.push(chunk.get(..count).unwrap_or_default());
                Ok(true)
            }
            Err(error) if is_silence(&error) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(broken_or(&error)),
        }
    }
}

/// The kernel says either when a socket's timeout is over.
fn is_silence(error: &io::Error) -> bool {
    [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut].contains(&error.kind())
}

fn broken_or(error: &io::Error) -> Fault {
    let broken = [
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
    ];
    if broken.contains(&error.kind()) {
        Fault::Broken
    } else if is_silence(error) {
        Fault::Silent
    } else {
        // An io::Error cannot be copied, but for its number.
        Fault::Socket(
            error.raw_os_error().map_or(error.kind().into(), io::Error::from_raw_os_error),
        )
    }
}

fn parse<R: DeserializeOwned>(message: &[u8]) -> Result<R, Fault> {
    let garbage = |error: serde_json::Error| Fault::Garbage(error.to_string());
    let mut value: Value = serde_json::from_slice(message).map_err(garbage)?;
    if let Some(name) = value.get("error").cloned() {
        return Err(match serde_json::from_value(value) {
            Ok(error) => Fault::Refused(error),
            Err(_) => Fault::Garbage(format!("an unknown error, {name}")),
        });
    }
    // A reply without parameters is one with none.
    if value.get("parameters").is_none_or(Value::is_null) {
        if let Some(object) = value.as_object_mut() {
            object.insert("parameters".into(), Value::Object(serde_json::Map::new()));
        }
    }
    serde_json::from_value::<Reply<R>>(value).map(|reply| reply.parameters).map_err(garbage)
}

#[cfg(test)]
mod tests;
