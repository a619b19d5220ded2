//! `node-setup [--root DIR] SECTION`: makes a section of the node's table true.
//!
//! Services of a node run it, once each at boot and again when their section changes; the section
//! is in `COOPER_SETUP`. It says each thing that it changed and each that it could not.
//!
//! Exit status: 0 done; 100 bad input; 111 something that is needed could not be done.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use facts::Section;
use node_setup::{BAD_INPUT, Error, Root};

const USAGE: &str = "usage: node-setup [--root DIR] SECTION";

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let (root, words) = match words.as_slice() {
        ["--root", directory, words @ ..] => (Root::at(Path::new(directory)), words),
        words => (Root::default(), words),
    };
    match run(words, &root) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("node-setup: fatal: {message}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn run(words: &[&str], root: &Root) -> Result<u8, String> {
    match words {
        [name] => apply(name, root).map_err(|error| error.to_string()),
        [..] => Err(USAGE.to_owned()),
    }
}

fn apply(name: &str, root: &Root) -> Result<u8, Error> {
    let section = Section::named(name).ok_or_else(|| Error::Section(name.to_owned()))?;
    let json = std::env::var(facts::section::VARIABLE)
        .map_err(|_| Error::NoTable { section: section.name() })?;
    node_setup::apply(section, &json, root)
}
