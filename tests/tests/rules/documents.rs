//! What the pages point at is there.

use crate::{assert_none, top, tracked};

/// Beginnings of paths that pages name between backquotes.
const ROOMS: [&str; 6] = ["tests/", "supervise/", "svc/", "init/", "node-image/", "docs/"];

#[test]
fn links_and_paths_lead_somewhere() {
    // A page that names a test which is gone claims what nobody checks any more.
    let mut broken = Vec::new();
    for page in tracked().into_iter().filter(|path| path.ends_with(".md")) {
        let text = std::fs::read_to_string(top().join(&page)).expect("readable");
        let directory = page.rsplit_once('/').map_or("", |(directory, _)| directory);
        for link in between(&text, "](", ")") {
            let file = link.split('#').next().unwrap_or(link);
            let is_local = !link.contains("://") && !file.is_empty();
            if is_local && !top().join(directory).join(file).exists() {
                broken.push(format!("{page}: {link}"));
            }
        }
        for path in text.lines().flat_map(|line| between(line, "`", "`")) {
            let word = path.split(' ').next().unwrap_or(path);
            let is_pattern = word.contains(['*', '{', '<', '@']) || word.contains("NAME");
            let is_ours = ROOMS.iter().any(|room| word.starts_with(room));
            if is_ours && !is_pattern && !top().join(word).exists() {
                broken.push(format!("{page}: `{word}`"));
            }
        }
    }
    assert_none("links and paths that lead nowhere", &broken);
}

/// Every piece of `text` between `open` and the next `close`.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(open)?;
        let (piece, after) = after.split_once(close)?;
        rest = after;
        Some(piece)
    })
}
