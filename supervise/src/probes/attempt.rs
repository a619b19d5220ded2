//! One try to connect, and to be answered.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with, sockopt,
};

/// `HTTP/1.1 200` and what comes before the reason.
const STATUS_LINE: usize = 12;

/// A connection that is being made, and what is to be said on it.
pub struct Attempt {
    socket: OwnedFd,
    /// What is not sent yet; none: to be connected is enough.
    request: Option<Vec<u8>>,
    answer: Vec<u8>,
}

/// Where it stands.
pub enum Progress {
    /// It will be heard of.
    Pending,
    /// It has succeeded, or not.
    Done(bool),
}

impl Attempt {
    /// To a unix stream socket; a leading `@` is an abstract name. The error is the outcome of a
    /// try that is over at once.
    pub fn unix(path: &str) -> Result<Self, bool> {
        let address = match path.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
            None => SocketAddrUnix::new(path),
        };
        Self::begin(AddressFamily::UNIX, &address.map_err(|_| false)?, None)
    }

    /// To `ADDRESS:PORT`; with host and path, for an answer to a GET.
    pub fn tcp(address: &str, get: Option<(&str, &str)>) -> Result<Self, bool> {
        let address: SocketAddr = address.parse().map_err(|_| false)?;
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let request = get.map(|(host, path)| {
            let words = "User-Agent: cooper\r\nAccept: */*\r\nConnection: close";
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{words}\r\n\r\n").into_bytes()
        });
        Self::begin(family, &address, request)
    }

    fn begin(
        family: AddressFamily,
        address: &impl rustix::net::addr::SocketAddrArg,
        request: Option<Vec<u8>>,
    ) -> Result<Self, bool> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(|_| false)?;
        match connect(&socket, address) {
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => {
                Ok(Self { socket, request, answer: Vec::new() })
            }
            Err(_) => Err(false),
        }
    }

    /// Does what can be done without waiting.
    pub fn go_on(&mut self) -> Progress {
        match sockopt::socket_error(&self.socket) {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Progress::Done(false),
        }
        if rustix::net::getpeername(&self.socket).is_err() {
            return Progress::Pending;
        }
        let Some(request) = &mut self.request else { return Progress::Done(true) };
        while !request.is_empty() {
            match send(&self.socket, request, SendFlags::NOSIGNAL) {
                Ok(sent) => drop(request.drain(..sent.min(request.len()))),
                Err(Errno::AGAIN | Errno::INTR) => return Progress::Pending,
                Err(_) => return Progress::Done(false),
            }
        }
        let mut buffer = [0; 256];
        while self.answer.len() < STATUS_LINE {
            match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Progress::Done(false),
                Ok((count, _)) => {
                    self.answer.extend(buffer.get(..count).unwrap_or_default());
                }
                Err(Errno::AGAIN | Errno::INTR) => return Progress::Pending,
                Err(_) => return Progress::Done(false),
            }
        }
        Progress::Done(is_success(&self.answer))
    }
}

impl AsFd for Attempt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Any status from 200 to 399.
fn is_success(answer: &[u8]) -> bool {
    let line = answer.get(..STATUS_LINE).and_then(|line| std::str::from_utf8(line).ok());
    let status = line.and_then(|line| line.strip_prefix("HTTP/1.")).and_then(|rest| rest.get(2..));
    status
        .and_then(|status| status.parse::<u16>().ok())
        .is_some_and(|status| (200..400).contains(&status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_good_statuses_count() {
        for (line, expected) in [
            ("HTTP/1.1 200 OK", true),
            ("HTTP/1.0 399 x", true),
            ("HTTP/1.1 199 x", false),
            ("HTTP/1.1 404 Not Found", false),
            ("HTTP/1.1 503 Service Unavailable", false),
            ("SSH-2.0-OpenSSH_9.2", false),
        ] {
            assert_eq!(is_success(line.as_bytes()), expected, "{line}");
        }
    }
}
