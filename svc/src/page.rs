//! `docs/svc.md` agrees with the command line.

use std::{env, fs, path::PathBuf};

use clap::{Arg, Command, CommandFactory};

use crate::{args::Svc, exit::Exit};

const BEGIN: &str =
    "<!-- made from the definition of the command line: UPDATE=1 cargo test -p svc -->\n";
const END: &str = "<!-- end -->\n";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/svc.md")
}

/// `-t, --timeout TIME`, or the name of an operand.
fn heading(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first());
    let value = value.map(ToString::to_string).unwrap_or_default();
    if argument.is_positional() {
        return value.to_uppercase();
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let takes = argument.get_action().takes_values();
    names.join(", ") + &if takes { format!(" {value}") } else { String::new() }
}

fn line(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let alias = argument.get_visible_aliases().unwrap_or_default();
    let alias: String = alias.iter().map(|name| format!(" (also `--{name}`)")).collect();
    let values: Vec<String> = if argument.get_action().takes_values() {
        argument.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect()
    } else {
        Vec::new()
    };
    let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
    format!("- `{}`: {help}{values}{alias}\n", heading(argument))
}

fn section(verb: &Command) -> String {
    let mut text = format!(
        "### svc {}\n\n{}.\n\n",
        verb.get_name(),
        verb.get_about().map(ToString::to_string).unwrap_or_default()
    );
    let arguments: String = verb.get_arguments().map(line).collect();
    if !arguments.is_empty() {
        text.push_str(&arguments);
        text.push('\n');
    }
    if let Some(after) = verb.get_after_help() {
        // Examples are indented, which makes them code; prose is not.
        let after = after.to_string();
        let (_, after) = after.split_once("Examples:\n").unwrap_or_default();
        text.push_str(&after.lines().fold(String::new(), |text, line| {
            if line.starts_with("  ") { text + "  " + line + "\n" } else { text + line + "\n" }
        }));
        text.push('\n');
    }
    text
}

fn options() -> String {
    let svc = Svc::command();
    let global: String = svc.get_arguments().map(line).collect();
    let verbs = svc.get_subcommands().filter(|verb| !verb.is_hide_set());
    format!("\n{global}\n{}", verbs.map(section).collect::<String>())
}

/// The page's OPTIONS are those that there are.
#[test]
fn the_page_has_every_option() {
    let page = fs::read_to_string(path()).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", options());
    if env::var_os("UPDATE").is_some() {
        fs::write(path(), &wanted).unwrap();
    }
    let page = fs::read_to_string(path()).unwrap();
    assert!(page == wanted, "docs/svc.md is behind: UPDATE=1 cargo test -p svc rewrites it");
}

/// The page and the help list each exit status, and no number twice.
#[test]
fn the_page_has_every_exit_status() {
    let page = fs::read_to_string(path()).unwrap();
    let help = Svc::command().get_after_help().map(ToString::to_string).unwrap_or_default();
    let help = help.replace('\n', " ");
    for exit in Exit::ALL {
        let status = exit.status();
        assert_eq!(page.matches(&format!("\n| {status} | ")).count(), 1, "{status}");
        assert!(help.contains(&format!(" {status} ")), "{status}");
    }
}

/// Every environment variable that is read is documented.
#[test]
fn the_page_has_every_variable() {
    let page = fs::read_to_string(path()).unwrap();
    let sources =
        [include_str!("paths.rs"), include_str!("render.rs"), include_str!("verb/edit.rs")];
    let shouts = |word: &&str| {
        word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    for word in sources.iter().flat_map(|source| source.split('"')).filter(shouts) {
        assert!(["HOME", "TERM"].contains(&word) || page.contains(word), "{word}");
    }
}
