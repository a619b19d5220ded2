//! Service files into a graph: what `source` finds is told here.

use std::{
    io,
    path::{Path, PathBuf},
};

use graph::Graph;
use source::{Colour, Compiled, Report, Tree};
use wire::paths;

use crate::{context::Context, error::Error, paths::Paths};

/// ENOENT.
pub const NO_SUCH_FILE: i32 = 2;

/// Compiles this node's files. Warnings are told; mistakes are the error.
pub fn compile_node(context: &mut Context) -> Result<Graph, Error> {
    compile(&node_tree(context), context)
}

/// Where this node's files are.
pub fn node_tree(context: &Context) -> Tree {
    let Paths { services, facts, node, .. } = &context.paths;
    Tree { dirs: services.clone(), node: Some(node.clone()), facts: facts.clone() }
}

/// This node's table of facts; that of `profiles` instead, if there are any. Warnings are told;
/// mistakes are the error.
pub fn table(profiles: &[String], context: &mut Context) -> Result<source::Table, Error> {
    let table = source::table(&node_tree(context), profiles);
    let colour = colour(context);
    if table.report.errors() > 0 {
        return Err(Error::Invalid(told(&table.report, colour)));
    }
    tell(&table.report, colour, context);
    Ok(table)
}

/// This node's table of facts for whoever wants to see what there is: as much of it as can be
/// made. Mistakes are told as warnings.
pub fn table_as_it_is(context: &mut Context) -> source::Table {
    let table = source::table(&node_tree(context), &[]);
    tell(&table.report.clone().as_warnings(), colour(context), context);
    table
}

fn colour(context: &Context) -> Colour {
    if context.screen.talks_in_colour() { Colour::Ansi } else { Colour::None }
}

/// Compiles directories instead of this node's; a single file is laid, with its directory, over
/// this node's.
pub fn compile_with(paths: &[PathBuf], context: &mut Context) -> Result<Graph, Error> {
    let all_dirs = paths.iter().all(|path| path.is_dir());
    let mut dirs = if all_dirs { Vec::new() } else { context.paths.services.clone() };
    for path in paths {
        present(path)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let dir = if path.is_dir() { path } else { parent.unwrap_or_else(|| Path::new(".")) };
        if !dirs.iter().any(|known| known == dir) {
            dirs.push(dir.into());
        }
    }
    compile(&Tree { dirs, ..node_tree(context) }, context)
}

/// Compiles an image's files: these directories and this `node.toml`, where they are given.
pub fn compile_dirs(
    dirs: &[PathBuf],
    node: Option<&Path>,
    context: &mut Context,
) -> Result<Graph, Error> {
    for path in dirs.iter().map(PathBuf::as_path).chain(node) {
        present(path)?;
    }
    let own = dirs.is_empty();
    let dirs = if own { context.paths.services.clone() } else { dirs.to_vec() };
    // A build must not depend on the machine that it runs on.
    let node = node.map(PathBuf::from).or_else(|| own.then(|| context.paths.node.clone()));
    let facts = if own { context.paths.facts.clone() } else { Vec::new() };
    compile(&Tree { dirs, node, facts }, context)
}

/// Compiles the files of an image that is being built below `root`. Mistakes are told by where they
/// are here; the graph says where its files are going to be.
pub fn compile_root(root: &Path, context: &mut Context) -> Result<Graph, Error> {
    present(root)?;
    // An absolute path would not be laid below.
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let tree = Tree {
        dirs: paths::SERVICES.map(below).into(),
        node: Some(below(paths::NODE)),
        facts: paths::FACTS.map(below).into(),
    };
    let mut graph = compile(&tree, context)?;
    for service in &mut graph.services {
        if let Ok(installed) = Path::new(&service.file).strip_prefix(root) {
            service.file = format!("/{}", installed.display());
        }
    }
    Ok(graph)
}

/// Compiles this container's files and its command. What is only doubtful was for `svc check` to
/// tell when the image was made: here it would be told at each start, among what the command says.
pub fn compile_container(
    container: &source::Container,
    context: &mut Context,
) -> Result<Graph, Error> {
    let compiled = source::load_container(&node_tree(context), container);
    let without = compiled.map(|compiled| Compiled { warnings: Report::default(), ..compiled });
    checked(without, context)
}

/// `source` passes over directories that are not there, as a search path should; one that was
/// typed should be there.
fn present(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    Err(Error::file("open", path, &io::Error::from_raw_os_error(NO_SUCH_FILE)))
}

fn compile(tree: &Tree, context: &mut Context) -> Result<Graph, Error> {
    checked(source::load(tree), context)
}

fn checked(compiled: Result<Compiled, Report>, context: &mut Context) -> Result<Graph, Error> {
    let colour = colour(context);
    match compiled {
        Ok(Compiled { graph, warnings }) => {
            tell(&warnings, colour, context);
            Ok(graph)
        }
        Err(report) => Err(Error::Invalid(told(&report, colour))),
    }
}

fn tell(warnings: &Report, colour: Colour, context: &mut Context) {
    if warnings.warnings() > 0 {
        context.screen.say(warnings.render(colour).trim_end());
    }
}

fn told(report: &Report, colour: Colour) -> String {
    let errors = match report.errors() {
        1 => "one mistake".into(),
        count => format!("{count} mistakes"),
    };
    format!("{}svc: {errors}; nothing was changed", report.render(colour))
}
