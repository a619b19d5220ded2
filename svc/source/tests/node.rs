//! The services of the node that `node-image` builds.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

use std::path::Path;

use graph::View;
use source::{Colour, Tree, load};

#[test]
fn the_services_of_the_node_compile_without_a_warning() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../node-image/services");
    let compiled = load(&Tree { dirs: vec![dir], node: None })
        .unwrap_or_else(|report| panic!("{}", report.render(Colour::None)));
    assert_eq!(compiled.warnings.render(Colour::None), "");
    let bytes = compiled.bytes();
    assert_eq!(View::open(&bytes).unwrap().graph(), compiled.graph);
}
