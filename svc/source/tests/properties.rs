//! Whatever the texts are: an answer, never a panic; and a graph that can be opened.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::fmt::Write;

use graph::View;
use proptest::{collection::vec, prelude::*};
use source::{Colour, Text, compile};

const EVERYTHING: &str = include_str!("good/everything.toml");
const MISTAKES: [&str; 4] = [
    include_str!("errors/types.toml"),
    include_str!("errors/unknown-keys.toml"),
    include_str!("errors/template.toml"),
    include_str!("errors/drop-in.toml"),
];

/// Compiles a case; its report, whatever it is, can be rendered, and a graph can be opened.
fn check(case: &str) -> Result<(), TestCaseError> {
    let texts: Vec<Text<'_>> = case
        .split("#: ")
        .filter_map(|part| part.split_once('\n'))
        .map(|(path, text)| Text { path: path.trim(), text })
        .collect();
    match compile(&texts) {
        Ok(compiled) => {
            prop_assert_eq!(compiled.warnings.errors(), 0);
            let bytes = compiled.bytes();
            let view = View::open(&bytes);
            prop_assert!(view.is_ok(), "{:?}", view.err());
            prop_assert_eq!(view.unwrap().graph(), compiled.graph);
        }
        Err(report) => {
            prop_assert!(report.errors() > 0);
            prop_assert!(!report.render(Colour::Ansi).is_empty());
        }
    }
    Ok(())
}

/// A change to a text: at a place, remove some characters and put others there.
fn edit() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let words = prop_oneof![
        "[\\[\\]{}=\",.#%@!:\n \\-0-9a-z]{0,6}",
        Just("\"\"\"".to_string()),
        Just("[[ready]]\n".to_string()),
        Just("99999999999999999999".to_string()),
        Just("→".to_string()),
        Just("1979-05-27".to_string()),
        Just("@".to_string()),
        Just("%i".to_string()),
    ];
    (any::<prop::sample::Index>(), 0..12_usize, words)
}

fn edited(text: &str, edits: &[(prop::sample::Index, usize, String)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (at, remove, insert) in edits {
        let at = at.index(characters.len().max(1)).min(characters.len());
        let end = (at + remove).min(characters.len());
        characters.splice(at..end, insert.chars());
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn changed_texts_never_panic(edits in vec(edit(), 1..6), which in 0..5_usize) {
        let text = MISTAKES.get(which).copied().unwrap_or(EVERYTHING);
        check(&edited(text, &edits))?;
    }

    #[test]
    fn random_texts_never_panic(text in "\\PC{0,200}") {
        check(&format!("#: a.toml\n{text}"))?;
    }

    #[test]
    fn random_graphs_are_in_order_or_have_a_circle(
        wishes in vec(vec((0..30_usize, 0..4_usize), 0..4), 1..30),
    ) {
        let mut case = String::new();
        for (number, wishes) in wishes.iter().enumerate() {
            write!(case, "#: s{number}.toml\nexec = [\"/bin/x\"]\n").unwrap();
            for (kind, key) in ["requires", "wants", "after", "conflicts"].iter().enumerate() {
                let named: Vec<String> = wishes
                    .iter()
                    .filter(|(_, of)| *of == kind)
                    .map(|(to, _)| format!("\"s{}\"", to % wishes.len().max(1)))
                    .collect();
                writeln!(case, "{key} = [{}]", named.join(", ")).unwrap();
            }
        }
        check(&case)?;
    }
}

#[test]
fn ten_thousand_services_compile() {
    // Seconds in a debug build, a third of a second in a release; what grows faster than the
    // number of services would take minutes here.
    let texts: Vec<(String, String)> = (0..10_000)
        .map(|n: usize| {
            let earlier = [1, 10, 100].iter().filter(|step| **step <= n);
            let earlier: Vec<String> = earlier.map(|step| format!("\"s{}\"", n - step)).collect();
            let text = format!("exec = [\"/bin/x\"]\nrequires = [{}]\n", earlier.join(", "));
            (format!("s{n}.toml"), text)
        })
        .collect();
    let texts: Vec<Text<'_>> = texts.iter().map(|(path, text)| Text { path, text }).collect();
    let compiled = compile(&texts).unwrap();
    assert_eq!(compiled.graph.services.len(), 10_002);
    assert_eq!(compiled.graph.services.last().unwrap().name, "s9999");
    View::open(&compiled.bytes()).unwrap();
}
