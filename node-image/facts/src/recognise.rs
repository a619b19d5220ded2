//! Which hardware target a machine is.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::hardware::{Hardware, Match};

/// What a machine says about itself; what it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// `/sys/class/dmi/id/sys_vendor`
    pub vendor: String,
    /// `/sys/class/dmi/id/product_name`
    pub product: String,
    /// `/sys/class/dmi/id/board_name`
    pub board: String,
    /// `model name` of `/proc/cpuinfo`
    pub cpu: String,
    /// The strings in `/proc/device-tree/compatible`.
    pub compatible: Vec<String>,
    /// As `uname -m` says it.
    pub architecture: String,
}

/// The target that matches best: the one with the most fields that hold, then the one with the
/// longest words, then the first by name. A target without a `[[match]]` is any machine of its
/// architecture, and gives way to every other one.
#[must_use]
pub fn recognise<'a>(
    targets: &'a BTreeMap<String, Hardware>,
    machine: &Machine,
) -> Option<&'a str> {
    let fits = |(name, target): (&'a String, &'a Hardware)| {
        Some((fit(target, machine)?, Reverse(name.as_str())))
    };
    let best = targets.iter().filter_map(fits).max();
    best.map(|(_, Reverse(name))| name)
}

/// What to say when a machine is not what its image was made for; `chosen` is the target in
/// node.toml. None: nothing tells against it.
#[must_use]
pub fn mismatch(
    targets: &BTreeMap<String, Hardware>,
    chosen: &str,
    machine: &Machine,
) -> Option<String> {
    let target = targets.get(chosen)?;
    if fit(target, machine).is_some() {
        return None;
    }
    let made_for = format!("the booted image was made for {chosen} ({})", target.description);
    let is = match recognise(targets, machine).and_then(|name| targets.get_key_value(name)) {
        Some((name, other)) => format!("a {name} ({})", other.description),
        None => format!("of architecture {}", machine.architecture),
    };
    Some(format!("{made_for}, and this machine is {is}"))
}

/// How well a target matches: fields that hold, and their length. None: it does not.
fn fit(target: &Hardware, machine: &Machine) -> Option<(usize, usize)> {
    if target.architecture != machine.architecture {
        return None;
    }
    if target.matches.is_empty() {
        return Some((0, 0));
    }
    target.matches.iter().filter_map(|fields| holds(fields, machine)).max()
}

fn holds(fields: &Match, machine: &Machine) -> Option<(usize, usize)> {
    let contains =
        |wanted: &str, found: &str| found.to_lowercase().contains(&wanted.to_lowercase());
    let Match { vendor, product, board, cpu, compatible } = fields;
    let texts = [
        (vendor, &machine.vendor),
        (product, &machine.product),
        (board, &machine.board),
        (cpu, &machine.cpu),
    ];
    let mut held = (0_usize, 0_usize);
    let mut hold = |wanted: &str| {
        held = (held.0.saturating_add(1), held.1.saturating_add(wanted.len()));
    };
    for (wanted, found) in texts {
        let Some(wanted) = wanted else { continue };
        if !contains(wanted, found) {
            return None;
        }
        hold(wanted);
    }
    if let Some(wanted) = compatible {
        if !machine.compatible.iter().any(|found| found.eq_ignore_ascii_case(wanted)) {
            return None;
        }
        hold(wanted);
    }
    Some(held)
}
