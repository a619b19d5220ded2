//! Machines as they describe themselves, and what they are taken for.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};

use facts::{Choice, Library, Machine, mismatch, recognise};

/// A PC: its vendor, product, board and CPU.
fn pc(words: [&str; 4]) -> Machine {
    let [vendor, product, board, cpu] = words.map(str::to_string);
    Machine { vendor, product, board, cpu, architecture: "x86_64".into(), ..Machine::default() }
}

/// An ARM server with UEFI: its vendor, product and board.
fn server(words: [&str; 3]) -> Machine {
    let [vendor, product, board] = words.map(str::to_string);
    Machine { vendor, product, board, architecture: "aarch64".into(), ..Machine::default() }
}

/// A board with a device tree.
fn board(compatible: &[&str]) -> Machine {
    Machine {
        compatible: compatible.iter().map(ToString::to_string).collect(),
        architecture: "aarch64".into(),
        ..Machine::default()
    }
}

/// Each target's name, and a machine that is one.
fn samples() -> Vec<(&'static str, Machine)> {
    let altra = ["ASRockRack", "ALTRAD8UD-1L2T", "ALTRAD8UD-1L2T"];
    let epyc = ["Supermicro", "Super Server", "H12SSL-NT", "AMD EPYC 7443P 24-Core Processor"];
    let amd = [
        "Framework",
        "Laptop 13 (AMD Ryzen 7040Series)",
        "FRANMDCP07",
        "AMD Ryzen 7 7840U w/ Radeon  780M Graphics",
    ];
    let intel = [
        "Framework",
        "Laptop (12th Gen Intel Core)",
        "FRANMACP04",
        "12th Gen Intel(R) Core(TM) i5-1240P",
    ];
    let qemu = ["QEMU", "Standard PC (Q35 + ICH9, 2009)", "", "AMD EPYC Processor (with IBPB)"];
    vec![
        ("ampere-altra", server(altra)),
        ("epyc", pc(epyc)),
        ("framework-amd", pc(amd)),
        ("framework-intel", pc(intel)),
        ("generic-aarch64", server(["QEMU", "QEMU Virtual Machine", ""])),
        ("generic-x86_64", pc(qemu)),
        (
            "jetson-orin-nano",
            board(&["nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"]),
        ),
        ("n100", pc(["AZW", "MINI S", "MINI S", "Intel(R) N100"])),
        ("rpi4", board(&["raspberrypi,4-model-b", "brcm,bcm2711"])),
        ("rpi5", board(&["raspberrypi,5-model-b", "brcm,bcm2712"])),
    ]
}

#[test]
fn each_target_is_recognised_by_its_machine_and_by_no_other_one() {
    let targets = Library::built_in().hardware;
    let known: BTreeSet<&str> = targets.keys().map(String::as_str).collect();
    assert_eq!(known, samples().iter().map(|(name, _)| *name).collect());
    for (name, machine) in samples() {
        assert_eq!(recognise(&targets, &machine), Some(name));
        for (other, target) in targets.iter().filter(|(other, _)| *other != name) {
            let alone = BTreeMap::from([(other.clone(), target.clone())]);
            let generic = target.matches.is_empty();
            assert!(generic || recognise(&alone, &machine).is_none(), "{name} as {other}");
        }
    }
}

#[test]
fn an_image_for_another_machine_is_told_and_a_general_one_is_not() {
    let targets = Library::built_in().hardware;
    for (name, machine) in samples() {
        let generic = format!("generic-{}", machine.architecture);
        assert_eq!(mismatch(&targets, name, &machine), None);
        assert_eq!(mismatch(&targets, &generic, &machine), None);
        for chosen in targets.keys().filter(|other| **other != name && **other != generic) {
            let told = mismatch(&targets, chosen, &machine).unwrap();
            let made_for = format!("the booted image was made for {chosen} (");
            assert!(told.starts_with(&made_for), "{told}");
            assert!(told.contains(&format!("this machine is a {name} (")), "{told}");
        }
    }
}

#[test]
fn the_closest_description_wins() {
    let targets = Library::built_in().hardware;
    // A machine that says more than any target asks for is still one of them.
    let mut bare = pc(["", "", "", "Intel(R) N100"]);
    assert_eq!(recognise(&targets, &bare), Some("n100"));
    bare.architecture = "riscv64".into();
    assert_eq!(recognise(&targets, &bare), None);
    let told = mismatch(&targets, "n100", &bare).unwrap();
    assert!(told.ends_with("and this machine is of architecture riscv64"), "{told}");
    // Two fields that hold count more than one.
    let framework = pc(["Framework", "Laptop", "", "AMD Ryzen AI 9 HX 370"]);
    assert_eq!(recognise(&targets, &framework), Some("framework-amd"));
}

#[test]
fn a_target_brings_a_login_on_each_of_its_consoles() {
    let services = |profiles: &[&str], hardware: &str| -> Vec<String> {
        let profiles = profiles.iter().map(ToString::to_string).collect();
        let choice = Choice { profiles, hardware: Some(hardware.into()), ..Choice::default() };
        let node = Library::built_in().node(&choice).node;
        node.services.into_iter().map(|service| service.name).collect()
    };
    let jetson = services(&["base"], "jetson-orin-nano");
    assert!(jetson.contains(&"getty@ttyTCU0".into()) && !jetson.contains(&"getty@tty0".into()));
    assert!(services(&["base"], "rpi5").contains(&"getty@ttyAMA10".into()));
    assert!(services(&[], "rpi5").is_empty());
}
