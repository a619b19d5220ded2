//! A root's graph, compiled by `svc` of the service files that the root has.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::disk::unfolded::Unfolded;
use crate::tool;
use crate::tree::{Entry, Tree};

/// Where a root has its graph.
pub const GRAPH: &str = "var/lib/cooper/graph/image";
/// Where it has what a graph is made of.
const SOURCES: [&str; 2] = ["etc/cooper/", "usr/lib/cooper/services/"];

/// Compiles it, by an `svc` that runs here; `scratch` is a directory that is made for it meanwhile.
///
/// # Errors
///
/// There is a mistake in a service file: as `svc` tells it.
pub fn compile(root: &mut Tree, svc: &Path, scratch: &Path) -> Result<()> {
    let mut sources = Tree::default();
    for (path, entry) in root.iter() {
        if SOURCES.iter().any(|above| path.starts_with(above)) {
            sources.insert(path, entry.clone())?;
        }
    }
    let unfolded = Unfolded::new(&sources, scratch)?;
    let graph = unfolded.path().join("graph");
    let mut compile = Command::new(svc);
    compile.arg("compile").arg("--root").arg(unfolded.path()).arg("--output").arg(&graph);
    tool::run(&mut compile).context("cannot compile the graph")?;
    let bytes = fs::read(&graph).context("cannot read the graph")?;
    root.insert(GRAPH, Entry::file(bytes))
}
