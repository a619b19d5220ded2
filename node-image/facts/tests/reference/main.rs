//! The tables of `docs/node.md` are what profiles and hardware targets say.
//!
//! `UPDATE=1` rewrites what stands between `<!-- generated: NAME -->` and `<!-- end -->`; the
//! prose around it is left alone.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

mod machines;
mod profiles;
mod text;

use std::{env, fs, path::PathBuf};

use facts::Library;

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";

type Generator = fn(&Library) -> String;

/// Every table, by the name in its marker.
const TABLES: &[(&str, Generator)] = &[
    ("profiles", profiles::profiles),
    ("conflicts", profiles::conflicts),
    ("services", profiles::services),
    ("modules", profiles::modules),
    ("sysctls", profiles::sysctls),
    ("mounts", profiles::mounts),
    ("cgroups", profiles::cgroups),
    ("ports", profiles::ports),
    ("binaries", profiles::binaries),
    ("files", profiles::files),
    ("kernel", profiles::kernel),
    ("checks", profiles::checks),
    ("hardware", machines::hardware),
    ("parameters", machines::parameters),
    ("firmware", machines::firmware),
    ("traps", machines::traps),
];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/node.md")
}

/// The page with all its tables made anew, and the names of those that it has.
fn renewed(page: &str) -> (String, Vec<String>) {
    let library = Library::built_in();
    let (mut out, mut names) = (String::new(), Vec::new());
    let mut rest = page;
    while let Some((before, marked)) = rest.split_once(BEGIN) {
        let (name, inside) = marked.split_once(" -->\n").expect("a whole marker");
        let (_, after) = inside.split_once(END).expect("an end");
        let table = TABLES.iter().find(|(known, _)| *known == name);
        let (_, generate) = table.unwrap_or_else(|| panic!("there is no table `{name}`"));
        let text = generate(&library);
        out.push_str(&format!("{before}{BEGIN}{name} -->\n\n{}\n\n{END}", text.trim()));
        names.push(name.to_string());
        rest = after;
    }
    out.push_str(rest);
    (out, names)
}

#[test]
fn the_tables_of_the_page_are_up_to_date() {
    let page = fs::read_to_string(path()).unwrap();
    let (wanted, _) = renewed(&page);
    if env::var_os("UPDATE").is_some() {
        fs::write(path(), &wanted).unwrap();
    } else {
        assert!(page == wanted, "docs/node.md is out of date: UPDATE=1 rewrites its tables");
    }
}

#[test]
fn the_page_has_every_table_once() {
    let (_, mut names) = renewed(&fs::read_to_string(path()).unwrap());
    let mut wanted: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
    wanted.sort_unstable();
    names.sort_unstable();
    assert_eq!(names, wanted);
}

#[test]
fn a_row_has_as_many_cells_as_its_heading() {
    // A `|` in a reason would break the table in two.
    let library = Library::built_in();
    for (name, generate) in TABLES {
        let text = generate(&library);
        let mut columns = 0;
        for line in text.lines() {
            let cells = line.replace("\\|", "").matches('|').count();
            if line.starts_with("|---") || !line.starts_with('|') {
                continue;
            }
            let heading =
                columns == 0 || line.starts_with("| what") || line.starts_with("| target");
            columns = if heading { cells } else { columns };
            assert_eq!(cells, columns, "{name}: {line}");
        }
    }
}
