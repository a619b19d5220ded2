//! Who listens where, from `/proc/net`.

use std::{collections::HashMap, fs};

use facts::Protocol;

use super::System;

/// States of a socket, as `/proc/net` has them.
const TCP_LISTEN: &str = "0A";
/// Bound, and connected to nobody.
const UDP_UNCONNECTED: &str = "07";

/// A socket that waits for somebody to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Of which protocol, either version of IP.
    pub protocol: Protocol,
    /// Where.
    pub port: u16,
    /// Whose.
    pub holder: Holder,
}

/// Whose a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process: its name, and its number.
    Process(String, String),
    /// The kernel itself: a tunnel, or WireGuard.
    Kernel,
    /// We may not look.
    Hidden,
}

/// All of them.
pub fn list(system: &System) -> Vec<Socket> {
    let holders = holders(system);
    let tables = [
        ("/proc/net/tcp", Protocol::Tcp),
        ("/proc/net/tcp6", Protocol::Tcp),
        ("/proc/net/udp", Protocol::Udp),
        ("/proc/net/udp6", Protocol::Udp),
    ];
    let mut sockets = Vec::new();
    for (path, protocol) in tables {
        for (port, inode) in listening(&system.text(path).unwrap_or_default(), protocol) {
            let holder = match holders.get(&inode) {
                Some((name, pid)) => Holder::Process(name.clone(), pid.clone()),
                None if system.is_root() => Holder::Kernel,
                None => Holder::Hidden,
            };
            sockets.push(Socket { protocol, port, holder });
        }
    }
    sockets
}

/// Port and inode of each that listens.
fn listening(table: &str, protocol: Protocol) -> Vec<(u16, String)> {
    let state = match protocol {
        Protocol::Tcp => TCP_LISTEN,
        Protocol::Udp => UDP_UNCONNECTED,
    };
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (_, port) = words.get(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let inode = words.get(9)?;
        (words.get(3) == Some(&state)).then(|| (port, (*inode).to_owned()))
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// The process that has a socket open, by the socket's inode.
fn holders(system: &System) -> HashMap<String, (String, String)> {
    let mut holders = HashMap::new();
    for process in system.processes() {
        let directory = system.path(&format!("/proc/{}/fd", process.pid));
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            if let Some(inode) = inode {
                let holder = (process.name.clone(), process.pid.clone());
                holders.entry(inode.to_owned()).or_insert(holder);
            }
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 1 0
   1: 0100007F:192C 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0  0 4712 1 0
";

    /// A connection is not somebody who listens.
    #[test]
    fn only_listeners_count() {
        assert_eq!(listening(TCP, Protocol::Tcp), [(6443, "4711".into())]);
        assert_eq!(listening("", Protocol::Udp), []);
    }
}
