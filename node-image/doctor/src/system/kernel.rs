//! How the kernel was built.

use std::collections::HashMap;

use super::{System, decompress};

/// Around the configuration inside the kernel's module `configs`.
const MARK: &[u8] = b"IKCFG_ST";

/// The kernel's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelConfig {
    /// The file that it was read from.
    pub path: String,
    /// Options that are not off, without `CONFIG_`.
    values: HashMap<String, String>,
}

impl KernelConfig {
    /// `y`, `m`, a number or a string; None if it is off.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }

    fn parse(path: String, text: &str) -> Option<Self> {
        let line = |line: &str| {
            let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        };
        let values: HashMap<_, _> = text.lines().filter_map(line).collect();
        // A file that says nothing would make every option look missing.
        (!values.is_empty()).then_some(Self { path, values })
    }
}

/// From wherever a distribution puts it; from inside the module `configs` where that is not
/// loaded, so that nothing has to be loaded in order to look.
pub fn read(system: &System) -> Option<KernelConfig> {
    let release = system.kernel_release();
    let flavour = release.rsplit('-').next().unwrap_or_default();
    let paths = [
        "/proc/config.gz".into(),
        format!("/boot/config-{release}"),
        format!("/boot/config-{flavour}"),
        format!("/usr/src/linux-{release}/.config"),
        format!("/lib/modules/{release}/config"),
        format!("/usr/lib/modules/{release}/config"),
        format!("/lib/modules/{release}/build/.config"),
        format!("/usr/lib/ostree-boot/config-{release}"),
        "/usr/src/linux/.config".into(),
    ];
    paths.into_iter().find_map(|path| plain(system, path)).or_else(|| embedded(system, &release))
}

fn plain(system: &System, path: String) -> Option<KernelConfig> {
    let bytes = decompress::unpacked(system.bytes(&path).ok()?)?;
    KernelConfig::parse(path, &String::from_utf8_lossy(&bytes))
}

fn embedded(system: &System, release: &str) -> Option<KernelConfig> {
    ["ko", "ko.gz"].into_iter().find_map(|end| {
        let path = format!("/lib/modules/{release}/kernel/kernel/configs.{end}");
        let module = decompress::unpacked(system.bytes(&path).ok()?)?;
        let at = module.windows(MARK.len()).position(|window| window == MARK)?;
        let text = decompress::gunzip(module.get(at.checked_add(MARK.len())?..)?)?;
        KernelConfig::parse(path, &String::from_utf8_lossy(&text))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::super::testing::Machine;

    const TEXT: &[u8] = b"# CONFIG_OFF is not set\nCONFIG_VETH=m\nCONFIG_LSM=\"a,b\"\n";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn machine() -> Machine {
        Machine::new().file("/proc/sys/kernel/osrelease", "6.12.1-0-lts\n")
    }

    #[test]
    fn every_distribution_has_it_elsewhere() {
        let module = [b"\x7fELF and more IKCFG_ST".as_slice(), &gzip(TEXT), b"IKCFG_ED"].concat();
        for (path, bytes) in [
            ("/proc/config.gz", gzip(TEXT)),
            ("/boot/config-6.12.1-0-lts", TEXT.to_vec()),
            ("/boot/config-lts", TEXT.to_vec()),
            ("/lib/modules/6.12.1-0-lts/config", TEXT.to_vec()),
            ("/lib/modules/6.12.1-0-lts/kernel/kernel/configs.ko", module.clone()),
            ("/lib/modules/6.12.1-0-lts/kernel/kernel/configs.ko.gz", gzip(&module)),
        ] {
            let machine = machine().bytes(path, &bytes);
            let system = machine.system();
            let config = system.kernel_config().unwrap();
            assert_eq!(config.path, path);
            assert_eq!(config.value("VETH"), Some("m"));
            assert_eq!(config.value("LSM"), Some("a,b"));
            assert_eq!(config.value("OFF"), None);
        }
    }

    /// Damaged bytes are as good as none, and better than a list of faults that are not there.
    #[test]
    fn a_broken_file_is_no_configuration() {
        for bytes in [b"\x1f\x8b broken".as_slice(), b"", b"<html>"] {
            let machine = machine().bytes("/proc/config.gz", bytes);
            assert_eq!(machine.system().kernel_config(), None);
        }
    }
}
