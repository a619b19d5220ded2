//! `svc compile`: service files into a graph, on a machine where they need not run.

use graph::View;

use super::switch;
use crate::{args::Compile, context::Context, error::Error, exit::Exit, files};

/// Writes the graph; nothing else is changed.
pub fn run(args: &Compile, context: &mut Context) -> Result<Exit, Error> {
    let graph = match &args.root {
        Some(root) => files::compile_root(root, context)?,
        None => files::compile_dirs(&args.dirs, args.node.as_deref(), context)?,
    };
    let bytes = graph::encode(&graph);
    // The reader's own checks: what it would refuse at boot is refused here.
    View::open(&bytes).map_err(|error| Error::Invalid(error.to_string()))?;
    switch::write_whole(&args.output, &bytes)?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::fixture::Tree;
    use crate::scratch::Scratch;

    /// An image with a service, a drop-in and a `node.toml`, compiled into a file of its own.
    fn compiled(root: &Path) -> Vec<u8> {
        let files = [
            ("usr/lib/cooper/services/a.toml", "exec = [\"/bin/a\"]\nrequires = [\"b\"]\n"),
            ("etc/cooper/services/b.toml", "exec = [\"/bin/b\"]\n"),
            ("etc/cooper/services/b.toml.d/nice.toml", "[run]\nnice = 5\n"),
            ("etc/cooper/node.toml", "[shutdown]\nbudget = \"7s\"\n"),
        ];
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let output = root.join("graph");
        let args =
            Compile { output: output.clone(), root: Some(root.into()), node: None, dirs: vec![] };
        assert!(matches!(run(&args, &mut Tree::new().context), Ok(Exit::Ok)));
        fs::read(output).unwrap()
    }

    /// An image is the same wherever it is built, and its graph says where the files will be.
    #[test]
    fn an_image_gives_the_same_graph_wherever_it_lies() {
        let (one, two) = (Scratch::new(), Scratch::new());
        let bytes = compiled(one.path());
        assert_eq!(bytes, compiled(&two.path().join("deeper")));
        let graph = View::open(&bytes).unwrap().graph();
        let files: Vec<&str> = graph.services.iter().map(|service| service.file.as_str()).collect();
        let (a, b) = ("/usr/lib/cooper/services/a.toml", "/etc/cooper/services/b.toml");
        assert_eq!(files, [b, a, "(built in)", "(built in)"]);
        assert_eq!(graph.shutdown_budget_ms, 7_000);
    }

    /// A mistake is told by where its file is, not by where it is going to be.
    #[test]
    fn mistakes_of_an_image_are_told_where_they_are() {
        let root = Scratch::new();
        compiled(root.path());
        let file = root.path().join("etc/cooper/services/b.toml");
        fs::write(&file, "exce = []\n").unwrap();
        let output = root.path().join("graph");
        let args = Compile { output, root: Some(root.path().into()), node: None, dirs: vec![] };
        let Err(Error::Invalid(told)) = run(&args, &mut Tree::new().context) else {
            panic!("a mistake was not noticed")
        };
        assert!(told.contains(&file.display().to_string()), "{told}");
    }
}
