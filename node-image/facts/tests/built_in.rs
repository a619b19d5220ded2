//! The texts that are built in are those of the directories, and each of them is right.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path};

use facts::{Library, read};

/// The TOML files of a directory beside this crate, by name.
fn files(directory: &str) -> BTreeMap<String, String> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
    let Ok(entries) = fs::read_dir(&top) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn list(out: &mut String, name: &str, directory: &str) {
    write!(out, "\n/// `node-image/{directory}`: name and text.\n").unwrap();
    let entries: String = files(directory)
        .keys()
        .map(|name| {
            let path = format!("../../../{directory}/{name}.toml");
            format!("    (\"{name}\", include_str!(\"{path}\")),\n")
        })
        .collect();
    let open = if entries.is_empty() { "&[" } else { "&[\n" };
    writeln!(out, "pub(super) const {name}: &[(&str, &str)] = {open}{entries}];").unwrap();
}

#[test]
fn what_is_built_in_is_what_the_directories_hold() {
    let mut wanted = String::from(
        "//! The texts that come with Cooper.\n//!\n\
         //! Written by `UPDATE=1 cargo test -p facts --test built_in` from what is in the \
         directories.\n",
    );
    list(&mut wanted, "PROFILES", "profiles");
    list(&mut wanted, "HARDWARE", "hardware");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/read/built_in.rs");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), wanted, "run with UPDATE=1");
}

#[test]
fn each_file_can_be_read() {
    let mut wrong = String::new();
    for (name, text) in files("profiles") {
        if let Err(mistakes) = read::profile(&text) {
            for mistake in mistakes {
                writeln!(wrong, "{}", mistake.render(&format!("{name}.toml"), &text)).unwrap();
            }
        }
    }
    for (name, text) in files("hardware") {
        if let Err(mistakes) = read::hardware(&text) {
            for mistake in mistakes {
                writeln!(wrong, "{}", mistake.render(&format!("{name}.toml"), &text)).unwrap();
            }
        }
    }
    assert_eq!(wrong, "");
    let library = Library::built_in();
    assert_eq!(library.profiles.len(), files("profiles").len());
    assert_eq!(library.hardware.len(), files("hardware").len());
}
