//! The services that Cooper brings, and those of the demonstration node.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::path::{Path, PathBuf};

use graph::View;
use source::{Colour, Tree, load};

fn node_image(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../node-image").join(path)
}

#[test]
fn the_services_of_the_demonstration_node_compile_without_a_warning() {
    let tree = Tree {
        dirs: vec![node_image("services"), node_image("guest/etc/cooper/services")],
        node: Some(node_image("guest/etc/cooper/node.toml")),
        facts: Vec::new(),
    };
    let compiled = load(&tree).unwrap_or_else(|report| panic!("{}", report.render(Colour::None)));
    assert_eq!(compiled.warnings.render(Colour::None), "");
    let bytes = compiled.bytes();
    assert_eq!(View::open(&bytes).unwrap().graph(), compiled.graph);
}
