//! The profiles and hardware targets that come with Cooper, alone and together.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;

use facts::{About, Choice, Library, Merged, Section, Severity, section};

fn choose(library: &Library, profiles: &[&str], settled: &[&str]) -> Merged {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_string()).collect();
    library.node(&Choice {
        profiles: owned(profiles),
        settled: owned(settled),
        ..Choice::default()
    })
}

/// What makes a problem one that people can act on.
fn explained(chosen: &[&str], merged: &Merged) {
    for problem in &merged.problems {
        assert!(!problem.about.is_empty() && !problem.ways_out.is_empty(), "{problem}");
        for about in &problem.about {
            let About::Profile(name) = about else { panic!("{chosen:?}: {problem}") };
            assert!(chosen.contains(&name.as_str()), "{chosen:?}: {problem}");
        }
    }
}

#[test]
fn each_profile_alone_has_no_problem() {
    let library = Library::built_in();
    for name in library.profiles.keys() {
        let merged = choose(&library, &[name], &[]);
        let told: Vec<String> = merged.problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.join("\n"), "", "{name}");
        assert!(merged.node.profiles.contains(name));
    }
}

#[test]
fn any_two_and_any_three_merge_or_say_why_not() {
    let library = Library::built_in();
    let names: Vec<&str> = library.profiles.keys().map(String::as_str).collect();
    for (i, a) in names.iter().enumerate() {
        for (j, b) in names.iter().enumerate().skip(i) {
            explained(&[a, b], &choose(&library, &[a, b], &[]));
            for c in names.iter().skip(j) {
                explained(&[a, b, c], &choose(&library, &[a, b, c], &[]));
            }
        }
    }
}

#[test]
fn a_conflict_is_explained_whichever_comes_first_and_can_be_settled() {
    let library = Library::built_in();
    for (name, profile) in &library.profiles {
        for conflict in &profile.conflicts {
            let with = conflict.with.as_str();
            assert!(library.profiles.contains_key(with), "{name} conflicts with {with}?");
            let told = |profiles: &[&str], settled: &[&str]| -> BTreeSet<String> {
                let merged = choose(&library, profiles, settled);
                merged.problems.iter().map(ToString::to_string).collect()
            };
            let once = told(&[name, with], &[]);
            assert_eq!(once, told(&[with, name], &[]), "{name} and {with}");
            assert!(once.iter().any(|text| text.contains(&conflict.why)), "{name} and {with}");
            let settled = told(&[name, with], &[&conflict.name]);
            assert!(!settled.iter().any(|text| text.contains(&conflict.why)), "{name}, {with}");
        }
    }
}

#[test]
fn a_profile_that_another_one_includes_is_there() {
    let library = Library::built_in();
    for (name, profile) in &library.profiles {
        for included in &profile.includes {
            assert!(library.profiles.contains_key(included), "{name} includes {included}?");
        }
    }
}

#[test]
fn each_hardware_target_goes_with_the_base() {
    let library = Library::built_in();
    for name in library.hardware.keys() {
        let merged = library.node(&Choice {
            profiles: vec!["base".to_string()],
            hardware: Some(name.clone()),
            ..Choice::default()
        });
        let errors = merged.problems.iter().filter(|p| p.severity == Severity::Error);
        assert_eq!(errors.map(ToString::to_string).collect::<String>(), "", "{name}");
    }
}

#[test]
fn the_sections_of_all_profiles_together_fit_into_a_variable() {
    // Nobody chooses them all; whoever chooses a part of them has room for profiles of his own.
    let library = Library::built_in();
    let names: Vec<&str> = library.profiles.keys().map(String::as_str).collect();
    let node = choose(&library, &names, &[]).node;
    for section in Section::ALL {
        let length = node.section(section).len();
        assert!(length < section::VARIABLE_MAX / 2, "{}: {length} bytes", section.name());
    }
}
