//! Which table is looked by, what is told, and how it ends.

use std::fs;

use super::*;
use crate::{
    fixture::{Pages, Tree, golden},
    render::Screen,
};

fn finding(id: &str, status: Status) -> Finding {
    Finding {
        id: id.into(),
        status,
        found: "it is off".into(),
        why: "Pods cannot reach each other without it, whatever their network is made of.".into(),
        fix: "boot a kernel that was built with it".into(),
        source: "k3s-io/k3s:contrib/util/check-config.sh".into(),
        by: vec!["base".into(), "cilium".into()],
        set_up: None,
        needs_root: false,
    }
}

/// One finding of each kind: two that are told as one, one that set-up can mend, one hidden.
fn report() -> Report {
    let mended = Finding {
        found: "0, and 1 is needed".into(),
        fix: "svc doctor --fix, or svc start sysctl".into(),
        set_up: Some(Section::Sysctl),
        ..finding("sysctl:net.ipv4.ip_forward", Status::Error)
    };
    let hidden = Finding {
        found: "needs root: somebody has it".into(),
        fix: String::new(),
        needs_root: true,
        ..finding("port:6443/tcp", Status::Skipped)
    };
    let findings = vec![
        Finding {
            found: "seccomp with filters".into(),
            fix: String::new(),
            ..finding("seccomp", Status::Ok)
        },
        finding("kernel:VETH", Status::Warning),
        finding("kernel:BRIDGE", Status::Warning),
        mended,
        hidden,
        finding("module:xt_socket", Status::Info),
        Finding { why: "Another reason.".into(), ..finding("module:geneve", Status::Info) },
    ];
    Report {
        chosen: vec!["k3s-server".into()],
        profiles: vec!["base".into(), "k3s-server".into()],
        hardware: Some("n100".into()),
        recognised: None,
        summary: doctor::Summary::of(&findings),
        findings,
    }
}

fn shown(all: bool, width: Option<usize>) -> String {
    let out = Pages::default();
    let mut screen = Screen::of_test(Box::new(out.clone()), Box::new(Pages::default()), width);
    show::report(&report(), all, &mut screen).unwrap();
    out.text()
}

/// The worst first; what has the same reason and the same cure is told once; notes in short.
#[test]
fn what_does_not_hold_is_told_with_its_reason_and_its_cure() {
    golden("doctor.txt", &shown(false, None));
    golden("doctor-all.txt", &shown(true, None));
}

/// A narrow terminal breaks lines; none is longer than it is wide.
#[test]
fn a_narrow_terminal_is_enough() {
    let text = shown(true, Some(60));
    golden("doctor-narrow.txt", &text);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
}

/// Members of the JSON are a promise.
#[test]
fn json_has_every_finding() {
    let told = Told { report: report(), fixed: Some(vec!["sysctl: 1 changed".into()]) };
    golden("doctor.json", &(serde_json::to_string_pretty(&told).unwrap() + "\n"));
}

/// Notes and what nobody can judge are well; a warning is less than an error.
#[test]
fn the_worst_decides_how_it_ends() {
    let with = |status| Report { findings: vec![finding("a", status)], ..report() };
    for status in [Status::Ok, Status::Skipped, Status::Info] {
        assert_eq!(exit(&with(status)), Exit::Ok);
    }
    assert_eq!(exit(&with(Status::Warning)), Exit::Warned);
    assert_eq!(exit(&with(Status::Error)), Exit::Failed);
}

fn args(profiles: &[&str], hardware: Option<&str>) -> Doctor {
    Doctor {
        profiles: profiles.iter().map(|name| (*name).into()).collect(),
        hardware: hardware.map(Into::into),
        fix: false,
        all: false,
        json: true,
        root: None,
    }
}

/// An empty directory as a machine: what is looked at depends on nothing but the table.
fn ask(tree: &mut Tree, args: Doctor) -> (Result<Exit, Error>, serde_json::Value) {
    let root = tree.context.paths.run.join("machine");
    fs::create_dir_all(root.join("etc/cooper")).unwrap();
    if let Ok(text) = fs::read(&tree.context.paths.node) {
        fs::write(root.join("etc/cooper/node.toml"), text).unwrap();
    }
    let exit = run(&Doctor { root: Some(root), ..args }, &mut tree.context);
    tree.context.screen.flush().unwrap();
    (exit, serde_json::from_str(&tree.out.text()).unwrap_or_default())
}

/// `--profile` asks before anything is chosen; `node.toml` chooses; otherwise it is any node.
#[test]
fn the_profiles_are_those_that_were_asked_for() {
    let chosen = |node: Option<&str>, profiles: &[&str]| {
        let mut tree = Tree::new();
        if let Some(node) = node {
            fs::write(&tree.context.paths.node, node).unwrap();
        }
        let (exit, report) = ask(&mut tree, args(profiles, None));
        assert_eq!(exit.unwrap(), Exit::Failed, "a directory is no node");
        (report["chosen"].to_string(), tree.err.text())
    };
    let node = "profiles = [\"k3s-agent\", \"flannel\"]\n";
    let (names, said) = chosen(Some(node), &[]);
    assert_eq!((names.as_str(), said.as_str()), ("[\"flannel\",\"k3s-agent\"]", ""));
    assert_eq!(chosen(Some(node), &["wireguard"]).0, "[\"wireguard\"]");
    let (names, said) = chosen(None, &[]);
    assert_eq!(names, "[\"base\"]");
    assert!(said.contains("chooses no profiles"), "{said}");
}

/// A target that was asked for is taken, and must be one.
#[test]
fn the_hardware_is_what_was_asked_for() {
    let (_, report) = ask(&mut Tree::new(), args(&["base"], Some("rpi4")));
    assert_eq!(report["hardware"], "rpi4");
    let ids: Vec<_> = report["findings"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert!(ids.iter().any(|id| **id == "parameter:cgroup_enable=memory"), "{ids:?}");
    let (exit, _) = ask(&mut Tree::new(), args(&["base"], Some("abacus")));
    assert!(matches!(exit, Err(Error::Invalid(said)) if said.contains("abacus")));
}

/// Profiles that contradict each other make no table.
#[test]
fn a_contradiction_is_told_instead() {
    let (exit, _) = ask(&mut Tree::new(), args(&["k3s-server", "kubeadm"], None));
    assert_eq!(exit.unwrap_err().exit(), Exit::Invalid);
}

/// Set-up speaks to the kernel that runs; a directory has none.
#[test]
fn a_directory_is_not_set_up() {
    use clap::Parser as _;
    let typed = |words: &str| crate::args::Svc::try_parse_from(words.split(' ')).is_ok();
    assert!(typed("svc doctor --fix") && typed("svc doctor --root /mnt"));
    assert!(!typed("svc doctor --fix --root /mnt"));
}
