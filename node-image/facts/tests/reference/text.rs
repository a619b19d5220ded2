//! Markdown.

use facts::Severity;

/// A cell's text: what would end the cell or begin a tag is escaped.
pub fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|").replace('<', "&lt;")
}

/// A word as it is written in a file; a `<` is no tag in there.
pub fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Several words as they are written.
pub fn codes<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(code).collect::<Vec<_>>().join(" ")
}

/// A reason, and where to read on.
pub fn reason(why: &str, source: &str) -> String {
    format!("{} <sub>{}</sub>", cell(why), cell(source))
}

pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// A table of rows that are cells already.
pub fn table(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", heading.join(" | "), "---|".repeat(heading.len()));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

/// A table for each who has a row, under his name.
pub fn grouped<'a>(
    heading: &[&str],
    groups: impl IntoIterator<Item = (&'a str, Vec<Vec<String>>)>,
) -> String {
    let groups = groups.into_iter().filter(|(_, rows)| !rows.is_empty());
    let named = groups.map(|(name, rows)| format!("**{name}**\n\n{}\n", table(heading, rows)));
    named.collect()
}
