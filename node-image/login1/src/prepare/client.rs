//! The other end of the daemon's socket: one call at a time, each with a deadline.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::Error;
use crate::daemon::SOCKET;
use crate::dbus::{Header, Kind, LINE_MAX, MESSAGE_MAX, Message, Writer, length};
use crate::manager::{INTERFACE, PATH, Private};

/// The daemon answers at once; a machine that is busy dying may take a little.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that has finished its handshake.
#[derive(Debug)]
pub struct Connection {
    socket: UnixStream,
    serial: u32,
}

impl Connection {
    /// Connects.
    pub fn open(run: &Path) -> Result<Self, Error> {
        let path = run.join(SOCKET);
        let failed = |error| Error::path("connect to", &path, error);
        let socket = UnixStream::connect(&path).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        socket.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut connection = Self { socket, serial: 0 };
        // Who we are, the kernel tells.
        connection.write(b"\0AUTH EXTERNAL\r\nDATA\r\n")?;
        for expected in ["DATA", "OK "] {
            if !connection.line()?.starts_with(expected) {
                return Err(Error::Refused("it does not know us".into()));
            }
        }
        connection.write(b"BEGIN\r\n")?;
        Ok(connection)
    }

    /// Calls one of our own methods, and waits until it has returned.
    pub fn call(mut self, method: Private) -> Result<Self, Error> {
        self.serial = self.serial.saturating_add(1);
        let header = Header {
            serial: self.serial,
            path: PATH,
            interface: INTERFACE,
            member: method.name(),
            ..Header::default()
        };
        self.write(&header.encode(&Writer::default()))?;
        loop {
            let bytes = self.message()?;
            let message = Message::decode(&bytes).map_err(|error| garbage(&error))?;
            let is_ours = message.header.reply_to == self.serial;
            match message.header.kind {
                Kind::Return if is_ours => return Ok(self),
                Kind::Error if is_ours => {
                    let mut body = message.body;
                    let text = body.string().unwrap_or(message.header.error);
                    return Err(Error::Refused(text.into()));
                }
                Kind::Return | Kind::Error | Kind::Call | Kind::Signal => {}
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.socket.write_all(bytes).map_err(|error| Error::system("call login1", error))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.socket.read_exact(buffer).map_err(|error| Error::system("hear login1", error))
    }

    fn line(&mut self) -> Result<String, Error> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") && line.len() < LINE_MAX {
            let mut byte = [0];
            self.read(&mut byte)?;
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn message(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; 16];
        self.read(&mut bytes)?;
        let whole = length(&bytes).map_err(|error| garbage(&error))?.unwrap_or(MESSAGE_MAX);
        let begun = bytes.len();
        bytes.resize(whole, 0);
        self.read(bytes.get_mut(begun..).unwrap_or_default())?;
        Ok(bytes)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn garbage(error: &impl std::fmt::Display) -> Error {
    Error::Refused(format!("it speaks no D-Bus: {error}"))
}
