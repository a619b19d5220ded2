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
        facts: vec![node_image("guest/etc/cooper")],
    };
    let compiled = load(&tree).unwrap_or_else(|report| panic!("{}", report.render(Colour::None)));
    assert_eq!(compiled.warnings.render(Colour::None), "");
    let bytes = compiled.bytes();
    assert_eq!(View::open(&bytes).unwrap().graph(), compiled.graph);
}

#[test]
fn every_section_is_set_up_by_a_service() {
    let compiled = load(&Tree { dirs: vec![node_image("services")], ..Tree::default() }).unwrap();
    let given = |section: facts::Section| {
        let variable =
            (facts::section::VARIABLE.to_string(), facts::Node::default().section(section));
        let word = section.name().to_string();
        compiled.graph.services.iter().any(|service| match &service.kind {
            graph::Kind::Oneshot(process) => {
                process.exec.contains(&word) && process.environment.variables.contains(&variable)
            }
            graph::Kind::Longrun(_) | graph::Kind::Bundle(_) => false,
        })
    };
    for section in facts::Section::ALL {
        assert!(given(section), "{}", section.name());
    }
}
