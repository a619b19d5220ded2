use super::*;

use crate::sysctl::tests::{Machine, entry};

fn caught_up(machine: &Machine, table: &Sysctls, known: Remembered) -> (Remembered, String) {
    let mut out = Vec::new();
    let mut report = Report::new("sysctl", &mut out);
    let known = catch_up(table, &machine.root, &mut report, known);
    (known, String::from_utf8(out).unwrap())
}

#[test]
fn what_was_set_once_is_the_daemons_to_change() {
    let machine = Machine::new(&[("net/ipv4/ip_forward", "0")]);
    let table = Sysctls { sysctls: vec![entry("net.ipv4.ip_forward", "1")] };
    let (known, _) = caught_up(&machine, &table, Remembered::new());
    assert_eq!(machine.value("net/ipv4/ip_forward"), "1");
    machine.set("net/ipv4/ip_forward", "0");
    let (_, said) = caught_up(&machine, &table, known);
    assert_eq!((machine.value("net/ipv4/ip_forward").as_str(), said.as_str()), ("0", ""));
}

#[test]
fn a_key_that_comes_into_being_is_set() {
    let machine = Machine::new(&[("net/ipv4/conf/all/rp_filter", "1")]);
    let table = Sysctls { sysctls: vec![entry("net.ipv4.conf.*.rp_filter", "0")] };
    let (known, _) = caught_up(&machine, &table, Remembered::new());
    machine.set("net/ipv4/conf/lxc1/rp_filter", "1");
    let (mut known, said) = caught_up(&machine, &table, known);
    assert!(said.contains("net.ipv4.conf.lxc1.rp_filter: 1 → 0"), "{said}");
    // The same name, another interface: the kernel has told of it.
    machine.set("net/ipv4/conf/lxc1/rp_filter", "1");
    known.retain(|key, _| !is_of(key, &["lxc1".to_owned()]));
    caught_up(&machine, &table, known);
    assert_eq!(machine.value("net/ipv4/conf/lxc1/rp_filter"), "0");
}

#[test]
fn a_file_that_is_written_later_counts() {
    let machine = Machine::new(&[("net/ipv4/conf/all/rp_filter", "0")]);
    let table = Sysctls { sysctls: vec![entry("net.ipv4.conf.all.rp_filter", "2")] };
    let (known, _) = caught_up(&machine, &table, Remembered::new());
    assert_eq!(machine.value("net/ipv4/conf/all/rp_filter"), "2");
    let cilium = "net.ipv4.conf.all.rp_filter = 0\n-net.ipv4.conf.lxc*.rp_filter = 0\n";
    machine.put("etc/sysctl.d/99-zzz-override_cilium.conf", cilium);
    caught_up(&machine, &table, known);
    assert_eq!(machine.value("net/ipv4/conf/all/rp_filter"), "0");
}

#[test]
fn a_watcher_that_was_killed_goes_on_where_it_was() {
    let machine = Machine::new(&[("net/ipv4/ip_forward", "0"), ("kernel/x", "a b")]);
    let table =
        Sysctls { sysctls: vec![entry("net.ipv4.ip_forward", "1"), entry("kernel.x", "c\td")] };
    let (known, _) = caught_up(&machine, &table, Remembered::new());
    assert_eq!(recall(&machine.root), known);
    assert_eq!(known.len(), 2);
}
