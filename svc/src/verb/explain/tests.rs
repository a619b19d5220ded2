//! Explanations as people read them.

use super::*;
use crate::fixture::{Tree, golden, snapshot};

/// From the service down to the root cause, and what would change it.
#[test]
fn the_chain_ends_at_the_root() {
    for name in ["kubelet", "containerd", "sshd", "default"] {
        let mut tree = Tree::new();
        let snapshot = snapshot();
        let explanation = explain(&snapshot, snapshot.find(name).unwrap()).unwrap();
        show(&explanation, &mut tree.context.screen).unwrap();
        golden(&format!("explain-{name}.txt"), &tree.out.text());
    }
}
