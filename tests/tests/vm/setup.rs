//! A node of profile k3s-server sets itself up: with all modules of its kernel, and stand-ins for
//! the daemons. Each step says its rule first.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use facts::Section;
use graph::encode;
use node_image::tree::{Content, Entry, Tree};
use serde_json::Value;
use source::Text;

use crate::guest::{self, Guest};

pub const PROFILE: &str = "k3s-server";
/// What the kernel offers, and is looked at again.
const SECTIONS: [Section; 4] =
    [Section::Mounts, Section::Cgroups, Section::Modules, Section::Sysctl];
/// A module that nobody asks for, and a key that it brings.
const LATE: (&str, &str, &str) = ("sunrpc", "sunrpc.tcp_slot_table_entries", "7");
/// One processor, for which each instruction takes a nanosecond: what a service costs is then the
/// number of its instructions, however busy the machine is that emulates it.
pub const COUNTED: [&str; 4] = ["-smp", "1", "-icount", "shift=0,sleep=off"];
/// What all of set-up may take of that processor's time when all modules are there (the figure of
/// issue 3). What the kernel does to link one more is not ours: Debian's takes 43 ms for the
/// smallest.
const CPU_MAX_US: u64 = 100_000;
/// From what a service waited for to its start, under emulation. Another service's start may be
/// in between, but not another service's work.
const START_MAX_US: u64 = 100_000;

/// The files of such a node, laid over the demonstration's. `pack` says how the module at a path
/// is packed; none: as it is.
pub fn files(arch: &str, pack: impl Fn(usize) -> Option<Packing>) -> Tree {
    let mut tree = Tree::default();
    let put = |tree: &mut Tree, path: &str, bytes: Vec<u8>| {
        let content = Content::Bytes(bytes);
        tree.insert(path, Entry::File { mode: 0o644, content }).unwrap();
    };
    put(&mut tree, "var/lib/cooper/graph/image", encode(&compiled()));
    for section in SECTIONS {
        let path = format!("etc/setup/{}", section.name());
        put(&mut tree, &path, node().section(section).into_bytes());
    }
    let late = format!("{} = {}\n", LATE.1, LATE.2);
    put(&mut tree, "etc/sysctl.d/60-late.conf", late.into_bytes());
    put(&mut tree, "etc/modules", Vec::new());
    let modules = guest::node(arch).join("modules");
    tree.lay(&modules, "usr/lib/modules").unwrap();
    repack(&mut tree, pack);
    tree
}

/// The merged table.
fn node() -> facts::Node {
    let library = facts::Library::built_in();
    let choice = facts::Choice { profiles: vec![PROFILE.to_owned()], ..Default::default() };
    library.node(&choice).node
}

/// The graph: set-up's own services, and for each other one that the profile wants, one that does
/// nothing.
fn compiled() -> graph::Graph {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("node-image");
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let mut texts = vec![
        ("node.toml".to_owned(), format!("profiles = [\"{PROFILE}\"]\n")),
        (
            "guest-shell.toml".to_owned(),
            read(top.join("guest/etc/cooper/services/guest-shell.toml")),
        ),
        ("default.toml".to_owned(), "type = \"bundle\"\nwants = [\"guest-shell\"]\n".to_owned()),
    ];
    for facts::Service { name, .. } in node().services {
        let file = format!("{name}.toml");
        let own = read(top.join("services").join(&file));
        let is_own = own.lines().any(|line| line.starts_with("setup "));
        let stand_in = "type = \"oneshot\"\nexec = [\"/bin/true\"]\n".to_owned();
        texts.push((file, if is_own { own } else { stand_in }));
    }
    let texts: Vec<_> = texts.iter().map(|(path, text)| Text { path, text }).collect();
    source::compile(&texts).unwrap_or_else(|report| panic!("{report:?}")).graph
}

/// How a module's file is packed.
#[derive(Clone, Copy, Debug)]
pub enum Packing {
    None,
    Gzip,
    Zstd,
}

/// Packs modules otherwise, under other names, also in the index.
fn repack(tree: &mut Tree, pack: impl Fn(usize) -> Option<Packing>) {
    let is_module = |path: &str| path.ends_with(".ko.xz");
    let modules = tree.iter().filter(|(path, _)| is_module(path));
    let modules: Vec<_> = modules.map(|(path, entry)| (path.to_owned(), entry.clone())).collect();
    let mut renamed = Vec::new();
    for (at, (path, entry)) in modules.into_iter().enumerate() {
        let (Some(packing), Entry::File { mode, content: Content::Host(host) }) = (pack(at), entry)
        else {
            continue;
        };
        let (end, command) = match packing {
            Packing::None => ("", "xz -dc"),
            Packing::Gzip => (".gz", "xz -dc \"$1\" | gzip -nc"),
            Packing::Zstd => (".zst", "xz -dc \"$1\" | zstd -qc"),
        };
        let command = if end.is_empty() { format!("{command} \"$1\"") } else { command.to_owned() };
        let output = Command::new("sh").args(["-c", &command, "sh"]).arg(&host).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let new = format!("{}{end}", path.trim_end_matches(".xz"));
        tree.remove(&path);
        let content = Content::Bytes(output.stdout);
        tree.insert(&new, Entry::File { mode, content }).unwrap();
        renamed.push((path, new));
    }
    let index = tree.iter().find(|(path, _)| path.ends_with("/modules.dep"));
    let Some((path, Entry::File { mode, content })) = index else { panic!("no modules.dep") };
    let (path, mode) = (path.to_owned(), *mode);
    let above = path.trim_end_matches("modules.dep");
    let mut text = String::from_utf8(content.read().unwrap()).unwrap();
    for (old, new) in &renamed {
        let below = |path: &str| path.trim_start_matches(above).to_owned();
        // A name is followed by a colon, a blank or the end of its line.
        for end in [":", " ", "\n"] {
            text = text.replace(&format!("{}{end}", below(old)), &format!("{}{end}", below(new)));
        }
    }
    let content = Content::Bytes(text.into_bytes());
    tree.insert(&path, Entry::File { mode, content }).unwrap();
}

/// All of set-up is done, and what it has done is right: a second look changes nothing.
pub fn everything_is_set_up(guest: &mut Guest) {
    guest.run("svc start default");
    for section in SECTIONS {
        let name = section.name();
        let service = guest.service(name);
        let said = guest.run(&format!("svc logs {name}"));
        assert_eq!(service["state"], "done", "{said}");
        eprintln!("{}", said.trim_end());
        let again =
            format!("COOPER_SETUP=\"$(cat /etc/setup/{name})\" /usr/lib/cooper/node-setup {name}");
        let again = guest.run(&again);
        assert!(again.contains(": 0 changed, "), "{name} changed something twice: {again}");
    }
}

/// Each module that the profile wants is there, and its aliases led to modules.
pub fn the_modules_are_loaded(guest: &mut Guest) {
    let modules = guest.run("cut -d ' ' -f 1 /proc/modules");
    for name in ["overlay", "br_netfilter", "bridge", "iptable_nat", "nft_compat", "nft_chain_nat"]
    {
        assert!(modules.lines().any(|line| line == name), "no {name} in {modules}");
    }
}

/// A key that a module brings is set when it comes, by the watcher, which the kernel tells.
pub fn a_late_key_is_set(guest: &mut Guest) {
    let (module, key, value) = LATE;
    let text = guest.run(&format!(
        "modprobe {module} && timeout 60 /usr/bin/svc logs -f sysctl-watch | grep -m 1 {key}"
    ));
    assert!(text.contains(&format!("→ {value} (/etc/sysctl.d/60-late.conf:1)")), "{text}");
    let idle = guest.run("grep -h VmRSS /proc/$(pidof node-setup)/status");
    eprintln!("sysctl-watch: {idle}");
}

/// The figure, as one line of the boot's report: of the boot, and of the same with all modules
/// there.
pub fn set_up_costs_little(guest: &mut Guest) {
    let line = |guest: &mut Guest| {
        let text = guest.run("svc boot");
        let line = text.lines().find(|line| line.starts_with("set-up: "));
        line.unwrap_or_else(|| panic!("no line for set-up: {text}")).to_owned()
    };
    eprintln!("{}", line(guest));
    let report = guest.svc("boot");
    let names = report["set_up"]["services"].as_array().expect("a list").iter();
    let names: Vec<&str> = names.filter_map(Value::as_str).collect();
    guest.run(&format!("svc restart {}", names.join(" ")));
    eprintln!("with all modules there: {}", line(guest));
    let cpu_us = guest.svc("boot")["set_up"]["cpu_us"].as_u64().expect("a number");
    assert!(cpu_us < CPU_MAX_US, "{cpu_us} us");
}

/// A service of set-up starts as soon as the last one that it waits for is there: what is done one
/// after the other had to be.
pub fn nothing_waits_without_need(guest: &mut Guest) {
    let report = guest.svc("boot");
    let traces = report["traces"].as_array().expect("a list");
    let time = |trace: &Value, what: &str| trace[what].as_u64();
    let begin = traces.iter().filter_map(|trace| time(trace, "start_us")).min().expect("a start");
    for name in report["set_up"]["services"].as_array().expect("a list") {
        let trace = traces.iter().find(|trace| trace["name"] == *name).expect("a trace");
        let after = traces.iter().find(|other| other["name"] == trace["after"]);
        let free = after.and_then(|after| time(after, "ready_us")).unwrap_or(begin);
        let start = time(trace, "start_us").expect("a start");
        let ready = time(trace, "ready_us").expect("an end");
        let after = after.map_or("", |after| after["name"].as_str().unwrap_or_default());
        let (waited, took) = (start.saturating_sub(free), ready.saturating_sub(start));
        eprintln!(
            "{name:<16} at {:>6} us, {waited:>6} us after {after:<12} took {took:>6} us",
            start - begin
        );
        assert!(waited < START_MAX_US, "{name} waited {waited} us after {after}: {report}");
    }
}
