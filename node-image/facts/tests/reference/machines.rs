//! Tables of hardware targets.

use facts::{Firmware, Hardware, Library, Match, Trap};

use crate::text::{cell, code, codes, grouped, reason, severity};

/// A paragraph for each target: how it boots, and how it is recognised.
pub fn hardware(library: &Library) -> String {
    library.hardware.iter().map(|(name, target)| described(name, target)).collect()
}

fn described(name: &str, target: &Hardware) -> String {
    let boot = &target.boot;
    let words = |words: &[String]| codes(words.iter().map(String::as_str));
    let mut text = format!(
        "**{name}**: {}; {}, {}. {}\n\n",
        cell(&target.description),
        target.architecture,
        boot.method,
        reason(&boot.notes, &boot.source),
    );
    let mut line = |what: &str, words: String| {
        if !words.is_empty() {
            text.push_str(&format!("- {what}: {words}\n"));
        }
    };
    line("recognised by", recognised(&target.matches));
    line("consoles", words(&boot.consoles));
    line("in the initramfs", words(&boot.initramfs));
    line("device trees", words(&boot.device_trees));
    text.push('\n');
    text
}

fn recognised(matches: &[Match]) -> String {
    if matches.is_empty() {
        return "its architecture, if no other target is recognised".to_string();
    }
    let one = |fields: &Match| {
        let named = [
            ("vendor", &fields.vendor),
            ("product", &fields.product),
            ("board", &fields.board),
            ("CPU", &fields.cpu),
            ("device tree", &fields.compatible),
        ];
        let given = named
            .iter()
            .filter_map(|(name, word)| word.as_ref().map(|word| format!("{name} {}", code(word))));
        given.collect::<Vec<_>>().join(" with ")
    };
    matches.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The rows of each target, under its name.
fn each(
    library: &Library,
    heading: &[&str],
    rows: impl Fn(&Hardware) -> Vec<Vec<String>>,
) -> String {
    let targets = library.hardware.iter();
    grouped(heading, targets.map(|(name, target)| (name.as_str(), rows(target))))
}

pub fn parameters(library: &Library) -> String {
    each(library, &["what", "why"], |target| {
        let parameters = target.boot.parameters.iter();
        let row = |word: &facts::Parameter| vec![code(&word.word), reason(&word.why, &word.source)];
        parameters.map(row).collect()
    })
}

pub fn firmware(library: &Library) -> String {
    each(library, &["what for", "Alpine", "Debian", "nixpkgs"], |target| {
        let package = |name: &Option<String>| name.as_deref().map_or_else(String::new, code);
        let row = |firmware: &Firmware| {
            let Firmware { alpine, debian, nix, why, source } = firmware;
            vec![reason(why, source), package(alpine), package(debian), package(nix)]
        };
        target.firmware.iter().map(row).collect()
    })
}

pub fn traps(library: &Library) -> String {
    each(library, &["what happens", "what to do", "check"], |target| {
        let row = |trap: &Trap| {
            let check = trap.check.as_deref().map_or_else(String::new, code);
            let what = format!("{}: {}", severity(trap.severity), reason(&trap.what, &trap.source));
            vec![what, cell(&trap.fix), check]
        };
        target.traps.iter().map(row).collect()
    })
}
