//! Files of the kernel's in a cgroup, as keys of `[cgroup]`.
//!
//! Any `controller.file` is taken: a new kernel may have files that we do not know. Of those that
//! we know the value is checked; those that Cooper itself writes are refused.

use graph::nearest;

use crate::{
    kind::Pair,
    report::Findings,
    units::{self, Wrong, wrong},
    value::{Data, Entry, join},
};

/// How the value of a known file looks.
#[derive(Clone, Copy)]
enum Form {
    /// Bytes or `max`.
    Bytes,
    /// An integer or `max`.
    Count,
    /// 1 to 10000, for io also `default N`.
    Weight,
    /// 0 or 1.
    Bit,
    /// `QUOTA PERIOD`.
    Quota,
    /// -20 to 19.
    Nice,
    /// `0-3,8`.
    CpuList,
    /// Whatever the kernel takes.
    Any,
}

const KNOWN: &[(&str, Form)] = &[
    ("cpu.idle", Form::Bit),
    ("cpu.max", Form::Quota),
    ("cpu.max.burst", Form::Count),
    ("cpu.uclamp.max", Form::Any),
    ("cpu.uclamp.min", Form::Any),
    ("cpu.weight", Form::Weight),
    ("cpu.weight.nice", Form::Nice),
    ("cpuset.cpus", Form::CpuList),
    ("cpuset.cpus.partition", Form::Any),
    ("cpuset.mems", Form::CpuList),
    ("io.bfq.weight", Form::Weight),
    ("io.latency", Form::Any),
    ("io.max", Form::Any),
    ("io.weight", Form::Weight),
    ("memory.high", Form::Bytes),
    ("memory.low", Form::Bytes),
    ("memory.max", Form::Bytes),
    ("memory.min", Form::Bytes),
    ("memory.oom.group", Form::Bit),
    ("memory.swap.high", Form::Bytes),
    ("memory.swap.max", Form::Bytes),
    ("memory.zswap.max", Form::Bytes),
    ("misc.max", Form::Any),
    ("pids.max", Form::Count),
    ("rdma.max", Form::Any),
];

const CONTROLLERS: [&str; 10] =
    ["cpu", "cpuset", "dmem", "hugetlb", "io", "memory", "misc", "net_cls", "pids", "rdma"];

/// Reads an entry, `key`, and the tables in it: `memory.max = "1G"` is a table `memory` in TOML.
pub(crate) fn settings(key: &str, entry: &Entry, pairs: &mut Vec<Pair>, findings: &mut Findings) {
    let values = match &entry.value.data {
        Data::Table(entries) => {
            for inner in entries {
                settings(&join(key, &inner.key), inner, pairs, findings);
            }
            return;
        }
        Data::Array(values) => values.as_slice(),
        Data::Text(_) | Data::Integer(_) | Data::Flag(_) | Data::Other(_) => {
            std::slice::from_ref(&entry.value)
        }
    };
    if let Err(wrong) = name(key) {
        findings.error(entry.key_at, wrong.message, wrong.help);
        return;
    }
    let known = KNOWN.iter().find(|(known, _)| *known == key);
    if known.is_none() && !key.starts_with("hugetlb.") {
        let near = nearest(key, KNOWN.iter().map(|(known, _)| *known));
        let help = match near {
            Some(near) => format!("did you mean `{near}`? If the kernel has `{key}`, it is fine"),
            None => format!("if the kernel has `{key}`, it is fine"),
        };
        findings.warning(entry.key_at, format!("`{key}` is not a cgroup key that is known"), help);
    }
    let form = known.map_or(Form::Any, |(_, form)| *form);
    for value in values {
        let text = match &value.data {
            Data::Text(text) => text.clone(),
            Data::Integer(number) => number.to_string(),
            Data::Flag(flag) => u8::from(*flag).to_string(),
            Data::Array(_) | Data::Table(_) | Data::Other(_) => {
                let message = format!("`{key}`: this is {}, expected a string", value.noun());
                findings.error(value.at, message, "write what is to be written to the file");
                continue;
            }
        };
        match check(form, &text) {
            Ok(()) => pairs.push(Pair { name: key.to_string(), value: text, at: entry.key_at }),
            Err(wrong) => {
                findings.error(value.at, format!("`{key}`: {}", wrong.message), wrong.help);
            }
        }
    }
}

fn name(key: &str) -> Result<(), Wrong> {
    let well_formed = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
    let controller = key.split('.').next().unwrap_or_default();
    if controller == "cgroup" {
        return wrong(
            format!("`{key}` is written by Cooper alone"),
            "leave it out; `stop`, `cgroup.path` and `cgroup.delegate` are what there is",
        );
    }
    if !well_formed || !CONTROLLERS.contains(&controller) {
        let help = match nearest(controller, CONTROLLERS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the controllers are: {}", CONTROLLERS.join(", ")),
        };
        return wrong(format!("`{controller}` is not a cgroup controller"), help);
    }
    Ok(())
}

fn check(form: Form, text: &str) -> Result<(), Wrong> {
    let number = |text: &str, min: i64, max: i64| {
        text.parse::<i64>().is_ok_and(|number| (min..=max).contains(&number))
    };
    let (right, help) = match form {
        Form::Bytes => {
            // The kernel takes K, M, G and T, but not KiB.
            let plain = !text.ends_with('B');
            ((plain && units::size(text).is_ok()) || text == "max", "bytes, \"512M\" or \"max\"")
        }
        Form::Count => (number(text, 0, i64::MAX) || text == "max", "a number or \"max\""),
        Form::Weight => {
            let weight = text.strip_prefix("default ").unwrap_or(text);
            let device = text.contains(':');
            (device || number(weight, 1, 10_000), "a weight from 1 to 10000")
        }
        Form::Bit => (matches!(text, "0" | "1"), "0 or 1"),
        Form::Quota => {
            let (quota, period) = text.split_once(' ').unwrap_or((text, "100000"));
            let right = (quota == "max" || number(quota, 1_000, i64::MAX))
                && number(period, 1_000, 1_000_000);
            (right, "\"QUOTA PERIOD\" in microseconds, \"50000 100000\", or \"max\"")
        }
        Form::Nice => (number(text, -20, 19), "a nice value from -20 to 19"),
        Form::CpuList => {
            let listed = |c: char| c.is_ascii_digit() || matches!(c, ',' | '-');
            (text.chars().all(listed), "a list such as \"0-3,8\"")
        }
        Form::Any => (!text.contains('\n'), "one line; write a list for several"),
    };
    if right { Ok(()) } else { wrong(format!("`{text}` is not right"), format!("write {help}")) }
}
