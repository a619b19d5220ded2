//! Which hardware this is, and what it lacks.

use std::io::ErrorKind;

use facts::Machine;
use node_setup::firmware;

use super::Case;
use crate::{finding::Verdict, system::System};

/// The packages that have a driver's firmware, by how the file's name begins: of Alpine, which
/// names them for the directory, and of Debian.
const PACKAGES: [(&str, &str, &str); 14] = [
    ("amd-ucode/", "linux-firmware-amd-ucode", "amd64-microcode"),
    ("amdgpu/", "linux-firmware-amdgpu", "firmware-amd-graphics"),
    ("bnx2", "linux-firmware-bnx2x", "firmware-bnx2x"),
    ("brcm/", "linux-firmware-brcm", "firmware-brcm80211"),
    ("i915/", "linux-firmware-i915", "firmware-intel-graphics"),
    ("intel-ucode/", "intel-ucode", "intel-microcode"),
    ("intel/", "linux-firmware-intel", "firmware-intel-misc"),
    ("iwlwifi", "linux-firmware-intel", "firmware-iwlwifi"),
    ("mediatek/", "linux-firmware-mediatek", "firmware-mediatek"),
    ("nvidia/", "linux-firmware-nvidia", "firmware-nvidia-graphics"),
    ("rtl_nic/", "linux-firmware-rtl_nic", "firmware-realtek"),
    ("rtlwifi/", "linux-firmware-rtlwifi", "firmware-realtek"),
    ("rtw", "linux-firmware-rtw89", "firmware-realtek"),
    ("xe/", "linux-firmware-xe", "firmware-intel-graphics"),
];

/// The machine is what its image was made for.
pub fn target(case: &Case<'_>) -> Verdict {
    let machine = describe(case.system);
    let recognised = facts::recognise(case.targets, &machine);
    let Some(chosen) = case.chosen_target else {
        return match recognised {
            Some(name) => Verdict::fails(format!("node.toml names none; this looks like {name}"))
                .at_most(facts::Severity::Info)
                .fix(format!("hardware = \"{name}\" in /etc/cooper/node.toml")),
            None => Verdict::DoesNotApply("node.toml names no hardware target".into()),
        };
    };
    match facts::mismatch(case.targets, chosen, &machine) {
        Some(mismatch) => {
            let name = recognised.unwrap_or("NAME");
            Verdict::fails(mismatch).fix(format!(
                "boot an image for {name}, or hardware = \"{name}\" in /etc/cooper/node.toml"
            ))
        }
        None => Verdict::Holds(chosen.into()),
    }
}

/// What the machine says about itself.
pub fn describe(system: &System) -> Machine {
    let dmi = |name: &str| system.word(&format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    let cpuinfo = system.text("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    let compatible = system.bytes("/proc/device-tree/compatible").unwrap_or_default();
    let strings = compatible.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    Machine {
        vendor: dmi("sys_vendor"),
        product: dmi("product_name"),
        board: dmi("board_name"),
        cpu: cpu.unwrap_or_default(),
        compatible: strings.map(|part| String::from_utf8_lossy(part).into_owned()).collect(),
        architecture: system.architecture(),
    }
}

/// Files that drivers have asked for, and that are still not there.
pub fn firmware_missing(case: &Case<'_>) -> Verdict {
    let missing = match firmware::missing(&case.system.set_up_root()) {
        Ok(missing) => missing,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Verdict::NeedsRoot("the kernel's log is for root".into());
        }
        Err(error) => return Verdict::Unknown(format!("cannot read /dev/kmsg: {error}")),
    };
    let missing: Vec<&str> = missing.keys().map(String::as_str).collect();
    if missing.is_empty() {
        return Verdict::Holds("no driver has asked in vain".into());
    }
    let verdict = Verdict::fails(format!("asked for in vain: {}", missing.join(", ")));
    let mut packages: Vec<String> = missing.iter().filter_map(|name| package(name)).collect();
    packages.dedup();
    if packages.is_empty() {
        verdict
    } else {
        verdict.fix(format!("install {}", packages.join("; ")))
    }
}

fn package(name: &str) -> Option<String> {
    let (_, alpine, debian) = PACKAGES.iter().find(|(start, ..)| name.starts_with(start))?;
    Some(format!("{alpine} (Alpine) or {debian} (Debian)"))
}

/// Some device restarts a machine that hangs.
pub fn watchdog(case: &Case<'_>) -> Verdict {
    let Some(name) = case.system.names("/sys/class/watchdog").into_iter().next() else {
        return Verdict::fails("there is no watchdog device");
    };
    let value = |file: &str| case.system.word(&format!("/sys/class/watchdog/{name}/{file}"));
    let identity = value("identity").unwrap_or_else(|| name.clone());
    let state = value("state").unwrap_or_else(|| "state unknown".into());
    Verdict::Holds(format!("{identity}, {state}"))
}

/// A specification of that vendor's devices for containers.
pub fn cdi_spec(case: &Case<'_>) -> Verdict {
    let vendor = case.with.word("vendor");
    for directory in case.with.words("directories") {
        for name in case.system.names(directory) {
            let path = format!("{directory}/{name}");
            let text = case.system.text(&path).unwrap_or_default();
            let plain = text.replace(['"', '\''], "");
            if plain.lines().any(|line| is_kind(line, vendor)) {
                return Verdict::Holds(path);
            }
        }
    }
    Verdict::fails(format!("no file of {vendor} in {}", case.with.word("directories")))
}

/// `kind: VENDOR/CLASS`, in YAML or in JSON, wherever it is on the line.
fn is_kind(line: &str, vendor: &str) -> bool {
    let mut rest = line;
    while let Some((_, value)) = rest.split_once("kind:") {
        if value.trim_start().strip_prefix(vendor).is_some_and(|class| class.starts_with('/')) {
            return true;
        }
        rest = value;
    }
    false
}

/// The C library that programs for this machine are linked with.
pub fn libc(case: &Case<'_>) -> Verdict {
    let has = |start: &str| {
        let directories = ["/lib", "/lib64", "/usr/lib"];
        directories.iter().any(|directory| {
            case.system.names(directory).iter().any(|name| name.starts_with(start))
        })
    };
    let release = case.system.text("/etc/os-release").unwrap_or_default();
    let found = if has("ld-linux") || release.lines().any(|line| line == "ID=nixos") {
        "glibc"
    } else if has("ld-musl") {
        "musl"
    } else {
        return Verdict::Unknown("there is no dynamic linker".into());
    };
    if found == case.with.word("expected") {
        return Verdict::Holds(found.into());
    }
    Verdict::fails(format!("this system's libraries are for {found}"))
}

#[cfg(test)]
mod tests {
    use super::super::{ask, fault};
    use super::*;
    use crate::system::testing;

    fn machine() -> testing::Machine {
        testing::Machine::new()
    }

    #[test]
    fn a_machine_says_what_it_is() {
        let machine = machine()
            .file("/sys/class/dmi/id/sys_vendor", "Framework\n")
            .file("/proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD Ryzen 7\n")
            .file("/proc/sys/kernel/arch", "aarch64\n")
            .bytes("/proc/device-tree/compatible", b"raspberrypi,5-model-b\0brcm,bcm2712\0");
        let said = describe(&machine.system());
        assert_eq!((said.vendor.as_str(), said.cpu.as_str()), ("Framework", "AMD Ryzen 7"));
        assert_eq!(said.compatible, ["raspberrypi,5-model-b", "brcm,bcm2712"]);
        assert_eq!(said.architecture, "aarch64");
    }

    #[test]
    fn an_image_for_another_machine_is_found() {
        let of = |architecture: &str| {
            let target = format!(
                "description = 'a {architecture}'\narchitecture = '{architecture}'\n\
                 [boot]\nmethod = 'uefi'\nnotes = ''\nconsoles = []\ninitramfs = []\nsource = ''\n"
            );
            toml::from_str::<facts::Hardware>(&target).unwrap()
        };
        let targets = [("arm".to_owned(), of("aarch64")), ("pc".to_owned(), of("x86_64"))].into();
        let machine = machine().file("/proc/sys/kernel/arch", "x86_64\n");
        let system = machine.system();
        let with = std::collections::BTreeMap::new();
        let node = facts::Node::default();
        let ask = |chosen_target: Option<&str>| {
            let with = super::super::With(&with);
            let (system, node, targets) = (&system, &node, &targets);
            target(&Case { system, node, targets, chosen_target, budget_ms: None, with })
        };
        assert_eq!(ask(Some("pc")), Verdict::Holds("pc".into()));
        let found =
            "the booted image was made for arm (a aarch64), and this machine is a pc (a x86_64)";
        assert_eq!(fault(ask(Some("arm"))).found, found);
        let none = fault(ask(None));
        assert_eq!(none.at_most, facts::Severity::Info);
        assert_eq!(none.fix.unwrap(), "hardware = \"pc\" in /etc/cooper/node.toml");
    }

    const LOG: &str = "4,5,6,-;r8169 0000:01:00.0: Direct firmware load for rtl_nic/rtl8125b-2.fw \
                       failed with error -2\n6,7,8,-;all is well\n";

    #[test]
    fn firmware_that_was_asked_for_in_vain_is_named() {
        let quiet = machine().file("/dev/kmsg", "6,7,8,-;all is well\n");
        assert!(matches!(ask("firmware-missing", &quiet, &[]), Verdict::Holds(_)));
        let asked = machine().file("/dev/kmsg", LOG);
        let fault = fault(ask("firmware-missing", &asked, &[]));
        assert_eq!(fault.found, "asked for in vain: rtl_nic/rtl8125b-2.fw");
        let fix = "install linux-firmware-rtl_nic (Alpine) or firmware-realtek (Debian)";
        assert_eq!(fault.fix.unwrap(), fix);
        let since = asked.file("/lib/firmware/rtl_nic/rtl8125b-2.fw.zst", "");
        assert!(matches!(ask("firmware-missing", &since, &[]), Verdict::Holds(_)));
        assert!(matches!(ask("firmware-missing", &machine(), &[]), Verdict::Unknown(_)));
    }

    #[test]
    fn a_watchdog_says_who_it_is() {
        let none = ask("watchdog", &machine(), &[]);
        assert_eq!(none, Verdict::fails("there is no watchdog device"));
        let there = machine()
            .file("/sys/class/watchdog/watchdog0/identity", "iTCO_wdt\n")
            .file("/sys/class/watchdog/watchdog0/state", "active\n");
        assert_eq!(ask("watchdog", &there, &[]), Verdict::Holds("iTCO_wdt, active".into()));
    }

    #[test]
    fn a_specification_is_one_of_the_vendor_s() {
        let with = [("directories", "/etc/cdi /var/run/cdi"), ("vendor", "nvidia.com")];
        let spec = |text| ask("cdi-spec", &machine().file("/var/run/cdi/a.yaml", text), &with);
        let there = Verdict::Holds("/var/run/cdi/a.yaml".into());
        assert_eq!(spec("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n"), there);
        assert_eq!(spec("{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/gpu\"}"), there);
        let none = Verdict::fails("no file of nvidia.com in /etc/cdi /var/run/cdi");
        assert_eq!(spec("kind: nvidia.company/gpu\n"), none);
    }

    #[test]
    fn a_library_is_known_by_its_linker() {
        let with = [("expected", "glibc")];
        let has = |path| ask("libc", &machine().file(path, ""), &with);
        assert_eq!(has("/lib64/ld-linux-x86-64.so.2"), Verdict::Holds("glibc".into()));
        assert!(matches!(has("/lib/ld-musl-x86_64.so.1"), Verdict::Fails(_)));
        let nixos = machine().file("/etc/os-release", "ID=nixos\n");
        assert_eq!(ask("libc", &nixos, &with), Verdict::Holds("glibc".into()));
        assert!(matches!(ask("libc", &machine(), &with), Verdict::Unknown(_)));
    }
}
