use super::*;

use std::fs;

use facts::Sysctl;

/// A machine whose parameters are ordinary files.
pub struct Machine {
    directory: tempfile::TempDir,
    pub root: Root,
}

impl Machine {
    pub fn new(keys: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let machine = Self { root: Root::at(directory.path()), directory };
        for (key, value) in keys {
            machine.set(key, value);
        }
        machine
    }

    pub fn put(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn set(&self, key: &str, value: &str) {
        self.put(&format!("proc/sys/{key}"), &format!("{value}\n"));
    }

    pub fn value(&self, key: &str) -> String {
        self.root.line(&plan::file(key)).unwrap()
    }

    fn apply(&self, entries: &[Sysctl]) -> (u8, String) {
        let mut out = Vec::new();
        let mut report = Report::new("sysctl", &mut out);
        apply(&Sysctls { sysctls: entries.to_vec() }, &self.root, &mut report);
        let code = report.finish();
        (code, String::from_utf8(out).unwrap())
    }
}

pub fn entry(key: &str, value: &str) -> Sysctl {
    let [key, value, why, source] = [key, value, "it", "here"].map(str::to_owned);
    let (accept, at_least, optional, module) = (Vec::new(), false, false, None);
    let by = vec!["k3s".to_owned()];
    Sysctl { key, value, accept, at_least, optional, module, why, source, by }
}

const RP: &str = "net/ipv4/conf/all/rp_filter";

#[test]
fn what_differs_is_written_and_said_once() {
    let machine = Machine::new(&[("net/ipv4/ip_forward", "0"), ("kernel/panic", "10")]);
    let table = [entry("net.ipv4.ip_forward", "1"), entry("kernel.panic", "10")];
    let (code, said) = machine.apply(&table);
    let expected = "sysctl: net.ipv4.ip_forward: 0 → 1 (it; k3s)\n\
                    sysctl: 1 changed, 1 already so, 0 could not\n";
    assert_eq!((code, said.as_str()), (crate::DONE, expected));
    assert_eq!(machine.value("net/ipv4/ip_forward"), "1");
    assert_eq!(machine.apply(&table).1, "sysctl: 0 changed, 2 already so, 0 could not\n");
}

#[test]
fn the_table_wins_over_whatever_a_distribution_ships() {
    for path in [
        "usr/lib/sysctl.d/99-x.conf",
        "usr/lib/sysctl.d/00-alpine.conf",
        "etc/sysctl.d/00-alpine.conf",
    ] {
        let machine = Machine::new(&[(RP, "2")]);
        machine.put(path, "net.ipv4.conf.all.rp_filter = 1\n");
        machine.apply(&[entry("net.ipv4.conf.all.rp_filter", "0")]);
        assert_eq!(machine.value(RP), "0", "{path}");
    }
}

#[test]
fn an_administrators_later_word_wins_over_the_table_and_is_told() {
    for path in ["etc/sysctl.d/60-own.conf", "run/sysctl.d/60-own.conf", "etc/sysctl.conf"] {
        let machine = Machine::new(&[(RP, "2")]);
        machine.put(path, "\nnet.ipv4.conf.all.rp_filter = 1\n");
        let table = [entry("net.ipv4.conf.all.rp_filter", "0")];
        let (code, said) = machine.apply(&table);
        assert_eq!((machine.value(RP).as_str(), code), ("1", crate::DONE), "{path}");
        let told =
            format!("/{path}:2 sets net.ipv4.conf.all.rp_filter to 1, and wins over 0 (it; k3s)");
        assert!(said.contains(&told), "{said}");
        let found = inspect(&Sysctls { sysctls: table.to_vec() }, &machine.root);
        let State::Cannot(reason) = &found[0].state else { panic!("{found:?}") };
        assert_eq!(*reason, format!("it is 1, since /{path}:2 wins over the profiles' 0"));
    }
}

#[test]
fn ciliums_file_wins_over_all() {
    let lxc = "net/ipv4/conf/lxc1/rp_filter";
    let machine = Machine::new(&[(RP, "1"), (lxc, "1"), ("net/ipv4/conf/eth0/rp_filter", "1")]);
    machine.put("etc/sysctl.d/99-sysctl.conf", "net.ipv4.conf.all.rp_filter = 1\n");
    machine.put(
        "etc/sysctl.d/99-zzz-override_cilium.conf",
        "-net.ipv4.conf.lxc*.rp_filter = 0\n-net.ipv4.conf.cilium_*.rp_filter = 0\n\
         net.ipv4.conf.all.rp_filter = 0\n",
    );
    machine.apply(&[entry("net.ipv4.conf.*.rp_filter", "2")]);
    assert_eq!(machine.value(RP), "0");
    assert_eq!(machine.value(lxc), "0");
    assert_eq!(machine.value("net/ipv4/conf/eth0/rp_filter"), "2");
}

#[test]
fn a_later_pattern_does_not_win_over_a_key_that_the_table_writes_out() {
    let machine = Machine::new(&[(RP, "2"), ("net/ipv4/conf/lo/rp_filter", "2")]);
    machine.put("etc/sysctl.d/60-own.conf", "net.ipv4.conf.*.rp_filter = 1\n");
    machine.apply(&[entry("net.ipv4.conf.all.rp_filter", "0")]);
    assert_eq!(machine.value(RP), "0");
    assert_eq!(machine.value("net/ipv4/conf/lo/rp_filter"), "1");
    // But over a pattern of the table it does; and `-key` keeps a key from both.
    machine.put("etc/sysctl.d/70-own.conf", "-net.ipv4.conf.all.rp_filter\n");
    machine.set(RP, "7");
    machine.apply(&[entry("net.ipv4.conf.*.rp_filter", "0")]);
    assert_eq!(machine.value(RP), "7");
    assert_eq!(machine.value("net/ipv4/conf/lo/rp_filter"), "1");
}

#[test]
fn a_line_that_is_said_again_stays_where_it_is_but_wins_over_the_table() {
    // As systemd-sysctl has it: the pattern between the two is still the later one.
    let machine = Machine::new(&[(RP, "7"), ("net/ipv4/conf/lo/rp_filter", "7")]);
    machine.put("etc/sysctl.d/10-a.conf", "net.ipv4.conf.*.rp_filter = 2\n");
    machine.put("etc/sysctl.d/20-b.conf", "net.ipv4.conf.a*.rp_filter = 1\n");
    machine.put("etc/sysctl.d/99-c.conf", "net.ipv4.conf.*.rp_filter = 2\n");
    machine.apply(&[]);
    assert_eq!(machine.value(RP), "1");
    assert_eq!(machine.value("net/ipv4/conf/lo/rp_filter"), "2");
    let (_, said) = machine.apply(&[entry("net.ipv4.conf.lo.rp*", "0")]);
    assert_eq!(machine.value("net/ipv4/conf/lo/rp_filter"), "2");
    assert!(said.contains("/etc/sysctl.d/99-c.conf:1 sets"), "{said}");
}

#[test]
fn what_is_as_good_is_left() {
    let machine = Machine::new(&[("kernel/pid_max", "4194304"), (RP, "0")]);
    let mut pid_max = entry("kernel.pid_max", "262144");
    pid_max.at_least = true;
    let mut rp_filter = entry("net.ipv4.conf.all.rp_filter", "2");
    rp_filter.accept = vec!["0".into()];
    let (_, said) = machine.apply(&[pid_max, rp_filter]);
    assert_eq!(said, "sysctl: 0 changed, 2 already so, 0 could not\n");
}

#[test]
fn a_key_that_is_not_there_fails_only_what_cannot_do_without() {
    let machine = Machine::new(&[]);
    let key = "net.bridge.bridge-nf-call-iptables";
    let (code, said) = machine.apply(&[entry(key, "1")]);
    assert_eq!(code, crate::FAILED);
    assert!(said.contains(&format!("warning: cannot set {key} to 1: the kernel has no such key")));
    let mut later = entry(key, "1");
    later.module = Some("br_netfilter".into());
    let (code, said) = machine.apply(&[later]);
    assert_eq!(code, crate::DONE);
    assert!(said.contains(&format!("not there, and set if they come: {key}")), "{said}");
    machine.put("etc/sysctl.d/a.conf", "kernel.gone = 1\n-kernel.gone_too = 1\n");
    let (code, said) = machine.apply(&[]);
    assert_eq!(code, crate::DONE);
    assert!(
        said.contains(
            "info: cannot set kernel.gone to 1: the kernel has no such key (/etc/sysctl.d/a.conf:1)"
        ),
        "{said}"
    );
    assert!(!said.contains("gone_too"), "{said}");
}

#[test]
fn of_two_entries_for_a_key_the_later_one_counts() {
    let machine = Machine::new(&[(RP, "9"), ("net/ipv4/conf/lo/rp_filter", "9")]);
    let table =
        [entry("net.ipv4.conf.*.rp_filter", "2"), entry("net.ipv4.conf.all.rp_filter", "0")];
    machine.apply(&table);
    assert_eq!(machine.value(RP), "0");
    assert_eq!(machine.value("net/ipv4/conf/lo/rp_filter"), "2");
    let found = inspect(&Sysctls { sysctls: table.to_vec() }, &machine.root);
    let subjects: Vec<_> = found.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, ["net.ipv4.conf.lo.rp_filter", "net.ipv4.conf.all.rp_filter"]);
}

#[test]
fn a_file_is_masked_by_one_of_the_same_name() {
    let machine = Machine::new(&[("kernel/a", "0"), ("kernel/b", "0")]);
    machine.put("usr/lib/sysctl.d/10-x.conf", "kernel.a = 1\n");
    machine.put("etc/sysctl.d/10-x.conf", "");
    machine.put("usr/lib/sysctl.d/10-y.conf", "kernel/b=1\n");
    machine.apply(&[]);
    assert_eq!(machine.value("kernel/a"), "0");
    assert_eq!(machine.value("kernel/b"), "1");
}
