//! What daemons are configured to do: the little of it that questions ask.

use std::collections::HashMap;

use toml::Table;

use crate::system::System;

/// Processes that containers inherit from, or that run them.
pub const DAEMONS: [&str; 6] =
    ["containerd", "crio", "dockerd", "kubelet", "k3s-agent", "k3s-server"];

/// kubelet's configuration file, where kubeadm writes it.
pub const KUBELET_CONFIG: &str = "/var/lib/kubelet/config.yaml";
/// Where k3s lays files over its own configuration of kubelet.
const K3S_KUBELET: &str = "/var/lib/rancher/k3s/agent/etc/kubelet.conf.d";

/// Settings of kubelet: plain values at the top of its YAML.
pub struct KubeletConfig(HashMap<String, String>);

impl KubeletConfig {
    /// From wherever it is; the files of k3s in order, the later wins.
    pub fn read(system: &System) -> Self {
        let k3s = system.names(K3S_KUBELET).into_iter().map(|name| format!("{K3S_KUBELET}/{name}"));
        let paths = std::iter::once(KUBELET_CONFIG.to_owned()).chain(k3s);
        let texts = paths.filter_map(|path| system.text(&path).ok());
        Self(texts.flat_map(|text| scalars(&text)).collect())
    }

    /// The file at that path alone.
    pub fn at(path: &str, system: &System) -> Self {
        Self(scalars(&system.text(path).unwrap_or_default()).into_iter().collect())
    }

    /// One of them.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// `key: value` at the beginning of a line. Whoever writes kubelet's configuration writes it so:
/// YAML's other ways to say the same are not understood.
fn scalars(yaml: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (key, value) = line.split_once(": ")?;
        let value = value.split(" #").next()?.trim().trim_matches(['"', '\'']);
        let plain = key.chars().all(|letter| letter.is_ascii_alphanumeric());
        (plain && !value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
    };
    yaml.lines().filter_map(line).collect()
}

/// A file of containerd's, with its path; those that are not there, or are no TOML, are left out.
pub fn containerd_configs<'a>(
    paths: impl Iterator<Item = &'a str>,
    system: &System,
) -> Vec<(String, Table)> {
    let read = |path: &str| Some((path.to_owned(), system.text(path).ok()?.parse().ok()?));
    paths.filter_map(read).collect()
}

/// Every value of that key, however deep: containerd's versions have it in different tables.
pub fn values<'a>(table: &'a Table, key: &str) -> Vec<&'a toml::Value> {
    let mut found = Vec::new();
    // Depth is bounded by the parser's.
    let mut tables = vec![table];
    while let Some(table) = tables.pop() {
        for (name, value) in table {
            if name == key {
                found.push(value);
            }
            if let toml::Value::Table(inner) = value {
                tables.push(inner);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::testing::Machine;

    #[test]
    fn plain_values_are_read_wherever_they_are() {
        let machine = Machine::new()
            .file(
                KUBELET_CONFIG,
                "apiVersion: x/v1\nfailSwapOn: true # no\ncgroupDriver: \"cgroupfs\"\n\
                 authentication:\n  enabled: true\nclusterDNS:\n- 10.96.0.10\n",
            )
            .file(&format!("{K3S_KUBELET}/00-k3s.conf"), "failSwapOn: false\n");
        let config = KubeletConfig::read(&machine.system());
        assert_eq!(config.value("failSwapOn"), Some("false"));
        assert_eq!(config.value("cgroupDriver"), Some("cgroupfs"));
        assert_eq!(config.value("enabled"), None);
        assert_eq!(config.value("authentication"), None);
    }

    #[test]
    fn a_key_is_found_in_any_table() {
        let table: Table = "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\n\
                            bin_dirs = ['/opt/cni/bin']\n[a]\nbin_dirs = []\n"
            .parse()
            .unwrap();
        assert_eq!(values(&table, "bin_dirs").len(), 2);
        assert_eq!(values(&table, "bin_dir").len(), 0);
    }
}
