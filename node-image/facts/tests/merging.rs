//! What two profiles make of one thing, kind by kind.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use facts::{Choice, Library, Merged, Severity, Sysctl, read};

/// Profiles `a`, `b`, … of their texts, all of them chosen.
fn merged(texts: &[&str]) -> Merged {
    chosen(texts, Choice::default())
}

fn chosen(texts: &[&str], choice: Choice) -> Merged {
    let mut library = Library::default();
    for (name, text) in ('a'..).zip(texts) {
        let text = format!("description = \"a test\"\n{text}");
        let profile = read::profile(&text)
            .unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render("profile", &text)));
        library.profiles.insert(name.to_string(), profile);
    }
    let profiles = library.profiles.keys().cloned().collect();
    library.node(&Choice { profiles, ..choice })
}

/// The one problem that there is.
fn problem(merged: &Merged) -> String {
    assert_eq!(merged.problems.len(), 1, "{:?}", merged.problems);
    merged.problems[0].to_string()
}

fn sysctl(value: &str) -> String {
    format!("[[sysctl]]\nkey = \"vm.x\"\n{value}\nwhy = \"w\"\nsource = \"s\"\n")
}

/// What is made of wishes for one parameter: its value and what else is accepted, or the problem.
fn agreed(wishes: &[&str]) -> Result<(String, Vec<String>, bool), String> {
    let texts: Vec<String> = wishes.iter().map(|wish| sysctl(wish)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let merged = merged(&texts);
    if !merged.problems.is_empty() {
        return Err(problem(&merged).lines().next().unwrap().to_string());
    }
    let Sysctl { value, accept, at_least, .. } = merged.node.sysctls[0].clone();
    Ok((value, accept, at_least))
}

#[test]
fn of_several_values_the_one_that_all_accept_is_taken() {
    let plain = |value: &str| Ok((value.to_string(), Vec::new(), false));
    let least = |value: &str| Ok((value.to_string(), Vec::new(), true));
    assert_eq!(agreed(&["value = \"1\"", "value = \"1\""]), plain("1"));
    assert_eq!(agreed(&["value = \"2\"\naccept = [\"0\"]", "value = \"0\""]), plain("0"));
    assert_eq!(agreed(&["value = \"1\\t2\"", "value = \"1 2\""]), plain("1\t2"));
    let both = ["value = \"1\"\naccept = [\"3\"]", "value = \"2\"\naccept = [\"3\"]"];
    assert_eq!(agreed(&both), plain("3"));
    let wide = ["value = \"1\"\naccept = [\"2\", \"3\"]", "value = \"2\"\naccept = [\"1\", \"3\"]"];
    assert_eq!(agreed(&wide), Ok(("1".into(), vec!["2".into(), "3".into()], false)));
    let (small, large) = ("value = \"100\"\nat-least = true", "value = \"200\"\nat-least = true");
    assert_eq!(agreed(&[small, large]), least("200"));
    assert_eq!(agreed(&[large, small]), least("200"));
    assert_eq!(agreed(&[small, "value = \"150\""]), plain("150"));
}

#[test]
fn values_that_exclude_each_other_name_both_sides() {
    let least = "value = \"100\"\nat-least = true";
    let told = agreed(&["value = \"1\"", "value = \"2\""]).unwrap_err();
    assert_eq!(told, "`vm.x` cannot be both 1 (a) and 2 (b)");
    let told = agreed(&[least, "value = \"50\""]).unwrap_err();
    assert_eq!(told, "`vm.x` cannot be both at least 100 (a) and 50 (b)");
    // Any two of these have a value in common, all three have none.
    let three = [
        "value = \"1\"\naccept = [\"2\"]",
        "value = \"2\"\naccept = [\"3\"]",
        "value = \"3\"\naccept = [\"1\"]",
    ];
    let told = agreed(&three).unwrap_err();
    assert_eq!(told, "`vm.x` cannot be both 1 or 2 (a) and 2 or 3 (b) and 3 or 1 (c)");
}

#[test]
fn a_pattern_is_a_wish_for_each_key_that_another_profile_names() {
    let pattern = "[[sysctl]]\nkey = \"net.*.x\"\nvalue = \"0\"\nwhy = \"w\"\nsource = \"s\"\n";
    let key = "[[sysctl]]\nkey = \"net.all.x\"\nvalue = \"2\"\nwhy = \"w\"\nsource = \"s\"\n";
    let apart = merged(&[pattern, key]);
    assert!(problem(&apart).starts_with("`net.all.x` cannot be both 0 (a) and 2 (b)\n"));
    // One who says both means an exception.
    let together = merged(&[&format!("{pattern}{key}")]);
    assert_eq!(together.problems, []);
    let values: Vec<(&str, &str)> =
        together.node.sysctls.iter().map(|s| (s.key.as_str(), s.value.as_str())).collect();
    assert_eq!(values, [("net.*.x", "0"), ("net.all.x", "2")]);
}

#[test]
fn the_node_has_the_last_word_on_parameters() {
    let mut choice = Choice::default();
    choice.settings.sysctl.insert("vm.x".into(), "3".into());
    choice.settings.sysctl.insert("vm.own".into(), "7".into());
    let (one, two) = (sysctl("value = \"1\""), sysctl("value = \"3\""));
    let merged = chosen(&[&one, &two], choice);
    let problem = problem(&merged);
    assert!(problem.starts_with("`vm.x` is 3 here, and a wants 1\n"), "{problem}");
    assert_eq!(merged.problems[0].severity, Severity::Warning);
    let values: Vec<&str> = merged.node.sysctls.iter().map(|s| s.value.as_str()).collect();
    assert_eq!(values, ["7", "3"]);
}

#[test]
fn reasons_and_names_of_all_who_want_it_are_kept() {
    let module = |optional: bool, why: &str| {
        format!(
            "[[module]]\nname = \"overlay\"\noptional = {optional}\nwhy = \"{why}\"\n\
             source = \"s\"\n"
        )
    };
    let merged = merged(&[&module(true, "images."), &module(false, "images too")]);
    let [module] = merged.node.modules.as_slice() else { panic!("{:?}", merged.node.modules) };
    assert_eq!(module.why, "images. images too");
    assert_eq!((module.source.as_str(), module.optional), ("s", false));
    assert_eq!(module.by, ["a", "b"]);
}

#[test]
fn a_module_is_the_same_with_either_dash_and_options_must_agree() {
    let module = |name: &str, options: &str| {
        format!(
            "[[module]]\nname = \"{name}\"\noptions = \"{options}\"\nwhy = \"w\"\n\
             source = \"s\"\n"
        )
    };
    let same = merged(&[&module("snd-hda", "a=1 b=2"), &module("snd_hda", "c=3 a=1")]);
    assert_eq!(same.node.modules.len(), 1);
    assert_eq!(same.node.modules[0].options, "a=1 b=2 c=3");
    let other = merged(&[&module("x", "a=1"), &module("x", "a=2")]);
    let told = problem(&other);
    assert!(told.starts_with("the option of the module `x` cannot be both a=1"), "{told}");
}

#[test]
fn mounts_at_one_place_are_one_mount() {
    let mount = |fstype: &str, options: &str| {
        format!(
            "[[mount]]\nat = \"/x\"\nfstype = \"{fstype}\"\noptions = \"{options}\"\nwhy = \"w\"\n\
             source = \"s\"\n"
        )
    };
    let same = merged(&[&mount("any", "nosuid"), &mount("tmpfs", "nodev,nosuid")]);
    assert_eq!(same.problems, []);
    assert_eq!(same.node.mounts[0].fstype, "tmpfs");
    assert_eq!(same.node.mounts[0].options, "nodev,nosuid");
    for (ours, theirs) in [("exec", "noexec"), ("ro", "rw"), ("mode=1", "mode=2")] {
        let told = problem(&merged(&[&mount("tmpfs", ours), &mount("tmpfs", theirs)]));
        let wanted = format!("the mount option on /x cannot be both {ours} (a) and {theirs} (b)\n");
        assert!(told.starts_with(&wanted), "{told}");
    }
    let told = problem(&merged(&[&mount("tmpfs", ""), &mount("bpf", "")]));
    assert!(told.starts_with("what is mounted on /x cannot be both tmpfs (a)"), "{told}");
}

#[test]
fn what_is_kept_off_is_not_loaded() {
    let entry = |kind: &str, optional: bool| {
        let optional = if optional { "optional = true\n" } else { "" };
        format!("[[{kind}]]\nname = \"x\"\n{optional}why = \"w\"\nsource = \"s\"\n")
    };
    let optional = merged(&[&entry("module", true), &entry("blacklist", false)]);
    assert_eq!(optional.problems[0].severity, Severity::Warning);
    assert_eq!((optional.node.modules.len(), optional.node.blacklist.len()), (0, 1));
    let needed = merged(&[&entry("module", false), &entry("blacklist", false)]);
    assert_eq!(needed.problems[0].severity, Severity::Error);
}

#[test]
fn kernel_options_are_asked_once_and_at_their_worst() {
    let options = |list: &str, severity: &str, why: &str| {
        format!(
            "[[kernel]]\noptions = [{list}]\nseverity = \"{severity}\"\nwhy = \"{why}\"\n\
             source = \"s\"\n"
        )
    };
    let one = options("\"BPF\", \"VETH\", \"VXLAN\"", "warning", "one");
    let two = options("\"BPF\", \"KEYS\"", "error", "two");
    let merged = merged(&[&one, &two]);
    let groups: Vec<(String, Severity, &str)> = merged
        .node
        .kernel
        .iter()
        .map(|group| (group.options.join(" "), group.severity, group.why.as_str()))
        .collect();
    assert_eq!(
        groups,
        [
            ("BPF".to_string(), Severity::Error, "one; two"),
            ("KEYS".to_string(), Severity::Error, "two"),
            ("VETH VXLAN".to_string(), Severity::Warning, "one"),
        ]
    );
}

#[test]
fn what_enemies_quarrel_about_is_told_once_it_is_said_that_they_may_be_together() {
    let words = "with = \"b\"\nname = \"a-b\"\nwhy = \"w\"\nways-out = [\"o\"]\nsource = \"s\"";
    let conflict = format!("[[conflict]]\n{words}\n");
    let texts = [format!("{conflict}{}", sysctl("value = \"1\"")), sysctl("value = \"2\"")];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert!(problem(&merged(&texts)).starts_with("`a` and `b` do not go together"));
    let settled = Choice { settled: vec!["a-b".into()], ..Choice::default() };
    assert!(problem(&chosen(&texts, settled)).contains("cannot be both"));
}
