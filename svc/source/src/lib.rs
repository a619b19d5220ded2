//! TOML service files to a compiled graph.
//!
//! Used offline only, by `svc` and by builds: nothing that supervises parses text. It is not a
//! judge of what runs (that is `graph::diff` and the engine).
//!
//! **Invariant:** every mistake of all files is reported at once, each with its file, line and
//! column, the offending text, and what to do; where there is an error there is no graph. The
//! same files make the same bytes.

#![forbid(unsafe_code)]

mod budget;
mod cgroup;
mod compile;
mod container;
mod define;
mod kind;
mod link;
mod lint;
mod name;
mod node;
mod order;
mod profiles;
mod providers;
mod reader;
mod reference;
mod report;
mod schema;
mod text;
mod tree;
mod units;
mod value;
mod watchdog;
mod without;

use std::collections::BTreeMap;

use graph::Graph;

pub use container::{Container, MAIN};
pub use name::NAME_MAX;
pub use reference::reference;
pub use report::{Colour, Mark, Mistake, Related, Report, Severity};
pub use tree::Tree;
pub use units::signal_name;

/// A graph, and what is doubtful about it.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The graph.
    pub graph: Graph,
    /// No error is in here.
    pub warnings: Report,
}

impl Compiled {
    /// The binary form of the graph.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        graph::encode(&self.graph)
    }
}

/// A node's table of facts, and where it comes from.
#[derive(Clone, Debug)]
pub struct Table {
    /// What its profiles and its hardware target want, together.
    pub node: facts::Node,
    /// Each profile that is in it, and the word of `node.toml` that brings it.
    pub members: BTreeMap<String, String>,
    /// All that it could have chosen from.
    pub library: facts::Library,
    /// What is wrong and what is doubtful. With an error in here, `node` is the part of the table
    /// that could be made, to be shown and not to be used.
    pub report: Report,
}

/// A file that need not be on a disk: a path relative to the search path (`NAME.toml`,
/// `NAME.toml.d/DROP-IN.toml`, `profiles/NAME.toml`, `hardware/NAME.toml`, or `node.toml` for the
/// node's own settings), and its text.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Reads all files of `tree` and compiles them.
///
/// # Errors
/// Everything that is wrong, and what is doubtful.
pub fn load(tree: &Tree) -> Result<Compiled, Report> {
    let mut findings = report::Findings::default();
    let found = tree::read(tree, &mut findings);
    finish(&found, findings)
}

/// Reads all files of `tree`, and compiles them for a container that is about to start.
///
/// # Errors
/// As [`load`].
pub fn load_container(tree: &Tree, container: &Container) -> Result<Compiled, Report> {
    let mut findings = report::Findings::default();
    let mut found = tree::read(tree, &mut findings);
    container::add(container, &mut found, &mut findings);
    found.is_container = true;
    finish(&found, findings)
}

/// Reads `node.toml` and the profiles of `tree`, and no services. `profiles` are taken instead of
/// those that `node.toml` chooses, if there are any.
#[must_use]
pub fn table(tree: &Tree, profiles: &[String]) -> Table {
    let mut findings = report::Findings::default();
    let found = tree::read(&Tree { dirs: Vec::new(), ..tree.clone() }, &mut findings);
    let (merged, library) = compile::table(&found, profiles, &mut findings);
    let facts::Merged { node, members, .. } = merged;
    Table { node, members, library, report: findings.report(&found.sources) }
}

/// Compiles texts; later ones take the place of earlier ones of the same path.
///
/// # Errors
/// As [`load`].
pub fn compile(texts: &[Text<'_>]) -> Result<Compiled, Report> {
    let mut findings = report::Findings::default();
    let mut found = tree::Found::default();
    for Text { path, text } in texts {
        let text = (*text).to_string();
        if *path == "node.toml" {
            found.node = Some(found.sources.add((*path).to_string(), text));
        } else if let Some((fact, name)) = tree::Fact::at(path) {
            found.add_fact(fact, name, path, text);
        } else {
            found.add(path, path, text, &mut findings);
        }
    }
    finish(&found, findings)
}

fn finish(found: &tree::Found, mut findings: report::Findings) -> Result<Compiled, Report> {
    let graph = compile::compile(found, &mut findings);
    let report = findings.report(&found.sources);
    match graph {
        Some(graph) => Ok(Compiled { graph, warnings: report }),
        None => Err(report),
    }
}
