//! What stands at the top, and what no file may say.

use crate::{assert_none, top, tracked};

/// Fixed by the owner; dot-files come beside them.
const TOP: [&str; 12] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "alpine",
    "docs",
    "init",
    "nix",
    "node-image",
    "supervise",
    "svc",
    "tests",
];

#[test]
fn nothing_else_stands_at_the_top() {
    // The top level is fixed: everything of ours lives inside one of these, or is a dot-file.
    let strangers: Vec<String> = tracked()
        .into_iter()
        .filter(|path| {
            let first = path.split('/').next().unwrap_or(path);
            !first.starts_with('.') && !TOP.contains(&first)
        })
        .collect();
    assert_none("outside the fixed top level", &strangers);
}

#[test]
fn nothing_is_left_open() {
    // A mark for later is a promise that nobody keeps: finish it, or file an issue.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let macros = [concat!("todo", "!("), concat!("unimple", "mented!(")];
    let mut open = Vec::new();
    for path in tracked() {
        let Ok(text) = std::fs::read_to_string(top().join(&path)) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric());
            let marked = words.into_iter().any(|word| marks.contains(&word));
            if marked || macros.iter().any(|name| line.contains(name)) {
                open.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert_none("left open", &open);
}
