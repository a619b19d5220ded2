//! `docs/services.md`, from the schema and from examples that the tests compile.

use std::fmt::Write;

use crate::schema::{For, Key, NODE, SERVICE};

const HEAD: &str = include_str!("../reference/head.md");
const TAIL: &str = include_str!("../reference/tail.md");

/// The examples, in the order of the page.
const EXAMPLES: [(&str, &str); 6] = [
    ("containerd.toml", include_str!("../examples/containerd.toml")),
    ("kubelet.toml", include_str!("../examples/kubelet.toml")),
    ("seatd.toml", include_str!("../examples/seatd.toml")),
    ("sshd.toml", include_str!("../examples/sshd.toml")),
    ("getty@.toml", include_str!("../examples/getty@.toml")),
    ("default.toml", include_str!("../examples/default.toml")),
];

/// The whole page.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_string();
    // Writing to a string does not fail.
    let _ = write_page(&mut page);
    page
}

fn write_page(page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n## Examples\n\nEach of them is compiled by the tests.\n")?;
    for (name, text) in EXAMPLES {
        writeln!(page, "### `{name}`\n\n```toml\n{}\n```\n", text.trim_end())?;
    }
    writeln!(page, "## Keys at the top of the file\n")?;
    writeln!(page, "They stand before the first `[table]`: what follows one belongs to it.\n")?;
    table(page, SERVICE, "")?;
    for section in SERVICE.iter().filter(|key| has_keys(SERVICE, key)) {
        writeln!(page, "\n## `[{}]`\n\n{}\n", section.path, section.doc)?;
        table(page, SERVICE, section.path)?;
    }
    writeln!(page, "\n## `node.toml`\n\nWhat one node adds; `/etc/cooper/node.toml`.\n")?;
    writeln!(page, "| key | value | default | meaning |\n|---|---|---|---|")?;
    for key in NODE.iter().filter(|key| !has_keys(NODE, key)) {
        let (noun, default) = (escaped(&key.shape.noun()), default(key));
        writeln!(page, "| `{}` | {noun} | {default} | {} |", key.path, escaped(key.doc))?;
    }
    writeln!(
        page,
        "\nAny other key is an error. Profiles and hardware targets: [node.md](node.md)."
    )?;
    write!(page, "\n{TAIL}")
}

fn has_keys(keys: &[Key], table: &Key) -> bool {
    keys.iter().any(|key| key.table() == table.path)
}

fn table(page: &mut String, keys: &[Key], table: &str) -> std::fmt::Result {
    writeln!(page, "| key | value | default | for | meaning |\n|---|---|---|---|---|")?;
    for key in keys.iter().filter(|key| key.table() == table) {
        let of = match key.of {
            For::All => "all",
            For::Process => "longrun, oneshot",
            For::Longrun => "longrun",
        };
        let noun = if has_keys(keys, key) {
            format!("a table, [see below](#{})", key.path.replace('.', ""))
        } else {
            key.shape.noun()
        };
        writeln!(
            page,
            "| `{}` | {} | {} | {of} | {} |",
            key.name(),
            escaped(&noun),
            default(key),
            escaped(key.doc)
        )?;
    }
    Ok(())
}

fn default(key: &Key) -> String {
    match (key.default, key.default_oneshot) {
        ("", _) => String::new(),
        (default, "") => format!("`{default}`"),
        (default, oneshot) => format!("`{default}`; oneshot: `{oneshot}`"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
