//! Every mistake and its report: `tests/errors/CASE.toml` and `CASE.txt`, the same for warnings.
//!
//! A case is one file, or several: a line `#: PATH` begins the next one. `UPDATE=1` writes the
//! reports anew, for a person to read.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::{env, fs, path::Path};

use source::{Colour, Report, Text, compile};

/// The files of a case.
fn texts(case: &str) -> Vec<Text<'_>> {
    let mut texts = Vec::new();
    for part in case.split("#: ").filter(|part| !part.trim().is_empty()) {
        let (path, text) = part.split_once('\n').unwrap();
        texts.push(Text { path: path.trim(), text });
    }
    texts
}

/// Compiles every case of `dir` and compares its report.
fn check(dir: &str, report: impl Fn(&str, &[Text<'_>]) -> Report) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(dir);
    let mut cases = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        cases += 1;
        let case = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let rendered = report(&name, &texts(&case)).render(Colour::None);
        let expected = path.with_extension("txt");
        if env::var_os("UPDATE").is_some() {
            fs::write(&expected, &rendered).unwrap();
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&rendered) {
            wrong.push(format!("{name}:\n{rendered}"));
        }
    }
    assert!(cases > 0, "no case in {}", dir.display());
    assert!(wrong.is_empty(), "reports differ (UPDATE=1 rewrites them):\n{}", wrong.join("\n"));
}

#[test]
fn every_mistake_has_its_report() {
    check("errors", |name, texts| match compile(texts) {
        Ok(_) => panic!("{name} was compiled"),
        Err(report) => {
            assert!(report.errors() > 0, "{name} is refused without an error");
            report
        }
    });
}

#[test]
fn every_warning_has_its_report() {
    check("warnings", |name, texts| match compile(texts) {
        Ok(compiled) => {
            assert_eq!(compiled.warnings.errors(), 0, "{name}");
            assert!(compiled.warnings.warnings() > 0, "{name} is not warned of");
            compiled.warnings
        }
        Err(report) => panic!("{name} is refused:\n{}", report.render(Colour::None)),
    });
}

#[test]
fn what_is_wrong_is_never_without_help() {
    check("errors", |name, texts| {
        let report = compile(texts).err().unwrap_or_else(|| panic!("{name} was compiled"));
        for mistake in &report.mistakes {
            assert!(!mistake.help.is_empty() && !mistake.message.contains('\n'), "{name}");
            assert!(mistake.place.line > 0 && mistake.place.column > 0, "{name}");
        }
        report
    });
}

#[test]
fn colours_are_escapes_around_the_same_text() {
    let texts = [Text { path: "a.toml", text: "exce = [\"/bin/true\"]\n" }];
    let report = compile(&texts).unwrap_err();
    let mut coloured = report.render(Colour::Ansi);
    assert!(coloured.contains("\x1b[1;31merror:"));
    while let Some(start) = coloured.find('\x1b') {
        let end = coloured[start..].find('m').unwrap();
        coloured.replace_range(start..=start + end, "");
    }
    assert_eq!(coloured, report.render(Colour::None));
}
