//! What holds for any profiles: the table depends on which there are, and on nothing else.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;

use facts::{
    Choice, Library, Merged, Module, Node, Profile, Section, Service, Severity, Sysctl, read,
    section,
};
use proptest::{collection::vec, prelude::*, sample::select};

/// Few names, so that profiles meet.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn empty() -> Profile {
    read::profile("description = \"made up\"\n").expect("right")
}

prop_compose! {
    fn module()(
        name in select(&["overlay", "br_netfilter", "tun"][..]),
        optional: bool,
        why in select(&["one", "two."][..]),
    ) -> Module {
        let options = String::new();
        Module {
            name: name.into(), options, optional, why: why.into(), source: "s".into(), by: vec![],
        }
    }
}

prop_compose! {
    fn sysctl()(
        key in select(&["net.*.rp", "net.all.rp", "vm.x"][..]),
        value in 0_u8..3,
        accept in vec(0_u8..3, 0..2),
        at_least: bool,
        optional: bool,
    ) -> Sysctl {
        Sysctl {
            key: key.into(),
            value: value.to_string(),
            accept: accept.iter().map(ToString::to_string).collect(),
            at_least,
            optional,
            module: None,
            why: format!("because of {value}"),
            source: "s".into(),
            by: vec![],
        }
    }
}

prop_compose! {
    fn profile()(
        modules in vec(module(), 0..3),
        sysctls in vec(sysctl(), 0..3),
        services in vec((select(&["x", "y"][..]), any::<bool>()), 0..2),
        includes in vec(select(&NAMES[..]), 0..2),
    ) -> Profile {
        let service = |(name, required): (&str, bool)| Service {
            name: name.into(), required, why: "w".into(), source: "s".into(), by: vec![],
        };
        Profile {
            includes: includes.into_iter().map(str::to_string).collect(),
            modules: once(modules, |module| module.name.clone()),
            sysctls: once(sysctls, |sysctl| sysctl.key.clone()),
            services: once(services.into_iter().map(service).collect(), |s| s.name.clone()),
            ..empty()
        }
    }
}

/// As a file has it: nothing stands twice.
fn once<T>(entries: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut seen = BTreeSet::new();
    entries.into_iter().filter(|entry| seen.insert(key(entry))).collect()
}

prop_compose! {
    fn library()(profiles in vec(profile(), NAMES.len())) -> Library {
        let names = NAMES.iter().map(ToString::to_string);
        Library { profiles: names.zip(profiles).collect(), ..Library::default() }
    }
}

fn node(library: &Library, profiles: &[&str]) -> Merged {
    let profiles = profiles.iter().map(ToString::to_string).collect();
    library.node(&Choice { profiles, ..Choice::default() })
}

/// What problems say, wherever in the choice they are placed.
fn messages(merged: &Merged) -> BTreeSet<String> {
    merged
        .problems
        .iter()
        .filter(|problem| !problem.message.contains("in a circle"))
        .map(ToString::to_string)
        .collect()
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_matters(
        library in library(),
        (chosen, shuffled) in vec(select(&NAMES[..]), 1..5)
            .prop_flat_map(|chosen| (Just(chosen.clone()), Just(chosen).prop_shuffle())),
    ) {
        let first = node(&library, &chosen);
        let second = node(&library, &[shuffled.clone(), shuffled].concat());
        prop_assert_eq!(&first.node, &second.node);
        prop_assert_eq!(messages(&first), messages(&second));
    }

    #[test]
    fn it_does_not_matter_who_includes_whom(
        mut library in library(),
        split in 1_usize..4,
    ) {
        for profile in library.profiles.values_mut() {
            profile.includes.clear();
        }
        let flat = node(&library, &NAMES);
        let (left, right) = NAMES.split_at(split);
        for (name, includes) in [("left", left), ("right", right)] {
            let includes = includes.iter().map(ToString::to_string).collect();
            library.profiles.insert(name.into(), Profile { includes, ..empty() });
        }
        let grouped = node(&library, &["right", "left"]);
        prop_assert_eq!(messages(&flat), messages(&grouped));
        let bare = |merged: Merged| Node { profiles: vec![], ..merged.node };
        prop_assert_eq!(bare(flat), bare(grouped));
    }

    #[test]
    fn without_an_error_everybody_has_what_he_wants(
        library in library(),
        chosen in vec(select(&NAMES[..]), 1..5),
    ) {
        let merged = node(&library, &chosen);
        let Merged { node, problems, .. } = merged;
        prop_assume!(!problems.iter().any(|problem| {
            problem.severity == Severity::Error && !problem.message.contains("in a circle")
        }));
        for name in &node.profiles {
            let profile = &library.profiles[name];
            for wish in &profile.sysctls {
                let made = node.sysctls.iter().find(|made| made.key == wish.key).unwrap();
                prop_assert!(wish.accepts(&made.value), "{}: {:?} {:?}", name, wish, made);
                prop_assert!(made.by.contains(name) && (wish.optional || !made.optional));
                // Whatever the table accepts, each of those who want it accepts.
                for other in &made.accept {
                    prop_assert!(wish.accepts(other), "{}: {:?} {:?}", name, wish, made);
                }
            }
            for wish in &profile.modules {
                let made = node.modules.iter().find(|made| made.name == wish.name).unwrap();
                prop_assert!(made.why.contains(wish.why.trim_end_matches('.')));
                prop_assert!(wish.optional || !made.optional);
            }
            for wish in &profile.services {
                let made = node.services.iter().find(|made| made.name == wish.name).unwrap();
                prop_assert!(made.required || !wish.required);
            }
        }
    }

    #[test]
    fn a_section_comes_out_as_it_went_in(
        library in library(),
        chosen in vec(select(&NAMES[..]), 1..5),
    ) {
        let node = node(&library, &chosen).node;
        let modules: section::Modules =
            serde_json::from_str(&node.section(Section::Modules)).unwrap();
        prop_assert_eq!(modules.modules, node.modules.clone());
        let sysctls: section::Sysctls =
            serde_json::from_str(&node.section(Section::Sysctl)).unwrap();
        prop_assert_eq!(sysctls.sysctls, node.sysctls);
    }
}
