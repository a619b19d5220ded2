//! `docs/services.md` is what the schema says.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::{env, fs, path::Path};

use graph::View;
use source::{Colour, Text, Tree, load, reference};

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/services.md");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, reference()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == reference(), "docs/services.md is out of date: UPDATE=1 rewrites it");
}

#[test]
fn the_examples_of_the_reference_compile_without_a_warning() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let compiled = load(&Tree { dirs: vec![dir], ..Tree::default() })
        .unwrap_or_else(|report| panic!("{}", report.render(Colour::None)));
    assert_eq!(compiled.warnings.render(Colour::None), "");
    let bytes = compiled.bytes();
    assert!(View::open(&bytes).unwrap().find("getty@tty2").is_some());
}

#[test]
fn every_default_of_the_reference_may_be_written() {
    // A file that writes down each default for its type compiles, and says what an empty one says.
    let plain = "exec = [\"/bin/a\"]\n";
    let mut written = String::new();
    let page = reference();
    let mut table = String::new();
    for line in page.lines().take_while(|line| !line.starts_with("## `node.toml`")) {
        if let Some(heading) = line.strip_prefix("## `[") {
            table = heading.trim_end_matches("]`").to_string();
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        let [key, _, default, of, _] = cells.as_slice() else { continue };
        let default = default.trim_matches('`').split("`;").next().unwrap();
        if default.is_empty() || *of == "for" || key.contains("---") {
            continue;
        }
        let key = key.trim_start_matches("| ").trim_matches('`');
        // These say something about another key that is not there.
        if matches!(key, "tty-reset" | "ambient") || table == "health" {
            continue;
        }
        let path = if table.is_empty() { key.to_string() } else { format!("{table}.{key}") };
        written.push_str(&format!("{path} = {default}\n"));
    }
    assert!(written.contains("stop.timeout = \"30s\"\n"), "{written}");
    let compile = |text: String| {
        let compiled = source::compile(&[Text { path: "a.toml", text: &text }]);
        let compiled = compiled.unwrap_or_else(|report| panic!("{}", report.render(Colour::None)));
        let id = compiled.graph.services.iter().position(|service| service.name == "a").unwrap();
        compiled.graph.services[id].clone()
    };
    let mut empty = compile(plain.to_string());
    let full = compile(format!("{plain}{written}"));
    // Where a process keeps what init has, writing the same value is not the same as silence.
    if let (graph::Kind::Longrun(empty), graph::Kind::Longrun(full)) = (&mut empty.kind, &full.kind)
    {
        empty.run.umask = full.run.umask;
        empty.run.nice = full.run.nice;
        empty.run.oom_score_adj = full.run.oom_score_adj;
    }
    empty.fingerprint = full.fingerprint;
    assert_eq!(empty, full);
}
