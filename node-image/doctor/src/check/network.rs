//! Addresses, names and packets.

use facts::Severity;

use super::{Case, daemon::DAEMONS, subnet::Subnet};
use crate::{finding::Verdict, system::Process};

/// A route by way of a gateway (`RTF_GATEWAY`).
const GATEWAY: u32 = 2;
/// The mark by which tailscale's own packets pass its routes, as `ip rule` writes it.
const TAILSCALE_MARK: &str = "fwmark 0x80000";

/// Versions that write broken rules, and rules in two places.
pub fn iptables_version(case: &Case<'_>) -> Verdict {
    let Some(said) = case.system.run("iptables", &["--version"]) else {
        return Verdict::DoesNotApply("there is no iptables".into());
    };
    let legacy = case.system.text("/proc/net/ip_tables_names").unwrap_or_default();
    iptables(&said, &legacy, case.with.word("bad-from"), case.with.word("bad-to"))
}

fn iptables(said: &str, legacy_tables: &str, bad_from: &str, bad_to: &str) -> Verdict {
    let said = said.lines().next().unwrap_or_default().trim();
    let version = said.split_whitespace().nth(1).and_then(|word| numbers(word.strip_prefix('v')?));
    let Some(version) = version else {
        return Verdict::Unknown(format!("what version is `{said}`?"));
    };
    let is_nft = said.contains("nf_tables");
    let is_bad = numbers(bad_from).is_some_and(|from| version >= from)
        && numbers(bad_to).is_some_and(|to| version <= to);
    if is_bad && is_nft {
        return Verdict::fails(format!("{said} writes rules that its successors cannot read"));
    }
    let tables: Vec<&str> = legacy_tables.lines().collect();
    if is_nft && !tables.is_empty() {
        return Verdict::fails(format!(
            "{said}, and somebody uses the legacy tables as well: {}",
            tables.join(", ")
        ))
        .at_most(Severity::Warning)
        .fix("have all programs use the same one; `iptables-legacy -F` and a reboot clean up");
    }
    Verdict::Holds(said.into())
}

/// The cluster's networks are nobody else's.
pub fn cidr_overlap(case: &Case<'_>) -> Verdict {
    let wanted: Vec<Subnet> = case.with.words("cidrs").filter_map(Subnet::parse).collect();
    let ignored = |device: &str| {
        case.with.words("ignore").any(|name| match name.strip_suffix('*') {
            Some(start) => device.starts_with(start),
            None => device == name,
        })
    };
    let routes = case.system.text("/proc/net/route").unwrap_or_default();
    let routes6 = case.system.text("/proc/net/ipv6_route").unwrap_or_default();
    let routes = routes.lines().skip(1).filter_map(route);
    for route in routes.chain(routes6.lines().filter_map(route6)) {
        let overlaps = wanted.iter().find(|wanted| {
            // Flannel's and Cilium's own routes to other nodes are inside, by way of those nodes.
            let is_ours = route.by_gateway && wanted.contains(&route.to);
            route.to.overlaps(wanted) && !is_ours && !ignored(&route.device)
        });
        if let Some(wanted) = overlaps {
            let found = format!("{} is routed by {}: it overlaps {wanted}", route.to, route.device);
            return Verdict::fails(found);
        }
    }
    let resolv = case.system.text("/etc/resolv.conf").unwrap_or_default();
    let servers = resolv
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver")?.split_whitespace().next());
    for server in servers.filter_map(Subnet::parse) {
        if let Some(wanted) = wanted.iter().find(|wanted| wanted.contains(&server)) {
            return Verdict::fails(format!("the name server {server} is inside {wanted}"));
        }
    }
    Verdict::Holds(format!("nobody else routes {}", case.with.word("cidrs")))
}

struct Route {
    to: Subnet,
    device: String,
    by_gateway: bool,
}

/// `IFACE DESTINATION GATEWAY FLAGS … MASK …`: words of hexadecimal digits, as they lie in memory.
fn route(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let hex = |index: usize| u32::from_str_radix(words.get(index)?, 16).ok();
    let mask = u32::from_be_bytes(hex(7)?.to_ne_bytes());
    let address = u32::from_be_bytes(hex(1)?.to_ne_bytes());
    let to =
        Subnet::new(std::net::Ipv4Addr::from(address).into(), mask.leading_ones().try_into().ok()?);
    // Everything overlaps with the default route, and harms nobody.
    let device = (*words.first()?).to_owned();
    (mask != 0).then_some(Route { to, device, by_gateway: hex(3)? & GATEWAY != 0 })
}

/// `DESTINATION LENGTH SOURCE LENGTH NEXT METRIC USES USED FLAGS IFACE`.
fn route6(line: &str) -> Option<Route> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let address = u128::from_str_radix(words.first()?, 16).ok()?;
    let length = u8::from_str_radix(words.get(1)?, 16).ok()?;
    let device = (*words.get(9)?).to_owned();
    let flags = u32::from_str_radix(words.get(8)?, 16).ok()?;
    let to = Subnet::new(std::net::Ipv6Addr::from(address).into(), length);
    (length != 0 && device != "lo").then_some(Route {
        to,
        device,
        by_gateway: flags & GATEWAY != 0,
    })
}

/// One that filters what it was not told of.
pub fn firewall(case: &Case<'_>) -> Verdict {
    let has = |name: &str| case.system.processes_named(name).next().is_some();
    if has("firewalld") || case.system.exists("/run/firewalld") {
        return Verdict::fails("firewalld is running");
    }
    let ufw = case.system.text("/etc/ufw/ufw.conf").unwrap_or_default();
    if ufw.lines().any(|line| line.trim() == "ENABLED=yes") {
        return Verdict::fails("ufw is enabled");
    }
    Verdict::Holds("neither firewalld nor ufw".into())
}

/// Whoever has a proxy does not send the cluster's own traffic there.
pub fn proxy_environment(case: &Case<'_>) -> Verdict {
    let own = Process { pid: "self".into(), name: "this shell".into() };
    let daemons =
        case.system.processes().iter().filter(|process| DAEMONS.contains(&process.name.as_str()));
    for process in daemons.chain([&own]) {
        let Ok(environment) = process.environment(case.system) else { continue };
        let value = |wanted: &str| {
            let named = |entry: &String| {
                let (name, value) = entry.split_once('=')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            };
            environment.iter().find_map(named).filter(|value| !value.is_empty())
        };
        let Some(proxy) = value("http_proxy").or_else(|| value("https_proxy")) else { continue };
        let except = value("no_proxy").unwrap_or_default();
        let left_out = case.with.words("cidrs").find(|cidr| !covers(&except, cidr));
        if let Some(cidr) = left_out {
            let found = format!("{} sends {cidr} to the proxy {proxy}", process.name);
            return Verdict::fails(found)
                .fix(format!("add {cidr} to NO_PROXY where HTTP_PROXY is set"));
        }
    }
    Verdict::Holds("nobody sends the cluster's traffic to a proxy".into())
}

/// `NO_PROXY` has a network that contains this one.
fn covers(except: &str, cidr: &str) -> bool {
    let Some(cidr) = Subnet::parse(cidr) else { return true };
    let mut words = except.split(',').map(str::trim);
    words.any(|word| word == "*" || Subnet::parse(word).is_some_and(|net| net.contains(&cidr)))
}

/// Cilium and tailscale mark packets with the same bits.
pub fn packet_marks(case: &Case<'_>) -> Verdict {
    let running = case.system.processes_named("tailscaled").next().is_some();
    let wanted = case.node.profiles.iter().any(|profile| profile == "tailscale");
    if !running && !wanted {
        return Verdict::Holds("no tailscale here".into());
    }
    let valid_mark = case.system.sysctl("net.ipv4.conf.all.src_valid_mark");
    if valid_mark.as_deref() == Some("1") {
        return Verdict::fails("net.ipv4.conf.all.src_valid_mark is 1: Envoy's traffic is dropped");
    }
    match case.system.run("ip", &["rule"]) {
        Some(rules) if rules.contains(TAILSCALE_MARK) => {
            Verdict::fails("tailscale's rules are in force (`ip rule`: fwmark 0x80000)")
        }
        Some(_) if running => Verdict::Holds("tailscaled runs without its rules".into()),
        Some(_) | None => Verdict::fails("tailscale is wanted on this node as well"),
    }
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ask;
    use super::*;
    use crate::system::testing::Machine;

    #[test]
    fn broken_versions_of_iptables_are_found() {
        let judged = |said: &str, legacy: &str| iptables(said, legacy, "1.8.0", "1.8.3");
        let good = |said: &str| assert_eq!(judged(said, ""), Verdict::Holds(said.into()));
        good("iptables v1.8.9 (nf_tables)");
        good("iptables v1.8.2 (legacy)");
        good("iptables v1.6.1");
        assert!(matches!(judged("iptables v1.8.2 (nf_tables)", ""), Verdict::Fails(_)));
        assert!(matches!(judged("usage:", ""), Verdict::Unknown(_)));
        let both = judged("iptables v1.8.9 (nf_tables)", "nat\nfilter\n");
        let Verdict::Fails(fault) = both else { panic!("{both:?}") };
        assert!(fault.found.ends_with("legacy tables as well: nat, filter"), "{}", fault.found);
        assert_eq!(fault.at_most, Severity::Warning);
    }

    const HEAD: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n";
    const WITH: [(&str, &str); 2] =
        [("cidrs", "10.42.0.0/16 fd00:42::/56"), ("ignore", "cni0 lxc*")];

    fn routes(line: &str) -> Machine {
        Machine::new().file("/proc/net/route", &format!("{HEAD}{line}\n"))
    }

    #[test]
    fn another_s_network_is_found() {
        let ask = |line: &str| ask("cidr-overlap", &routes(line), &WITH);
        // The default route, 192.168.1.0/24, and the cluster's own bridge.
        assert!(matches!(ask("eth0 00000000 0101A8C0 0003 0 0 0 00000000"), Verdict::Holds(_)));
        assert!(matches!(ask("eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF"), Verdict::Holds(_)));
        assert!(matches!(ask("cni0 00002A0A 00000000 0001 0 0 0 00FFFFFF"), Verdict::Holds(_)));
        // 10.42.1.0/24 by way of another node.
        assert!(matches!(ask("eth0 00012A0A 0101A8C0 0003 0 0 0 00FFFFFF"), Verdict::Holds(_)));
        let found = "10.42.7.0/24 is routed by eth1: it overlaps 10.42.0.0/16";
        assert_eq!(ask("eth1 00072A0A 00000000 0001 0 0 0 00FFFFFF"), Verdict::fails(found));
        let found = "10.0.0.0/8 is routed by tun0: it overlaps 10.42.0.0/16";
        assert_eq!(ask("tun0 0000000A 0101A8C0 0003 0 0 0 000000FF"), Verdict::fails(found));
    }

    #[test]
    fn networks_of_ipv6_and_name_servers_count() {
        let line = "fd000042000000000000000000000000 40 00000000000000000000000000000000 00 \
                    00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n";
        let machine = Machine::new().file("/proc/net/ipv6_route", line);
        let found = "fd00:42::/64 is routed by eth0: it overlaps fd00:42::/56";
        assert_eq!(ask("cidr-overlap", &machine, &WITH), Verdict::fails(found));
        let machine = Machine::new().file("/etc/resolv.conf", "nameserver 10.42.0.10\n");
        let found = "the name server 10.42.0.10 is inside 10.42.0.0/16";
        assert_eq!(ask("cidr-overlap", &machine, &WITH), Verdict::fails(found));
    }

    #[test]
    fn firewalls_are_found() {
        let firewall = |machine: Machine| ask("firewall", &machine, &[]);
        assert!(matches!(firewall(Machine::new()), Verdict::Holds(_)));
        let machine = Machine::new().process(7, "firewalld");
        assert_eq!(firewall(machine), Verdict::fails("firewalld is running"));
        let machine = Machine::new().file("/etc/ufw/ufw.conf", "LOGLEVEL=low\nENABLED=yes\n");
        assert_eq!(firewall(machine), Verdict::fails("ufw is enabled"));
        let machine = Machine::new().file("/etc/ufw/ufw.conf", "ENABLED=no\n");
        assert!(matches!(firewall(machine), Verdict::Holds(_)));
    }

    #[test]
    fn a_proxy_leaves_the_cluster_alone() {
        let with = [("cidrs", "10.42.0.0/16 10.43.0.0/16")];
        let containerd = |environment: &str| {
            let machine =
                Machine::new().process(7, "containerd").file("/proc/7/environ", environment);
            ask("proxy-environment", &machine, &with)
        };
        assert!(matches!(containerd("HTTP_PROXY=\0PATH=/bin\0"), Verdict::Holds(_)));
        assert!(matches!(
            containerd("https_proxy=http://p:3128\0no_proxy=a.example, 10.0.0.0/8\0"),
            Verdict::Holds(_)
        ));
        let verdict = containerd("HTTP_PROXY=http://p:3128\0NO_PROXY=10.42.0.0/16\0");
        let Verdict::Fails(fault) = verdict else { panic!("{verdict:?}") };
        assert_eq!(fault.found, "containerd sends 10.43.0.0/16 to the proxy http://p:3128");
    }

    #[test]
    fn marks_are_a_matter_of_two() {
        let ask = |machine: Machine| ask("packet-marks", &machine, &[]);
        assert_eq!(ask(Machine::new()), Verdict::Holds("no tailscale here".into()));
        let running = || Machine::new().process(7, "tailscaled");
        assert!(matches!(ask(running()), Verdict::Fails(_)));
        let marked = running().file("/proc/sys/net/ipv4/conf/all/src_valid_mark", "1\n");
        let found = "net.ipv4.conf.all.src_valid_mark is 1: Envoy's traffic is dropped";
        assert_eq!(ask(marked), Verdict::fails(found));
    }
}
