//! `node-setup [--root DIR] SECTION [--watch | --save]`: makes a section of the node's table true.
//!
//! Services of a node run it, once each at boot and again when their section changes; the section
//! is in `COOPER_SETUP`. It says each thing that it changed and each that it could not. With
//! `--watch` it stays and does so for what comes into being later: `sysctl` only. With `--save` it
//! keeps for the next boot what this one knows: `random-seed` and `clock`.
//!
//! `node-setup end WHAT` and `node-setup disk WHAT` do other work of a node's; as process 1 of an
//! initramfs it boots the node.
//!
//! Exit status: 0 done; 100 bad input; 111 something that is needed could not be done.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use facts::Section;
use node_setup::{BAD_INPUT, Error, Root};

/// What tells an initramfs from a root: `/init` there is this program.
const INITRAMFS: &str = "/etc/initrd-release";
const USAGE: &str = "usage: node-setup [--root DIR] SECTION [--watch | --save]";

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if std::process::id() == 1 && Path::new(INITRAMFS).exists() {
        return ExitCode::from(node_setup::initrd::boot(&words));
    }
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let (root, words) = match words.as_slice() {
        ["--root", directory, words @ ..] => (Root::at(Path::new(directory)), words),
        words => (Root::default(), words),
    };
    let ended = match words {
        ["end", words @ ..] => Ok(node_setup::end::end(words, &root)),
        ["disk", words @ ..] => Ok(node_setup::disk::disk(words, &root)),
        [name] => run(name, |section, json| node_setup::apply(section, json, &root)),
        [name, "--watch"] => run(name, |section, json| {
            node_setup::watch(section, json, &root).map(|never| match never {})
        }),
        [name, "--save"] => Section::named(name)
            .ok_or_else(|| Error::Section((*name).to_owned()))
            .and_then(|section| node_setup::save(section, &root)),
        [..] => {
            eprintln!("{USAGE}");
            return ExitCode::from(BAD_INPUT);
        }
    };
    ExitCode::from(ended.unwrap_or_else(|error| {
        eprintln!("node-setup: fatal: {error}");
        error.code()
    }))
}

/// Calls `what` with a section and its table.
fn run(name: &str, what: impl FnOnce(Section, &str) -> Result<u8, Error>) -> Result<u8, Error> {
    let section = Section::named(name).ok_or_else(|| Error::Section(name.to_owned()))?;
    let json = std::env::var(facts::section::VARIABLE)
        .map_err(|_| Error::NoTable { section: section.name() })?;
    what(section, &json)
}
