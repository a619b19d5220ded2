//! Section `loopback`: the interface that a machine talks to itself by.
//!
//! The kernel makes it, but leaves it down. It gives it 127.0.0.1 and ::1 when it comes up, so
//! addresses are only made here where somebody took them away.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::OwnedFd;

use facts::section::Empty;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use crate::looked::{self, Looked, needed};
use crate::{Finding, Report, Root};

/// Its number, in every network namespace.
const INDEX: u32 = 1;
/// `IFF_UP`.
const UP: u32 = 1;
const FLAGS: &str = "/sys/class/net/lo/flags";
const NO_IPV6: &str = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";
const WHY: &str = "probes, etcd and kubelet's health port talk to the machine itself";
const SOURCE: &str = "rtnetlink(7); RFC 1122, 3.2.1.3";

/// `RTM_NEWLINK` and `RTM_NEWADDR`.
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
/// `NLMSG_ERROR`: the answer to a request that wants one; its error may be 0.
const ANSWER: u16 = 2;
/// `NLM_F_REQUEST | NLM_F_ACK`, and `| NLM_F_CREATE | NLM_F_REPLACE`.
const REQUEST: u16 = 0x5;
const CREATE: u16 = 0x505;
/// `IFA_ADDRESS` and `IFA_LOCAL`.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;

enum Step {
    Up,
    Add(IpAddr),
}

/// How it stands.
#[must_use]
pub fn inspect(_: &Empty, root: &Root) -> Vec<Finding> {
    let mut looked = link(root);
    // While it is down it has none, and they come with it.
    if looked.iter().all(|it| it.step().is_none()) {
        looked.extend(addresses(root));
    }
    looked::findings(looked)
}

/// Brings it up.
pub fn apply(_: &Empty, root: &Root, report: &mut Report<'_>) {
    // The addresses come with it: they are looked at after that.
    looked::settle(link(root), report, take);
    looked::settle(addresses(root), report, take);
}

fn link(root: &Root) -> Vec<Looked<Step>> {
    let need = needed(WHY, SOURCE);
    let flags =
        root.line(FLAGS).and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
    vec![match flags {
        Some(flags) if flags & UP != 0 => Looked::holds("lo", "up", need),
        Some(_) => Looked::differs("lo", "down", "up", need, Step::Up),
        None => Looked::cannot("lo", "the kernel has no such interface", need),
    }]
}

/// An address is ours if a socket can be bound to it. Another machine's kernel cannot be asked.
fn addresses(root: &Root) -> Vec<Looked<Step>> {
    if !root.is_running() {
        return Vec::new();
    }
    let mut wanted = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    if root.line(NO_IPV6).as_deref() == Some("0") {
        wanted.push(Ipv6Addr::LOCALHOST.into());
    }
    let look = |address: IpAddr| {
        let subject = format!("lo, {address}");
        let need = needed(WHY, SOURCE);
        match UdpSocket::bind((address, 0)) {
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                Looked::differs(subject, "absent", "there", need, Step::Add(address))
            }
            Ok(_) | Err(_) => Looked::holds(subject, "there", need),
        }
    };
    wanted.into_iter().map(look).collect()
}

fn take(step: &Step) -> Result<(), String> {
    let (what, request) = match step {
        Step::Up => ("bring up lo".to_owned(), up()),
        Step::Add(address) => (format!("give lo the address {address}"), add(*address)),
    };
    ask(&request).map_err(|error| format!("{what}: {error}"))
}

/// Header (`struct nlmsghdr`), then `struct ifinfomsg`.
fn up() -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(INDEX.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    message(NEW_LINK, REQUEST, &body)
}

/// Header, `struct ifaddrmsg`, and the address twice.
fn add(address: IpAddr) -> Vec<u8> {
    /// `RT_SCOPE_HOST`: it means nothing outside.
    const HOST: u8 = 254;
    let (family, bits, bytes) = match address {
        IpAddr::V4(address) => (AddressFamily::INET, 8, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, 128, address.octets().to_vec()),
    };
    let mut body = vec![u8::try_from(family.as_raw()).unwrap_or(0), bits, 0, HOST];
    body.extend(INDEX.to_ne_bytes());
    for kind in [LOCAL, ADDRESS] {
        let length = u16::try_from(bytes.len().saturating_add(4)).unwrap_or(0);
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(&bytes);
    }
    message(NEW_ADDRESS, CREATE, &body)
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len().saturating_add(16)).unwrap_or(0);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    // Sequence and port: there is one question at a time, and the kernel fills in the port.
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Asks the kernel, and waits for its answer, which comes at once.
fn ask(request: &[u8]) -> Result<(), Error> {
    // Without a protocol, which is 0: NETLINK_ROUTE.
    let flags = SocketFlags::CLOEXEC;
    let socket: OwnedFd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    send(&socket, request, SendFlags::empty())?;
    let mut answer = [0; 4096];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    error_of(answer.get(..length).unwrap_or_default())
}

/// Of an answer: its type at 4, its error at 16, as `-errno`.
fn error_of(answer: &[u8]) -> Result<(), Error> {
    let kind = answer.get(4..6).and_then(|it| it.try_into().ok()).map(u16::from_ne_bytes);
    let error = answer.get(16..20).and_then(|it| it.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, error) {
        (Some(ANSWER), Some(0)) => Ok(()),
        (Some(ANSWER), Some(error)) => Err(Error::from_raw_os_error(error.saturating_neg())),
        (_, _) => Err(Error::other("the kernel answers something else")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::Machine;

    #[test]
    fn flags_tell_whether_it_is_up() {
        let state = |flags: &str| {
            let machine = Machine::new(&[(FLAGS, flags)]);
            looked::findings(link(&machine.root())).remove(0).state
        };
        assert_eq!(state("0x9\n"), State::Holds("up".to_owned()));
        assert!(matches!(state("0x8\n"), State::Differs { .. }));
        assert!(matches!(state("nonsense"), State::Cannot(_)));
    }

    #[test]
    fn an_answer_is_an_error_or_none() {
        let answer = |error: i32| {
            let mut answer = message(ANSWER, 0, &error.to_ne_bytes());
            answer.extend(up());
            error_of(&answer)
        };
        assert!(answer(0).is_ok());
        assert_eq!(answer(-1).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert!(error_of(&up()).is_err() && error_of(&[]).is_err());
    }
}
