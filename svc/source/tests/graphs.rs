//! What files mean: texts that compile, and the graphs that they make.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::{env, fs, path::Path};

use graph::{Graph, Kind, LogTo, Process, Readiness, Service, View};
use source::{Colour, Text, Tree, compile, load};

fn graph(texts: &[(&str, &str)]) -> Graph {
    let texts: Vec<Text<'_>> = texts.iter().map(|(path, text)| Text { path, text }).collect();
    let compiled =
        compile(&texts).unwrap_or_else(|report| panic!("{}", report.render(Colour::None)));
    let bytes = compiled.bytes();
    assert_eq!(View::open(&bytes).unwrap().graph(), compiled.graph);
    compiled.graph
}

fn service<'a>(graph: &'a Graph, name: &str) -> &'a Service {
    graph.services.iter().find(|service| service.name == name).unwrap()
}

fn process<'a>(graph: &'a Graph, name: &str) -> &'a Process {
    match &service(graph, name).kind {
        Kind::Longrun(process) | Kind::Oneshot(process) => process,
        Kind::Bundle(_) => panic!("{name} is a bundle"),
    }
}

fn names(graph: &Graph, ids: &[graph::ServiceId]) -> Vec<String> {
    ids.iter().map(|id| graph.services[usize::try_from(id.0).unwrap()].name.clone()).collect()
}

const BUNDLE: (&str, &str) = ("default.toml", "type = \"bundle\"\nwants = [\"a\"]\n");

#[test]
fn every_key_arrives_in_the_graph() {
    // A transcript: the whole graph of a file with every key, for a person to read.
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    let case = fs::read_to_string(dir.join("everything.toml")).unwrap();
    let texts: Vec<(&str, &str)> = case
        .split("#: ")
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('\n').unwrap())
        .collect();
    let transcript = format!("{:#?}\n", graph(&texts));
    let path = dir.join("everything.txt");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &transcript).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == transcript, "the graph has changed: UPDATE=1 rewrites {}", path.display());

    // And it has every key of the reference.
    let page = source::reference();
    let services = page.split("## `node.toml`").next().unwrap();
    for line in services.lines().filter(|line| line.starts_with("| `")) {
        let key = line.trim_start_matches("| `").split('`').next().unwrap();
        // Forms of which a service has one.
        let form = matches!(key, "notify" | "tcp" | "exit" | "path" | "socket" | "fd" | "http");
        assert!(form || case.contains(key), "no example of `{key}`");
    }
}

#[test]
fn the_order_is_by_name_among_equals() {
    let plain = |name: &'static str| (name, "exec = [\"/bin/x\"]\n");
    let graph = graph(&[
        plain("c.toml"),
        plain("b.toml"),
        ("a.toml", "exec = [\"/bin/x\"]\nrequires = [\"z\"]\n"),
        plain("z.toml"),
        BUNDLE,
    ]);
    let order: Vec<&str> = graph.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(order, ["b", "c", "rescue-shell", "rescue", "z", "a", "default"]);
}

#[test]
fn the_order_of_the_files_changes_nothing() {
    let mut texts = vec![
        ("a.toml", "exec = [\"/bin/a\"]\nwants = [\"b\", \"c\"]\nconflicts = [\"d\"]\n"),
        ("b.toml", "exec = [\"/bin/b\"]\n"),
        ("c.toml", "exec = [\"/bin/c\"]\nafter = [\"b\"]\n"),
        ("d.toml", "exec = [\"/bin/d\"]\n"),
        BUNDLE,
    ];
    let first = graph::encode(&graph(&texts));
    for _ in 0..texts.len() {
        texts.rotate_left(1);
        assert_eq!(graph::encode(&graph(&texts)), first);
    }
    texts.reverse();
    assert_eq!(graph::encode(&graph(&texts)), first);
}

#[test]
fn each_relation_is_the_strongest_one() {
    let graph = graph(&[
        (
            "a.toml",
            "exec = [\"/bin/a\"]\nrequires = [\"x\"]\nwants = [\"y\", \"b\"]\nafter = [\"b\"]\n",
        ),
        ("b.toml", "exec = [\"/bin/b\"]\nprovides = [\"x\", \"y\"]\n"),
        BUNDLE,
    ]);
    let a = service(&graph, "a");
    assert_eq!(names(&graph, &a.requires), ["b"]);
    assert_eq!((a.wants.len(), a.after.len()), (0, 0));
}

#[test]
fn who_comes_after_two_that_conflict_does_not_start_them() {
    let graph = graph(&[
        ("a.toml", "exec = [\"/bin/a\"]\nafter = [\"b\", \"c\"]\n"),
        ("b.toml", "exec = [\"/bin/b\"]\nconflicts = [\"c\"]\n"),
        ("c.toml", "exec = [\"/bin/c\"]\nafter = [\"b\"]\n"),
        BUNDLE,
    ]);
    assert_eq!(names(&graph, &service(&graph, "a").after), ["b", "c"]);
}

/// Two that provide the same, and one that needs it.
const ALTERNATIVES: [(&str, &str); 3] = [
    ("dhcp.toml", "exec = [\"/bin/d\"]\nprovides = [\"net\"]\nconflicts = [\"net\"]\n"),
    ("static.toml", "exec = [\"/bin/s\"]\nprovides = [\"net\"]\nconflicts = [\"net\"]\n"),
    ("user.toml", "exec = [\"/bin/u\"]\nwants = [\"net\"]\n"),
];

#[test]
fn of_alternatives_the_one_is_meant_that_default_brings_up() {
    for chosen in ["dhcp", "static"] {
        let default = format!("type = \"bundle\"\nrequires = [\"user\"]\nwants = [\"{chosen}\"]\n");
        let mut texts = ALTERNATIVES.to_vec();
        texts.push(("default.toml", &default));
        let graph = graph(&texts);
        let other = if chosen == "dhcp" { "static" } else { "dhcp" };
        assert_eq!(names(&graph, &service(&graph, "user").wants), [chosen]);
        assert_eq!(names(&graph, &service(&graph, "user").after), [other], "should it be started");
        assert_eq!(names(&graph, &service(&graph, chosen).conflicts), [other]);
        assert_eq!(service(&graph, chosen).provides, ["net"], "who asks for `net` means it");
        assert!(service(&graph, other).provides.is_empty());
    }
}

#[test]
fn who_wants_one_of_several_alternatives_is_ordered_after_each() {
    let mut texts = ALTERNATIVES.to_vec();
    texts.push(("default.toml", "type = \"bundle\"\nrequires = [\"user\"]\n"));
    let graph = graph(&texts);
    assert!(service(&graph, "user").wants.is_empty());
    assert_eq!(names(&graph, &service(&graph, "user").after), ["dhcp", "static"]);
}

#[test]
fn an_instance_may_name_an_instance() {
    let graph = graph(&[
        ("a@.toml", "exec = [\"/bin/a\"]\nrequires = [\"b@%i\"]\n"),
        ("b@.toml", "exec = [\"/bin/b\"]\nwants = [\"c@%i-x\"]\n"),
        ("c@.toml", "exec = [\"/bin/c\", \"%i\"]\n"),
        ("default.toml", "type = \"bundle\"\nwants = [\"a@1\"]\n"),
    ]);
    assert_eq!(process(&graph, "c@1-x").exec, ["/bin/c", "1-x"]);
}

#[test]
fn conflicts_are_mutual() {
    let graph = graph(&[
        ("a.toml", "exec = [\"/bin/a\"]\nconflicts = [\"b\"]\n"),
        ("b.toml", "exec = [\"/bin/b\"]\n"),
        BUNDLE,
    ]);
    assert_eq!(names(&graph, &service(&graph, "b").conflicts), ["a"]);
    assert_eq!(names(&graph, &service(&graph, "a").conflicts), ["b"]);
}

#[test]
fn templates_have_instances_where_they_are_named() {
    let graph = graph(&[
        ("getty@.toml", "description = \"%i, 100%%\"\nexec = [\"/sbin/getty\", \"%i\"]\n"),
        ("getty@.toml.d/x.toml", "[environment]\nTTY = \"%i\"\n"),
        ("getty@tty2.toml.d/x.toml", "description = \"the second\"\n"),
        ("getty@tty3.toml", "exec = [\"/bin/own\", \"100%\"]\n"),
        ("default.toml", "type = \"bundle\"\nrequires = [\"getty@tty1\", \"getty@tty2\"]\n"),
        ("node.toml", "services = [\"getty@ttyS0\"]\n"),
    ]);
    assert_eq!(process(&graph, "getty@tty1").exec, ["/sbin/getty", "tty1"]);
    assert_eq!(service(&graph, "getty@tty1").description, "tty1, 100%");
    assert_eq!(service(&graph, "getty@tty2").description, "the second");
    assert_eq!(process(&graph, "getty@tty3").exec, ["/bin/own", "100%"]);
    assert_eq!(process(&graph, "getty@tty1").cgroup.path, "system/getty@tty1");
    let variables = &process(&graph, "getty@ttyS0").environment.variables;
    assert!(variables.contains(&("TTY".into(), "ttyS0".into())));
    assert_eq!(names(&graph, &service(&graph, "default").wants), ["getty@ttyS0"]);
    assert!(!graph.services.iter().any(|service| service.name == "getty@"));
}

#[test]
fn drop_ins_are_laid_over_key_by_key() {
    let graph = graph(&[
        (
            "a.toml",
            "exec = [\"/bin/a\"]\nwants = [\"b\"]\nlog = \"none\"  # Why not.\n\
             ready = { notify = \"systemd\", timeout = \"1m\" }\n\
             [environment]\nA = \"1\"\nB = \"2\"\n[stop]\ntimeout = \"5s\"\n",
        ),
        ("b.toml", "exec = [\"/bin/b\"]\n"),
        ("a.toml.d/20.toml", "wants = []\nready = { tcp = \"127.0.0.1:1\" }\n"),
        ("a.toml.d/10.toml", "wants = [\"b\"]\n[environment]\nB = \"3\"\nC = \"4\"\n"),
        ("a.toml.d/30.toml", "[log]\nfiles-max = 2\n[stop]\nsignal = \"INT\"\n"),
        ("a.toml.d/README", "not a drop-in"),
        BUNDLE,
    ]);
    let a = process(&graph, "a");
    assert!(service(&graph, "a").wants.is_empty(), "a later list takes the place of a list");
    let environment: Vec<&str> = a.environment.variables.iter().map(|v| v.1.as_str()).collect();
    assert_eq!(environment[1..], ["1", "3", "4"]);
    assert!(matches!(a.ready, Readiness::Probe(_)), "the form of a drop-in takes the place");
    assert_eq!(a.start_timeout_ms, 60_000, "and leaves the rest of the table");
    assert_eq!((a.log.to.clone(), a.log.files_max), (LogTo::None, 2));
    assert_eq!((a.stop.signal, a.stop.timeout_ms), (2, 5_000));
}

#[test]
fn a_later_directory_wins_whole() {
    let top = env::temp_dir().join(format!("cooper-source-{}", std::process::id()));
    let write = |relative: &str, text: &str| {
        let path = top.join(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib/a.toml", "exec = [\"/lib/a\"]\ncritical = true\n");
    write("lib/b.toml", "exec = [\"/lib/b\"]\n");
    write("lib/a.toml.d/10.toml", "description = \"lib\"\n");
    write("lib/a.toml.d/20.toml", "provides = [\"x\"]\n");
    write("lib/.hidden.toml", "not TOML");
    write("etc/a.toml", "exec = [\"/etc/a\"]\n");
    write("etc/a.toml.d/10.toml", "description = \"etc\"\n");
    write("node.toml", "services = [\"a\", \"b\"]\n");
    let dirs = ["lib", "etc", "absent"].map(|dir| top.join(dir)).to_vec();
    let compiled = load(&Tree { dirs, node: Some(top.join("node.toml")), facts: Vec::new() });
    fs::remove_dir_all(&top).unwrap();
    let graph = compiled.unwrap_or_else(|report| panic!("{}", report.render(Colour::None))).graph;
    let a = service(&graph, "a");
    assert_eq!(process(&graph, "a").exec, ["/etc/a"]);
    assert_eq!((a.critical, a.description.as_str(), a.provides.len()), (false, "etc", 1));
    assert!(a.file.ends_with("etc/a.toml"));
    assert_eq!(names(&graph, &service(&graph, "default").wants), ["a", "b"]);
}

#[test]
fn a_shutdown_may_take_as_long_as_its_longest_chain() {
    let top = env::temp_dir().join(format!("cooper-budget-{}", std::process::id()));
    let budget = |files: &[(&str, &str)]| {
        let _ = fs::remove_dir_all(&top);
        fs::create_dir_all(&top).unwrap();
        let chain = [
            ("a.toml", "exec = [\"/a\"]\nstop.timeout = \"50s\"\nfinish = [\"/f\"]\n"),
            ("b.toml", "exec = [\"/b\"]\nafter = [\"a\"]\nstop.timeout = \"3m\"\n"),
            ("c.toml", "type = \"oneshot\"\nexec = [\"/c\"]\nrequires = [\"b\"]\n"),
            (
                "d.toml",
                "type = \"oneshot\"\nexec = [\"/d\"]\nwants = [\"c\"]\n\
                        stop = { exec = [\"/e\"], timeout = \"5m\" }\n",
            ),
            ("e.toml", "exec = [\"/e\"]\nafter = [\"a\"]\nstop.timeout = \"6m\"\n"),
        ];
        for (name, text) in chain.iter().chain(files) {
            fs::write(top.join(name), text).unwrap();
        }
        let node = Some(top.join("node")).filter(|node| node.exists());
        let compiled = load(&Tree { dirs: vec![top.clone()], node, ..Tree::default() });
        let graph =
            compiled.unwrap_or_else(|report| panic!("{}", report.render(Colour::None))).graph;
        graph.shutdown_budget_ms
    };
    // a and its finish command, b, d; c has nothing to undo, and e stops beside b.
    assert_eq!(budget(&[]), 50_000 + 10_000 + 180_000 + 300_000);
    let given = budget(&[("node", "shutdown.budget = \"20s\"\n")]);
    assert_eq!(given, 20_000, "the admin has the last word");
    let short = ["a", "b", "d", "e"].map(|name| format!("{name}.toml"));
    let short: Vec<_> = short.iter().map(|name| (name.as_str(), "exec = [\"/x\"]\n")).collect();
    assert_eq!(budget(&short), 90_000, "but never in less than this");
    fs::remove_dir_all(&top).unwrap();
}

#[test]
fn files_that_cannot_be_read_are_mistakes() {
    let top = env::temp_dir().join(format!("cooper-unreadable-{}", std::process::id()));
    fs::create_dir_all(top.join("dir.toml")).unwrap();
    fs::write(top.join("a.toml"), [0xff, 0xfe]).unwrap();
    fs::write(top.join("file.toml.d"), "").unwrap();
    let report = load(&Tree { dirs: vec![top.clone()], ..Tree::default() }).unwrap_err();
    fs::remove_dir_all(&top).unwrap();
    let told: Vec<&str> = report
        .mistakes
        .iter()
        .map(|mistake| mistake.place.file.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(told, ["a.toml", "dir.toml", "file.toml.d"]);
}

#[test]
fn rescue_is_always_there_and_may_be_replaced() {
    let built_in = graph(&[("a.toml", "exec = [\"/bin/a\"]\n"), BUNDLE]);
    assert_eq!(names(&built_in, &service(&built_in, "rescue").requires), ["rescue-shell"]);
    assert_eq!(process(&built_in, "rescue-shell").exec, ["/bin/sh", "-l"]);
    let own = graph(&[
        ("a.toml", "exec = [\"/bin/a\"]\n"),
        ("rescue-shell.toml", "exec = [\"/sbin/sulogin\"]\n"),
        BUNDLE,
    ]);
    assert_eq!(process(&own, "rescue-shell").exec, ["/sbin/sulogin"]);
}

#[test]
fn a_service_that_reads_a_log_comes_first() {
    let graph = graph(&[
        ("a.toml", "exec = [\"/bin/a\"]\nlog = \"reader\"\nafter = [\"z\"]\n"),
        ("z.toml", "exec = [\"/bin/z\"]\nprovides = [\"reader\"]\n"),
        BUNDLE,
    ]);
    let a = service(&graph, "a");
    assert_eq!(names(&graph, &a.wants), ["z"]);
    assert_eq!(process(&graph, "a").log.to, LogTo::Service(a.wants[0]));
}

#[test]
fn only_what_matters_to_the_process_is_in_the_fingerprint() {
    let base = "exec = [\"/bin/a\"]\n";
    let print = |text: &str| service(&graph(&[("a.toml", text), BUNDLE]), "a").fingerprint;
    let same = [
        "description = \"x\"\nexec = [\"/bin/a\"]\n",
        "exec = [\"/bin/a\"]\nafter = [\"rescue\"]\nrestart = \"never\"\n",
        "exec = [\"/bin/a\"]\nlog = { files-max = 1 }\nstop = { timeout = \"1s\" }\n",
        "exec = [\"/bin/a\"]\ncgroup = { memory.max = \"1M\" }\non-change = \"keep\"\n",
    ];
    for text in same {
        assert_eq!(print(text), print(base), "{text}");
    }
    let other = [
        "exec = [\"/bin/b\"]\n",
        "exec = [\"/bin/a\"]\nrun = { user = \"x\" }\n",
        "exec = [\"/bin/a\"]\nenvironment = { X = \"1\" }\n",
        "exec = [\"/bin/a\"]\nready = { fd = 3 }\n",
        "exec = [\"/bin/a\"]\ncgroup = { path = \"x\" }\n",
        "exec = [\"/bin/a\"]\nlog = \"none\"\n",
    ];
    for text in other {
        assert_ne!(print(text), print(base), "{text}");
    }
    // Stable between builds and machines: a new value here restarts every service of every node.
    assert_eq!(format!("{:016x}", print(base)), "99da5a21e9025c7c");
}
