//! The texts that come with Cooper.
//!
//! Written by `UPDATE=1 cargo test -p facts --test built_in` from what is in the directories.

/// `node-image/profiles`: name and text.
pub(super) const PROFILES: &[(&str, &str)] = &[
    ("base", include_str!("../../../profiles/base.toml")),
    ("cilium", include_str!("../../../profiles/cilium.toml")),
    ("control-plane", include_str!("../../../profiles/control-plane.toml")),
    ("disk-image", include_str!("../../../profiles/disk-image.toml")),
    ("flannel", include_str!("../../../profiles/flannel.toml")),
    ("gpu-amd", include_str!("../../../profiles/gpu-amd.toml")),
    ("gpu-nvidia", include_str!("../../../profiles/gpu-nvidia.toml")),
    ("k3s-agent", include_str!("../../../profiles/k3s-agent.toml")),
    ("k3s-server", include_str!("../../../profiles/k3s-server.toml")),
    ("kube-node", include_str!("../../../profiles/kube-node.toml")),
    ("kube-proxy", include_str!("../../../profiles/kube-proxy.toml")),
    ("kubeadm", include_str!("../../../profiles/kubeadm.toml")),
    ("kubelet", include_str!("../../../profiles/kubelet.toml")),
    ("laptop", include_str!("../../../profiles/laptop.toml")),
    ("longhorn", include_str!("../../../profiles/longhorn.toml")),
    ("longhorn-v2", include_str!("../../../profiles/longhorn-v2.toml")),
    ("nfs", include_str!("../../../profiles/nfs.toml")),
    ("tailscale", include_str!("../../../profiles/tailscale.toml")),
    ("wireguard", include_str!("../../../profiles/wireguard.toml")),
];

/// `node-image/hardware`: name and text.
pub(super) const HARDWARE: &[(&str, &str)] = &[
    ("ampere-altra", include_str!("../../../hardware/ampere-altra.toml")),
    ("epyc", include_str!("../../../hardware/epyc.toml")),
    ("framework-amd", include_str!("../../../hardware/framework-amd.toml")),
    ("framework-intel", include_str!("../../../hardware/framework-intel.toml")),
    ("generic-aarch64", include_str!("../../../hardware/generic-aarch64.toml")),
    ("generic-x86_64", include_str!("../../../hardware/generic-x86_64.toml")),
    ("jetson-orin-nano", include_str!("../../../hardware/jetson-orin-nano.toml")),
    ("n100", include_str!("../../../hardware/n100.toml")),
    ("rpi4", include_str!("../../../hardware/rpi4.toml")),
    ("rpi5", include_str!("../../../hardware/rpi5.toml")),
];
