//! What profiles make of a graph: services that come up, and sections that services are given.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::{env, fmt::Write, fs};

use facts::section::{self, Modules, Sysctls};
use graph::{Graph, Kind, Service};
use source::{Colour, Report, Text, Tree, compile, load, table};

const SET_UP: &str = "type = \"oneshot\"\nexec = [\"/usr/lib/cooper/node-setup\"]\n";

fn compiled(texts: &[(&str, &str)]) -> Result<Graph, Report> {
    let texts: Vec<Text<'_>> = texts.iter().map(|(path, text)| Text { path, text }).collect();
    compile(&texts).map(|compiled| compiled.graph)
}

fn graph(texts: &[(&str, &str)]) -> Graph {
    compiled(texts).unwrap_or_else(|report| panic!("{}", report.render(Colour::None)))
}

fn service<'a>(graph: &'a Graph, name: &str) -> &'a Service {
    graph.services.iter().find(|service| service.name == name).unwrap()
}

fn names(graph: &Graph, ids: &[graph::ServiceId]) -> Vec<String> {
    ids.iter().map(|id| graph.services[usize::try_from(id.0).unwrap()].name.clone()).collect()
}

/// The section that a service is given.
fn section(graph: &Graph, name: &str) -> String {
    let (Kind::Longrun(process) | Kind::Oneshot(process)) = &service(graph, name).kind else {
        panic!("{name} is a bundle")
    };
    let mut variables = process.environment.variables.iter();
    variables.find(|(name, _)| name == section::VARIABLE).unwrap().1.clone()
}

/// A profile that wants services; `!` before a name: it is required.
fn wanting(services: &[&str]) -> String {
    let mut text = "description = \"a test\"\n".to_string();
    for name in services {
        let required = name.starts_with('!');
        let name = name.trim_start_matches('!');
        let reason = "why = \"w\"\nsource = \"s\"\n";
        writeln!(text, "[[service]]\nname = \"{name}\"\nrequired = {required}\n{reason}").unwrap();
    }
    text
}

#[test]
fn the_services_of_profiles_are_what_default_brings_up() {
    let profile = wanting(&["!a", "b", "tty@1", "alias"]);
    let graph = graph(&[
        ("profiles/own.toml", &profile),
        ("node.toml", "profiles = [\"own\"]\nservices = [\"d\"]\n"),
        ("a.toml", "exec = [\"/bin/a\"]\n"),
        ("b.toml", "exec = [\"/bin/b\"]\n"),
        ("c.toml", "exec = [\"/bin/c\"]\nprovides = [\"alias\"]\n"),
        ("d.toml", "exec = [\"/bin/d\"]\n"),
        ("e.toml", "exec = [\"/bin/e\"]\n"),
        ("tty@.toml", "exec = [\"/bin/getty\", \"%i\"]\n"),
    ]);
    let default = service(&graph, "default");
    assert_eq!(names(&graph, &default.requires), ["a"]);
    assert_eq!(names(&graph, &default.wants), ["b", "c", "d", "tty@1"]);
}

#[test]
fn the_services_of_profiles_join_those_of_a_file() {
    let graph = graph(&[
        ("profiles/own.toml", &wanting(&["!a", "b"])),
        ("profiles/other.toml", &wanting(&["a", "!b"])),
        ("node.toml", "profiles = [\"own\", \"other\"]\n"),
        ("default.toml", "type = \"bundle\"\nrequires = [\"c\"]\nwants = [\"a\"]\n"),
        ("a.toml", "exec = [\"/bin/a\"]\n"),
        ("b.toml", "exec = [\"/bin/b\"]\n"),
        ("c.toml", "exec = [\"/bin/c\"]\n"),
    ]);
    // One profile that requires it is enough, and to require is more than to want.
    assert_eq!(names(&graph, &service(&graph, "default").requires), ["a", "b", "c"]);
    assert!(service(&graph, "default").wants.is_empty());
}

#[test]
fn a_service_of_a_profile_can_be_left_out() {
    let graph = graph(&[
        ("profiles/own.toml", &wanting(&["!a", "b", "nobody-wrote-it", "c", "tty@1"])),
        ("node.toml", "profiles = [\"own\"]\nwithout = [\"a\", \"nobody-wrote-it\", \"tty@1\"]\n"),
        ("a.toml", "exec = [\"/bin/a\"]\n"),
        ("b.toml", "exec = [\"/bin/b\"]\nwants = [\"a\"]\n"),
        ("c.toml", "exec = [\"/bin/c\"]\nwants = [\"alias\"]\n"),
        ("d.toml", "exec = [\"/bin/d\"]\nrequires = [\"a\"]\n"),
        ("a.toml.d/alias.toml", "provides = [\"alias\"]\n"),
        ("tty@.toml", "exec = [\"/bin/getty\", \"%i\"]\n"),
    ]);
    let default = service(&graph, "default");
    assert_eq!((names(&graph, &default.requires), names(&graph, &default.wants)), {
        (vec![], vec!["b".to_string(), "c".to_string()])
    });
    // By either of its names; who is started with it still comes after it.
    for name in ["b", "c"] {
        let wanting = service(&graph, name);
        assert_eq!((wanting.wants.len(), names(&graph, &wanting.after)), (0, vec!["a".into()]));
    }
    // It can be started by hand, and be required by what is not brought up.
    assert_eq!(names(&graph, &service(&graph, "d").requires), ["a"]);
    assert!(!graph.services.iter().any(|service| service.name == "tty@1"));
}

#[test]
fn a_service_runs_again_when_its_own_section_changes() {
    let base = "description = \"a test\"\n\
        [[module]]\nname = \"overlay\"\nwhy = \"w\"\nsource = \"s\"\n";
    let more =
        format!("{base}[[sysctl]]\nkey = \"vm.x\"\nvalue = \"1\"\nwhy = \"w\"\nsource = \"s\"\n");
    let of = |profile: &str| {
        graph(&[
            ("profiles/own.toml", profile),
            ("node.toml", "profiles = [\"own\"]\n"),
            ("modules.toml", &format!("{SET_UP}setup = \"modules\"\n")),
            ("sysctl.toml", &format!("{SET_UP}setup = \"sysctl\"\n")),
            ("plain.toml", SET_UP),
        ])
    };
    let (before, after) = (of(base), of(&more));
    let same = |name: &str| service(&before, name).fingerprint == service(&after, name).fingerprint;
    assert!(same("modules") && same("plain") && !same("sysctl"));
    let modules: Modules = serde_json::from_str(&section(&after, "modules")).unwrap();
    assert_eq!(modules.modules[0].by, ["own"]);
    let sysctls: Sysctls = serde_json::from_str(&section(&after, "sysctl")).unwrap();
    assert_eq!(sysctls.sysctls[0].key, "vm.x");
}

#[test]
fn settings_reach_the_sections_that_need_them() {
    let graph = graph(&[
        (
            "node.toml",
            "services = [\"a\"]\n[setup]\nhostname = \"node-1\"\nswap = true\nrtc = \"local\"\n\
             firmware = \"/lib/extra\"\nlimits.nofile = \"1024:infinity\"\n\
             sysctl.vm.swappiness = 10\n",
        ),
        ("a.toml", &format!("{SET_UP}setup = \"hostname\"\n")),
        ("b.toml", &format!("{SET_UP}setup = \"swap\"\n")),
        ("c.toml", &format!("{SET_UP}setup = \"clock\"\n")),
        ("d.toml", &format!("{SET_UP}setup = \"firmware\"\n")),
        ("e.toml", &format!("{SET_UP}setup = \"limits\"\n")),
        ("f.toml", &format!("{SET_UP}setup = \"sysctl\"\n")),
    ]);
    assert_eq!(section(&graph, "a"), r#"{"name":"node-1"}"#);
    assert_eq!(section(&graph, "b"), r#"{"allowed":true}"#);
    assert_eq!(section(&graph, "c"), r#"{"rtc-is-local":true}"#);
    assert_eq!(section(&graph, "d"), r#"{"path":"/lib/extra"}"#);
    assert_eq!(section(&graph, "e"), r#"{"limits":{"nofile":"1024:infinity"}}"#);
    assert!(section(&graph, "f").starts_with(r#"{"sysctls":[{"key":"vm.swappiness","value":"10""#));
}

#[test]
fn an_own_profile_takes_the_place_of_one_that_comes_with_cooper() {
    let graph = graph(&[
        ("profiles/base.toml", &wanting(&["!only"])),
        ("node.toml", "profiles = [\"wireguard\"]\n"),
        ("only.toml", "exec = [\"/bin/only\"]\n"),
    ]);
    // `wireguard` includes `base`.
    assert_eq!(names(&graph, &service(&graph, "default").requires), ["only"]);
}

#[test]
fn a_section_that_no_program_can_be_given_is_refused() {
    let mut profile = "description = \"a test\"\n".to_string();
    let why = "w".repeat(1000);
    for number in 0..130 {
        let entry = format!("name = \"m{number}\"\nwhy = \"{why}\"\nsource = \"s\"\n");
        write!(profile, "[[module]]\n{entry}").unwrap();
    }
    let report = compiled(&[
        ("profiles/own.toml", &profile),
        ("node.toml", "profiles = [\"own\"]\nservices = [\"a\"]\n"),
        ("a.toml", &format!("{SET_UP}setup = \"modules\"\n")),
    ]);
    let mistakes = report.unwrap_err().mistakes;
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].message.contains("131072 is all that fits"), "{}", mistakes[0].message);
}

#[test]
fn profiles_are_found_beside_the_services() {
    let top = env::temp_dir().join(format!("cooper-profiles-{}", std::process::id()));
    let write = |relative: &str, text: &str| {
        let path = top.join(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib/profiles/own.toml", &wanting(&["lib"]));
    write("etc/profiles/own.toml", &wanting(&["etc"]));
    write("etc/profiles/README", "not a profile");
    write("etc/profiles/.own.toml.swp", "not a profile");
    write("services/etc.toml", "exec = [\"/bin/etc\"]\n");
    write("node.toml", "profiles = [\"own\"]\nservices = [\"etc\"]\n");
    let tree = Tree {
        dirs: vec![top.join("services")],
        node: Some(top.join("node.toml")),
        facts: ["lib", "etc", "absent"].map(|dir| top.join(dir)).to_vec(),
    };
    let loaded = load(&tree);
    let own = table(&tree, &[]);
    let other = table(&tree, &["base".to_string()]);
    fs::remove_dir_all(&top).unwrap();
    let graph = loaded.unwrap_or_else(|report| panic!("{}", report.render(Colour::None))).graph;
    assert_eq!(names(&graph, &service(&graph, "default").wants), ["etc"]);
    assert_eq!(own.report.render(Colour::None), "");
    assert_eq!(own.node.services[0].name, "etc");
    assert!(own.library.profiles.contains_key("base"));
    assert_eq!(other.node.profiles, ["base"]);
}
