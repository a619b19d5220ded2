//! How the code reads: style.md's numbers, and the fence around `unsafe`.

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::{assert_none, top, tracked};

/// Longest function, in lines (TIGER_STYLE).
const FUNCTION_LINES_MAX: usize = 70;
/// A file that is longer is two files.
const FILE_LINES_MAX: usize = 600;
/// Longest line, in characters.
const LINE_CHARS_MAX: usize = 100;

/// The only rooms that may say `unsafe`.
const FENCE: [&str; 2] = ["init/", "supervise/sys/"];
/// Rooms whose processes must not die; they have no threads, by rule.
const NO_THREADS: [&str; 2] = ["init/src/", "supervise/"];

/// The only files that may pause: three look, with a deadline, for what nobody announces; in the
/// fourth the passing of time is the subject: something is killed at a random moment.
const PAUSES: [&str; 4] = [
    "tests/tests/container/containerd.rs",
    "tests/tests/container/namespace.rs",
    "tests/tests/supervise/crash.rs",
    "tests/tests/supervise/tree.rs",
];

fn rust_sources() -> Vec<(String, String)> {
    tracked()
        .into_iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| {
            let text = std::fs::read_to_string(top().join(&path)).expect("readable");
            (path, text)
        })
        .collect()
}

#[test]
fn files_and_lines_are_short() {
    // A reader holds one file, and one line, in view.
    let mut broken = Vec::new();
    for (path, text) in rust_sources() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            broken.push(format!("{path}: {lines} lines"));
        }
        for (number, line) in (1..).zip(text.lines()) {
            // What a test feeds in is as long as it is.
            let is_data = path.contains("tests/") && line.contains("\\\"");
            if line.chars().count() > LINE_CHARS_MAX && !is_data {
                broken.push(format!("{path}:{number}: longer than {LINE_CHARS_MAX} characters"));
            }
        }
    }
    assert_none("too long", &broken);
}

#[test]
fn functions_are_short() {
    // Push `if` up and `for` down until each function fits on a screen.
    let mut broken = Vec::new();
    for (path, text) in rust_sources() {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut functions = Functions::default();
        functions.visit_file(&file);
        for (name, start, end) in functions.found {
            let lines = end.line.saturating_sub(start.line).saturating_add(1);
            if lines > FUNCTION_LINES_MAX {
                broken.push(format!("{path}:{}: {name} has {lines} lines", start.line));
            }
        }
    }
    assert_none("functions longer than 70 lines", &broken);
}

#[test]
fn unsafe_stays_behind_the_fence() {
    // Outside `init` and `sys` the compiler itself forbids it, at every crate root.
    let mut broken = Vec::new();
    for (path, text) in rust_sources() {
        let root = path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
        let fenced = FENCE.iter().any(|room| path.starts_with(room));
        if root && !fenced && !text.contains("#![forbid(unsafe_code)]") {
            broken.push(format!("{path}: no #![forbid(unsafe_code)]"));
        }
        if fenced || path.contains("/tests/") {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.split("//").next().unwrap_or(line);
            let blocks = ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];
            if blocks.iter().any(|block| code.contains(block)) {
                broken.push(format!("{path}:{number}: unsafe outside init and supervise/sys"));
            }
        }
    }
    assert_none("the fence", &broken);
}

#[test]
fn supervisors_have_no_threads() {
    // One thread, one loop: no lock to hold when killed, nothing to deadlock.
    let mut broken = Vec::new();
    for (path, text) in rust_sources() {
        let exempt =
            path.contains("/tests/") || path.contains("/examples/") || path.ends_with("tests.rs");
        if exempt || !NO_THREADS.iter().any(|room| path.starts_with(room)) {
            continue;
        }
        let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or(&text);
        for (number, line) in (1..).zip(shipped.lines()) {
            let code = line.split("//").next().unwrap_or(line);
            if ["std::thread", "Mutex<", "RwLock<"].iter().any(|word| code.contains(word)) {
                broken.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none("threads and locks", &broken);
}

#[test]
fn tests_wait_for_events_and_never_pause() {
    // A sleep is either too short on a busy machine or too long on an idle one.
    let mut broken = Vec::new();
    for (path, text) in rust_sources() {
        if !path.contains("tests/") || PAUSES.contains(&path.as_str()) {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            // Python's is what a service of a test does, not what the test does.
            if line.contains(concat!("sle", "ep(")) && !line.contains(concat!("time.sle", "ep(")) {
                broken.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none("sleeps", &broken);
}

#[test]
fn every_source_file_is_part_of_a_crate() {
    // A file that no `mod` names is neither compiled nor checked; it only misleads.
    let sources = rust_sources();
    let mut broken = Vec::new();
    for (path, _) in &sources {
        let Some((directory, file)) = path.rsplit_once('/') else { continue };
        let is_root = ["lib.rs", "main.rs", "build.rs"].contains(&file);
        let own_target = ["tests", "examples", "benches", "bin"]
            .iter()
            .any(|d| directory.ends_with(&format!("/{d}")) || directory == *d);
        if is_root || own_target {
            continue;
        }
        let stem = if file == "mod.rs" {
            directory.rsplit('/').next().unwrap_or(directory)
        } else {
            file.trim_end_matches(".rs")
        };
        let (one, two) = (format!("mod {stem};"), format!("mod r#{stem};"));
        let named = sources.iter().any(|(_, text)| text.contains(&one) || text.contains(&two));
        if !named && !sources.iter().any(|(_, text)| text.contains(&format!("{file}\""))) {
            broken.push(path.clone());
        }
    }
    assert_none("files that no module names", &broken);
}

/// Every function of a file with its name, first and last line.
#[derive(Default)]
struct Functions {
    found: Vec<(String, LineColumn, LineColumn)>,
}

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (start, end) = (signature.span().start(), block.span().end());
        self.found.push((signature.ident.to_string(), start, end));
    }
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}
