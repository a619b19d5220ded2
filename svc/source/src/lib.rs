//! TOML service files to a compiled graph.
//!
//! Used offline only, by `svc` and by builds: nothing that supervises parses text. It is not a
//! judge of what runs (that is `graph::diff` and the engine).
//!
//! **Invariant:** every mistake of all files is reported at once, each with its file, line and
//! column, the offending text, and what to do; where there is an error there is no graph. The
//! same files make the same bytes.

#![forbid(unsafe_code)]

mod cgroup;
mod compile;
mod define;
mod kind;
mod link;
mod lint;
mod name;
mod order;
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

use graph::Graph;

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

/// A file that need not be on a disk: a path relative to the search path (`NAME.toml`,
/// `NAME.toml.d/DROP-IN.toml`, or `node.toml` for the node's own settings), and its text.
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

/// Compiles texts; later ones take the place of earlier ones of the same path.
///
/// # Errors
/// As [`load`].
pub fn compile(texts: &[Text<'_>]) -> Result<Compiled, Report> {
    let mut findings = report::Findings::default();
    let mut found = tree::Found::default();
    for Text { path, text } in texts {
        if *path == "node.toml" {
            found.node = Some(found.sources.add((*path).to_string(), (*text).to_string()));
        } else {
            found.add(path, path, (*text).to_string(), &mut findings);
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
