//! Programs.

use std::{fs, os::unix::fs::MetadataExt as _};

use facts::Binary;

use crate::{finding::Verdict, system::System};

/// Found, and not merely an applet where that is not enough.
pub fn judge(binary: &Binary, system: &System) -> Verdict {
    match system.program(&binary.name) {
        None => Verdict::fails("it is not installed"),
        Some(path) if binary.not_busybox && is_busybox(&path, system) => {
            Verdict::fails(format!("{path} is BusyBox's, which is not enough"))
        }
        Some(path) => Verdict::Holds(path),
    }
}

/// The package to install, in the words of the distribution that this is.
pub fn fix(binary: &Binary, system: &System) -> String {
    let of = |distribution: &str| binary.package.get(distribution);
    match (distribution(system), of("alpine"), of("debian"), of("nix")) {
        (Some("alpine"), Some(package), _, _) => format!("apk add {package}"),
        (Some("debian"), _, Some(package), _) => format!("apt install {package}"),
        (Some("nix"), _, _, Some(package)) => format!("add {package} to the system's packages"),
        _ if binary.package.is_empty() => format!("install {}", binary.name),
        _ => {
            let each = binary
                .package
                .iter()
                .map(|(where_from, package)| format!("{package} ({where_from})"));
            format!("install {}", each.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Which of those that packages are named for, by `/etc/os-release`.
fn distribution(system: &System) -> Option<&'static str> {
    let text = system.text("/etc/os-release").ok()?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
    };
    let like = format!("{} {}", value("ID"), value("ID_LIKE")).replace(['"', '\''], "");
    like.split_whitespace().find_map(|word| match word {
        "alpine" | "postmarketos" => Some("alpine"),
        "debian" | "ubuntu" => Some("debian"),
        "nixos" => Some("nix"),
        _ => None,
    })
}

/// By its link, or by being the same file.
fn is_busybox(path: &str, system: &System) -> bool {
    if system.resolve(path).ends_with("/busybox") {
        return true;
    }
    let identity = |path: &str| {
        let metadata = fs::metadata(system.path(path)).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    system.program("busybox").is_some_and(|busybox| identity(&busybox) == identity(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::testing::Machine;

    fn binary(name: &str, not_busybox: bool) -> Binary {
        let package = [("alpine", "findutils"), ("debian", "findutils"), ("nix", "pkgs.findutils")];
        Binary {
            name: name.into(),
            severity: facts::Severity::Error,
            not_busybox,
            package: package.map(|(key, value)| (key.into(), value.into())).into(),
            why: String::new(),
            source: String::new(),
            by: vec![],
        }
    }

    #[test]
    fn an_applet_is_enough_or_is_not() {
        let machine = Machine::new()
            .program("/bin/busybox")
            .link("/usr/bin/find", "/bin/busybox")
            .program("/sbin/ip")
            .file("/usr/bin/mount", "not executable");
        let system = machine.system();
        let judged = |name, not_busybox| judge(&binary(name, not_busybox), &system);
        assert_eq!(judged("find", false), Verdict::Holds("/usr/bin/find".into()));
        let applet = Verdict::fails("/usr/bin/find is BusyBox's, which is not enough");
        assert_eq!(judged("find", true), applet);
        assert_eq!(judged("ip", true), Verdict::Holds("/sbin/ip".into()));
        assert_eq!(judged("mount", false), Verdict::fails("it is not installed"));
    }

    #[test]
    fn an_applet_may_be_a_hard_link() {
        let machine = Machine::new().program("/bin/busybox");
        let system = machine.system();
        fs::hard_link(system.path("/bin/busybox"), system.path("/bin/awk")).unwrap();
        assert!(matches!(judge(&binary("awk", true), &system), Verdict::Fails(_)));
    }

    /// Everybody is told in his own words what to type.
    #[test]
    fn advice_fits_the_distribution() {
        let on = |release: &str| {
            let machine = Machine::new().file("/etc/os-release", release);
            fix(&binary("find", true), &machine.system())
        };
        assert_eq!(on("NAME=x\nID=alpine\n"), "apk add findutils");
        assert_eq!(on("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), "apt install findutils");
        assert_eq!(on("ID='nixos'\n"), "add pkgs.findutils to the system's packages");
        let all = "install findutils (alpine), findutils (debian), pkgs.findutils (nix)";
        assert_eq!(on("ID=arch\n"), all);
    }
}
