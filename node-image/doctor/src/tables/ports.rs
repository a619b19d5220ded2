//! Ports that belong to somebody.

use facts::{Port, Protocol};

use crate::{
    finding::Verdict,
    system::{Holder, System},
};

/// As `/etc/services` has it.
pub const fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// What an entry calls the kernel itself, which listens for tunnels and for WireGuard.
const KERNEL: &str = "kernel";

/// Free, or had by whom it belongs to.
pub fn judge(port: &Port, system: &System) -> Verdict {
    let mut rightful = None;
    let mut hidden = false;
    for socket in system.sockets() {
        if socket.port != port.port || socket.protocol != port.protocol {
            continue;
        }
        match &socket.holder {
            Holder::Process(name, pid) => {
                let cut: String = name.chars().take(15).collect();
                if !port.owner.contains(&cut) {
                    return Verdict::fails(format!("{name} (process {pid}) has it"));
                }
                rightful = Some(format!("{name} has it"));
            }
            Holder::Kernel if port.owner.iter().any(|owner| owner == KERNEL) => {
                rightful = Some("a tunnel of the kernel has it".into());
            }
            Holder::Kernel => return Verdict::fails("a tunnel of the kernel has it"),
            Holder::Hidden => hidden = true,
        }
    }
    match (hidden, rightful) {
        (true, _) => Verdict::NeedsRoot("somebody has it".into()),
        (false, Some(who)) => Verdict::Holds(who),
        (false, None) => Verdict::Holds("free".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::testing::Machine;

    const HEAD: &str = "  sl  local_address rem_address   st …\n";

    fn port() -> Port {
        Port {
            port: 6443,
            protocol: Protocol::Tcp,
            owner: vec!["k3s-server".into()],
            severity: facts::Severity::Error,
            why: "the API".into(),
            source: "k3s".into(),
            by: vec![],
        }
    }

    fn busy(state: &str) -> Machine {
        let line = format!("   0: 00000000:192B 00000000:0000 {state} 0:0 00:0 0 0 0 4711 1 0\n");
        Machine::new().root().file("/proc/net/tcp6", &format!("{HEAD}{line}"))
    }

    #[test]
    fn a_port_is_free_until_somebody_listens() {
        assert_eq!(judge(&port(), &Machine::new().system()), Verdict::Holds("free".into()));
        assert_eq!(judge(&port(), &busy("01").system()), Verdict::Holds("free".into()));
    }

    #[test]
    fn its_owner_may_have_it_and_no_other() {
        let had_by = |name: &str| {
            let machine = busy("0A").process(77, name).link("/proc/77/fd/5", "socket:[4711]");
            judge(&port(), &machine.system())
        };
        assert_eq!(had_by("k3s-server"), Verdict::Holds("k3s-server has it".into()));
        assert_eq!(had_by("nginx"), Verdict::fails("nginx (process 77) has it"));
    }

    /// A tunnel's socket has no process; without privileges, no socket seems to have one.
    #[test]
    fn what_no_process_has_the_kernel_has() {
        let found = "a tunnel of the kernel has it";
        assert_eq!(judge(&port(), &busy("0A").system()), Verdict::fails(found));
        let tunnel = Port { owner: vec!["kernel".into()], ..port() };
        assert_eq!(judge(&tunnel, &busy("0A").system()), Verdict::Holds(found.into()));
        let machine = busy("0A").file("/proc/self/status", "Uid:\t1000\t1000\t1000\t1000\n");
        assert_eq!(judge(&port(), &machine.system()), Verdict::NeedsRoot("somebody has it".into()));
    }
}
