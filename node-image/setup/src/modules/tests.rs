use super::*;

use std::fs;
use std::sync::Mutex;

const DEP: &str = "\
kernel/br_netfilter.ko.xz: kernel/bridge.ko.xz kernel/llc.ko.xz
kernel/bridge.ko.xz: kernel/llc.ko.xz
kernel/llc.ko.xz:
kernel/overlay.ko.xz:
kernel/nft_compat.ko.xz:
kernel/nft_chain_nat.ko.xz:
kernel/nfsd.ko.xz:
kernel/crypto-md5.ko.xz:
kernel/nouveau.ko.xz:
kernel/after.ko.xz:
";

struct Machine {
    directory: tempfile::TempDir,
    root: Root,
}

impl Machine {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let machine = Self { root: Root::at(directory.path()), directory };
        machine.put("proc/sys/kernel/osrelease", "6.12-x\n");
        machine.put("proc/modules", "llc 16384 1 bridge, Live 0x0\n");
        machine.put("lib/modules/6.12-x/modules.dep", DEP);
        machine.put("lib/modules/6.12-x/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
        machine.put("lib/modules/6.12-x/modules.builtin.modinfo", "ext4.alias=fs-ext4\0");
        machine.put(
            "lib/modules/6.12-x/modules.alias",
            "alias nfnetlink-subsys-11 nft_compat\nalias nft-chain-2-nat nft_chain_nat\n\
             alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\n",
        );
        machine.put("lib/modules/6.12-x/modules.softdep", "softdep nfsd pre: crypto-md5\n");
        machine
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn state(&self, name: &str) -> State {
        inspect(&wanting(&[name]), &self.root).remove(0).state
    }

    /// What was loaded, with its parameters, in order; the exit code, and what was said.
    fn loaded(&self, table: &Modules) -> (Vec<String>, u8, String) {
        let loaded = Mutex::new(Vec::new());
        let mut out = Vec::new();
        let mut report = Report::new("modules", &mut out);
        apply_with(table, &self.root, &mut report, 1, |job| {
            loaded.lock().unwrap().push(format!("{} {}", job.module, job.options));
            Ok(())
        });
        let code = report.finish();
        let loaded = loaded.into_inner().unwrap();
        (loaded.iter().map(|it| it.trim().to_owned()).collect(), code, text(out))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn entry(name: &str) -> facts::Module {
    let [name, options, why, source] = [name, "", "it", "here"].map(str::to_owned);
    facts::Module { name, options, optional: false, why, source, by: vec!["k3s".into()] }
}

fn wanting(names: &[&str]) -> Modules {
    Modules { modules: names.iter().map(|name| entry(name)).collect(), blacklist: Vec::new() }
}

#[test]
fn built_in_loaded_loadable_and_missing_are_told_apart() {
    let machine = Machine::new();
    machine.put("sys/module/printk/parameters/time", "Y");
    assert_eq!(machine.state("llc"), State::Holds("loaded".into()));
    assert_eq!(machine.state("ext4"), State::Holds("built in".into()));
    assert_eq!(machine.state("printk"), State::Holds("built in".into()));
    assert_eq!(machine.state("fs-ext4"), State::Holds("built in".into()));
    assert!(matches!(machine.state("overlay"), State::Differs { .. }));
    let State::Cannot(reason) = machine.state("zfs") else { panic!() };
    assert_eq!(reason, "the kernel 6.12-x has no such module, built in or to be loaded");
}

#[test]
fn modules_of_another_kernel_are_said_to_be_that() {
    let machine = Machine::new();
    machine.put("proc/sys/kernel/osrelease", "6.13-y\n");
    let State::Cannot(reason) = machine.state("overlay") else { panic!() };
    assert!(reason.contains("no /lib/modules/6.13-y (there are those of 6.12-x)"), "{reason}");
}

#[test]
fn what_is_needed_comes_first_and_what_is_there_is_not_loaded_again() {
    let machine = Machine::new();
    let (loaded, code, said) = machine.loaded(&wanting(&["br_netfilter", "llc", "overlay"]));
    assert_eq!(loaded, ["bridge", "br_netfilter", "overlay"]);
    assert_eq!(code, crate::DONE);
    let line = "modules: br_netfilter: not loaded → loaded, with bridge (it; k3s)\n";
    assert!(said.contains(line), "{said}");
    assert!(said.ends_with("modules: 2 changed, 1 already so, 0 could not\n"), "{said}");
}

#[test]
fn an_alias_leads_to_its_modules() {
    let machine = Machine::new();
    let (loaded, _, said) = machine.loaded(&wanting(&["nft-chain-2-nat", "nfnetlink-subsys-11"]));
    assert_eq!(loaded, ["nft_chain_nat", "nft_compat"], "{said}");
    machine.put("etc/modprobe.d/a.conf", "alias my-card overlay\n");
    assert_eq!(machine.loaded(&wanting(&["my-card"])).0, ["overlay"]);
}

#[test]
fn soft_dependencies_are_in_order_and_may_be_missing() {
    let machine = Machine::new();
    machine.put("etc/modprobe.d/a.conf", "softdep nfsd pre: gone post: after\n");
    assert_eq!(machine.loaded(&wanting(&["nfsd"])).0, ["crypto_md5", "nfsd", "after"]);
    // Two that name each other do not go round.
    machine.put("etc/modprobe.d/b.conf", "softdep crypto_md5 pre: nfsd\n");
    assert_eq!(machine.loaded(&wanting(&["nfsd"])).0, ["crypto_md5", "nfsd", "after"]);
}

#[test]
fn parameters_of_the_table_come_before_the_administrators() {
    // The kernel takes the last of two.
    let machine = Machine::new();
    machine.put("etc/modprobe.d/a.conf", "options overlay metacopy=on\n");
    machine.put("proc/cmdline", "overlay.redirect_dir=on quiet\n");
    let mut table = wanting(&["overlay"]);
    table.modules[0].options = "metacopy=off".into();
    assert_eq!(machine.loaded(&table).0, ["overlay metacopy=off metacopy=on redirect_dir=on"]);
}

#[test]
fn what_the_administrator_forbids_is_not_loaded_and_told() {
    let machine = Machine::new();
    machine.put("etc/modprobe.d/a.conf", "blacklist overlay\ninstall nfsd /bin/false\n");
    let (loaded, code, said) = machine.loaded(&wanting(&["overlay", "nfsd"]));
    assert_eq!((loaded.len(), code), (0, crate::FAILED), "{said}");
    assert!(said.contains("it is blacklisted by /etc/modprobe.d/a.conf:1"), "{said}");
    assert!(said.contains("it is disabled by /etc/modprobe.d/a.conf:2"), "{said}");
}

#[test]
fn another_install_command_is_run_instead() {
    let machine = Machine::new();
    machine.put("etc/modprobe.d/a.conf", "install overlay /sbin/own $CMDLINE_OPTS\n");
    let mut out = Vec::new();
    let mut report = Report::new("modules", &mut out);
    apply_with(&wanting(&["overlay"]), &machine.root, &mut report, 1, |job| {
        assert_eq!(job.how, load::How::Command("/sbin/own $CMDLINE_OPTS".into()));
        Ok(())
    });
    assert_eq!(report.finish(), crate::DONE);
}

#[test]
fn the_lists_of_this_machine_are_loaded_too_and_fail_nothing() {
    let machine = Machine::new();
    machine.put("etc/modules", "# comment\noverlay index=on\nzfs\n");
    machine.put("usr/lib/modules-load.d/b.conf", "bridge\n");
    machine.put("etc/modules-load.d/b.conf", "nfsd\n");
    let (loaded, code, said) = machine.loaded(&wanting(&[]));
    assert_eq!(loaded, ["crypto_md5", "nfsd", "overlay index=on"], "{said}");
    assert_eq!(code, crate::DONE);
    assert!(said.contains("info: cannot load zfs: "), "{said}");
    assert!(said.contains("(/etc/modules)"), "{said}");
}

#[test]
fn the_tables_blacklist_is_written_for_others_and_checked() {
    let machine = Machine::new();
    let table = Modules { modules: Vec::new(), blacklist: vec![entry("nouveau")] };
    let (_, code, said) = machine.loaded(&table);
    assert_eq!(code, crate::DONE, "{said}");
    let written = machine.root.read(FORBIDDEN).unwrap();
    assert_eq!(written, "# it\nblacklist nouveau\n");
    let (_, _, again) = machine.loaded(&table);
    assert_eq!(again, "modules: 0 changed, 0 already so, 0 could not\n");
    machine.put("proc/modules", "nouveau 1 0 - Live 0x0\n");
    let found = inspect(&table, &machine.root);
    assert!(matches!(&found[0].state, State::Cannot(reason) if reason.contains("modprobe -r")));
    assert!(machine.loaded(&table).2.contains("cannot keep out nouveau: it is loaded"));
    // What is wanted no more is taken back.
    machine.loaded(&wanting(&[]));
    assert_eq!(machine.root.read(FORBIDDEN).unwrap(), "");
}
