//! Tables whose keys are not the schema's: limits and environment variables.

use graph::{LimitSpec, nearest};

use crate::{
    kind::{Pair, Parsed, Shape, Wrongs},
    units::{self, Wrong, wrong},
    value::{Data, Entry, Value, join},
};

pub(super) fn limits(value: &Value, wrongs: &mut Wrongs) -> Result<Parsed, Wrong> {
    if !matches!(value.data, Data::Table(_)) {
        return Err(Shape::Limits.mismatch(value));
    }
    let mut limits = Vec::new();
    for entry in value.entries() {
        if !units::LIMITS.contains(&entry.key.as_str()) {
            let plain = entry.key.to_lowercase();
            let plain = plain.trim_start_matches("rlimit_").trim_start_matches("limit");
            let help = match nearest(plain, units::LIMITS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kernel's limits are: {}", units::LIMITS.join(", ")),
            };
            let message = format!("unknown limit `{}`", entry.key);
            wrongs.push((entry.key_at, Wrong { message, help }));
            continue;
        }
        let text = match &entry.value.data {
            Data::Text(text) => text.clone(),
            Data::Integer(number) => number.to_string(),
            Data::Flag(_) | Data::Array(_) | Data::Table(_) | Data::Other(_) => {
                String::from(entry.value.noun())
            }
        };
        match units::limit(&text) {
            Ok((soft, hard)) => limits.push(LimitSpec { name: entry.key.clone(), soft, hard }),
            Err(wrong) => wrongs.push((entry.value.at, wrong)),
        }
    }
    Ok(Parsed::Limits(limits))
}

pub(super) fn variables(value: &Value, wrongs: &mut Wrongs) -> Result<Parsed, Wrong> {
    if !matches!(value.data, Data::Table(_)) {
        return Err(Shape::Variables.mismatch(value));
    }
    let mut pairs = Vec::new();
    for entry in value.entries() {
        let Data::Text(text) = &entry.value.data else {
            wrongs.push((entry.value.at, Shape::Line.mismatch(&entry.value)));
            continue;
        };
        match variable(&entry.key, text) {
            Ok(()) => {
                pairs.push(Pair { name: entry.key.clone(), value: text.clone(), at: entry.key_at })
            }
            Err(wrong) => wrongs.push((entry.key_at, wrong)),
        }
    }
    Ok(Parsed::Pairs(pairs))
}

/// A key may be in quotes or not: `net.ipv4.ip_forward = "1"` is tables in TOML.
pub(super) fn sysctls(value: &Value, wrongs: &mut Wrongs) -> Result<Parsed, Wrong> {
    if !matches!(value.data, Data::Table(_)) {
        return Err(Shape::Sysctls.mismatch(value));
    }
    let mut pairs = Vec::new();
    let mut open: Vec<(String, &Entry)> =
        value.entries().iter().map(|entry| (entry.key.clone(), entry)).collect();
    while let Some((key, entry)) = open.pop() {
        let text = match &entry.value.data {
            Data::Text(text) => text.clone(),
            Data::Integer(number) => number.to_string(),
            Data::Table(entries) => {
                open.extend(entries.iter().map(|entry| (join(&key, &entry.key), entry)));
                continue;
            }
            Data::Flag(_) | Data::Array(_) | Data::Other(_) => {
                wrongs.push((entry.value.at, Shape::Line.mismatch(&entry.value)));
                continue;
            }
        };
        let part = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ':');
            part == "*" || (!part.is_empty() && part.chars().all(plain))
        };
        if key.contains('.') && key.split('.').all(part) {
            pairs.push(Pair { name: key, value: text, at: entry.key_at });
        } else {
            let message = format!("`{key}` is not a kernel parameter");
            let help = "write it with dots: net.ipv4.ip_forward".to_string();
            wrongs.push((entry.key_at, Wrong { message, help }));
        }
    }
    pairs.sort_by_key(|pair| pair.at);
    Ok(Parsed::Pairs(pairs))
}

fn variable(name: &str, value: &str) -> Result<(), Wrong> {
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        return wrong(
            format!("`{name}` is not a variable's name"),
            "use letters, digits and `_`, and no digit first",
        );
    }
    if matches!(name, "NOTIFY_SOCKET" | "WATCHDOG_USEC" | "WATCHDOG_PID") {
        return wrong(
            format!("`{name}` is set by Cooper"),
            "use `ready = { notify = \"systemd\" }` or `watchdog = \"30s\"` instead",
        );
    }
    if value.contains('\0') {
        return wrong("a NUL byte", "no variable can have one");
    }
    Ok(())
}
