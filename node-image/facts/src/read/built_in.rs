//! The texts that come with Cooper.
//!
//! Written by `UPDATE=1 cargo test -p facts --test built_in` from what is in the directories.

/// `node-image/profiles`: name and text.
pub(super) const PROFILES: &[(&str, &str)] = &[
    ("base", include_str!("../../../profiles/base.toml")),
    ("cilium", include_str!("../../../profiles/cilium.toml")),
    ("k3s-agent", include_str!("../../../profiles/k3s-agent.toml")),
    ("k3s-server", include_str!("../../../profiles/k3s-server.toml")),
    ("kube-node", include_str!("../../../profiles/kube-node.toml")),
    ("kube-proxy", include_str!("../../../profiles/kube-proxy.toml")),
];

/// `node-image/hardware`: name and text.
pub(super) const HARDWARE: &[(&str, &str)] = &[];
