//! Durations, sizes, signals, modes, limits and addresses, as people write them.
//!
//! Each parser says what is wrong and what to write instead; none of them knows where the text
//! stands.

use std::net::SocketAddr;

use graph::nearest;

/// What is wrong with a text, and what to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Wrong {
    pub message: String,
    pub help: String,
}

/// A shorthand for `Err(Wrong { … })`.
pub(crate) fn wrong<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { message: message.into(), help: help.into() })
}

const TIME_HELP: &str = "write a number and its unit, such as \"30s\", \"2m\", \"100ms\" or \
                         \"1h30m\": the units are ms, s, m, h and d";

/// `"1h30m"` in milliseconds.
pub(crate) fn duration_ms(text: &str) -> Result<u64, Wrong> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return wrong("an empty duration", TIME_HELP);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_digits(rest);
        let Ok(number) = number.parse::<u64>() else {
            return wrong(format!("`{text}` is not a duration"), TIME_HELP);
        };
        let unit_length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_length);
        let milliseconds = match unit.trim_end() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "" => return wrong(format!("`{text}` has no unit of time"), unit_help(number, "s")),
            "." => {
                let help = "write whole numbers, with a smaller unit: \"1500ms\", not \"1.5s\"";
                return wrong(format!("`{text}` is not a whole number"), help);
            }
            other => {
                let message = match other.trim_start() {
                    "ms" | "s" | "m" | "h" | "d" => format!("`{text}` has a blank in it"),
                    other => format!("`{other}` is not a unit of time"),
                };
                return wrong(message, unit_help(number, meant_unit(other.trim())));
            }
        };
        total = total.saturating_add(number.saturating_mul(milliseconds));
        rest = after.trim();
    }
    Ok(total)
}

/// The unit that a word such as `min` or `Seconds` means.
fn meant_unit(word: &str) -> &'static str {
    let word = word.to_lowercase();
    match word.as_bytes() {
        [b'm', b's', ..] | [b'm', b'i', b'l', ..] => "ms",
        [b'm', ..] => "m",
        [b'h', ..] => "h",
        [b'd', ..] => "d",
        _ => "s",
    }
}

fn unit_help(number: u64, unit: &str) -> String {
    format!("write \"{number}{unit}\": the units are ms, s, m, h and d")
}

const SIZE_HELP: &str = "write a number of bytes, or one with a unit of 1024, such as \"16M\": \
                         the units are K, M, G and T";

/// `"16M"` in bytes.
pub(crate) fn size(text: &str) -> Result<u64, Wrong> {
    let (number, unit) = split_digits(text.trim());
    let Ok(number) = number.parse::<u64>() else {
        return wrong(format!("`{text}` is not a size"), SIZE_HELP);
    };
    let shift = match unit.trim() {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        other => return wrong(format!("`{other}` is not a unit of size"), SIZE_HELP),
    };
    match number.checked_mul(1_u64 << shift) {
        Some(bytes) => Ok(bytes),
        None => wrong(format!("`{text}` is larger than anything"), SIZE_HELP),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Linux's signals by number, from 1; alike on all machines that Cooper runs on.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
/// What programs that use glibc call SIGRTMIN.
const SIGRTMIN: u8 = 34;
const SIGRTMAX: u8 = 64;

/// `"SIGHUP"`, `"HUP"` or `"SIGRTMIN+3"`.
pub(crate) fn signal(text: &str) -> Result<u8, Wrong> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset = if offset.is_empty() { Some("0") } else { offset.strip_prefix('+') };
        let number = offset.and_then(|offset| offset.parse::<u8>().ok());
        let number = number.and_then(|offset| SIGRTMIN.checked_add(offset));
        return match number.filter(|number| *number <= SIGRTMAX) {
            Some(number) => Ok(number),
            None => wrong(
                format!("`{text}` is not a signal"),
                "real-time signals are \"SIGRTMIN\" to \"SIGRTMIN+30\"",
            ),
        };
    }
    if let Some((number, _)) = (1_u8..).zip(SIGNALS).find(|(_, known)| *known == name) {
        return Ok(number);
    }
    let help = match nearest(name, SIGNALS) {
        Some(near) => format!("did you mean \"SIG{near}\"?"),
        None => "write a signal's name, such as \"SIGTERM\"; `man 7 signal` lists them".to_string(),
    };
    wrong(format!("`{text}` is not a signal"), help)
}

/// A signal's name.
#[must_use]
pub fn signal_name(signal: u8) -> String {
    let index = usize::from(signal).checked_sub(1);
    match index.and_then(|index| SIGNALS.get(index)) {
        Some(name) => format!("SIG{name}"),
        None => format!("SIGRTMIN+{}", signal.saturating_sub(SIGRTMIN)),
    }
}

/// `"022"`.
pub(crate) fn mode(text: &str) -> Result<u16, Wrong> {
    match u16::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        Ok(_) | Err(_) => wrong(
            format!("`{text}` is not a mode"),
            "write octal digits in quotes, \"000\" to \"777\", such as \"022\"",
        ),
    }
}

/// Resource limits by the kernel's names.
pub(crate) const LIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `"1024:524288"`, `"infinity"`, `"8M"`: soft and hard.
pub(crate) fn limit(text: &str) -> Result<(u64, u64), Wrong> {
    let one = |part: &str| match part.trim() {
        "infinity" | "unlimited" => Ok(u64::MAX),
        number => size(number).map_err(|_| Wrong {
            message: format!("`{text}` is not a limit"),
            help: "write \"LIMIT\" or \"SOFT:HARD\", such as \"1024:524288\", \"8M\" or \
                   \"infinity\""
                .to_string(),
        }),
    };
    let (soft, hard) = match text.split_once(':') {
        Some((soft, hard)) => (one(soft)?, one(hard)?),
        None => (one(text)?, one(text)?),
    };
    if soft > hard {
        return wrong(
            format!("the soft limit of `{text}` is above the hard one"),
            "write \"SOFT:HARD\" with the smaller number first",
        );
    }
    Ok((soft, hard))
}

/// `"127.0.0.1:80"`.
pub(crate) fn address(text: &str) -> Result<String, Wrong> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(address.to_string()),
        Ok(_) | Err(_) => wrong(
            format!("`{text}` is not an address and port"),
            "write numbers, such as \"127.0.0.1:80\" or \"[::1]:80\": names are not looked up",
        ),
    }
}

/// `"http://127.0.0.1:10248/healthz"` as address, host and path.
pub(crate) fn url(text: &str) -> Result<(String, String, String), Wrong> {
    let help = "write \"http://ADDRESS:PORT/PATH\" with numbers, such as \
                \"http://127.0.0.1:10248/healthz\"";
    let Some(rest) = text.strip_prefix("http://") else {
        return wrong(format!("`{text}` is not an http address"), help);
    };
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, format!("/{path}")),
        None => (rest, "/".to_string()),
    };
    if path.contains(|c: char| c.is_ascii_control() || c == ' ') {
        return wrong(format!("`{text}` has a blank in its path"), help);
    }
    let with_port = address(host).or_else(|_| address(&format!("{host}:80")));
    match with_port {
        Ok(address) => Ok((address, host.to_string(), path)),
        Err(_) => wrong(format!("`{host}` is not an address"), help),
    }
}

/// A path for people to keep: absolute, without NUL.
pub(crate) fn path(text: &str) -> Result<String, Wrong> {
    if text.starts_with('/') && !text.contains('\0') {
        return Ok(text.to_string());
    }
    wrong(
        format!("`{text}` is not an absolute path"),
        format!("write it from the root: \"/{text}\""),
    )
}

/// A unix socket: a path or an abstract name, of at most 107 bytes.
pub(crate) fn socket(text: &str) -> Result<String, Wrong> {
    if text.len() > 107 {
        return wrong(
            format!("`{text}` is too long for a socket"),
            "the kernel takes 107 bytes: use a shorter path",
        );
    }
    match text.strip_prefix('@') {
        Some(name) if !name.is_empty() => Ok(text.to_string()),
        Some(_) => wrong("an abstract socket without a name", "write \"@NAME\""),
        None => path(text),
    }
}

/// A capability's bit.
pub(crate) fn capability(text: &str) -> Result<u8, Wrong> {
    let name = text.to_ascii_uppercase();
    let name = if name.starts_with("CAP_") { name } else { format!("CAP_{name}") };
    if let Ok(capability) = name.parse::<caps::Capability>() {
        return Ok(capability.index());
    }
    let all: Vec<String> = caps::all().into_iter().map(|known| known.to_string()).collect();
    let help = match nearest(&name, all.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "`man 7 capabilities` lists them".to_string(),
    };
    wrong(format!("`{text}` is not a capability"), help)
}

#[cfg(test)]
mod tests {
    use super::{address, capability, duration_ms, limit, mode, signal, signal_name, size, url};

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, expected) in [
            ("100ms", 100),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(duration_ms(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "30 seconds",
            "30 s",
            "1.5s",
            "-1s",
            "30sec",
            "1h30",
            "99999999999999999999s",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
        assert_eq!(duration_ms("18446744073709551615d"), Ok(u64::MAX));
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, expected) in
            [("0", 0), ("512", 512), ("16K", 16 << 10), ("16M", 16 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for text in ["", "M", "16MB", "1.5G", "-1", "99999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn signals_have_names() {
        for (text, expected) in
            [("SIGHUP", 1), ("TERM", 15), ("SIGSYS", 31), ("SIGRTMIN+3", 37), ("RTMIN", 34)]
        {
            assert_eq!(signal(text), Ok(expected), "{text}");
        }
        for text in ["", "15", "SIGRTMIN+31", "SIGRTMIN-1", "sighup?", "SIGTREM"] {
            assert!(signal(text).is_err(), "{text}");
        }
        for number in (1..=31).chain(34..=64) {
            assert_eq!(signal(&signal_name(number)), Ok(number));
        }
    }

    #[test]
    fn limits_modes_addresses_and_capabilities() {
        assert_eq!(limit("1024:524288"), Ok((1024, 524_288)));
        assert_eq!(limit("infinity"), Ok((u64::MAX, u64::MAX)));
        assert_eq!(limit("8M:infinity"), Ok((8 << 20, u64::MAX)));
        assert!(limit("2:1").is_err());
        assert!(limit("many").is_err());
        assert_eq!(mode("022"), Ok(0o22));
        assert!(mode("8").is_err());
        assert!(mode("1777").is_err());
        assert_eq!(address("[::1]:80").as_deref(), Ok("[::1]:80"));
        assert!(address("localhost:80").is_err());
        assert!(address("127.0.0.1").is_err());
        assert_eq!(
            url("http://127.0.0.1/x?y"),
            Ok(("127.0.0.1:80".into(), "127.0.0.1".into(), "/x?y".into()))
        );
        assert!(url("https://127.0.0.1/").is_err());
        assert!(url("http://node/").is_err());
        assert_eq!(capability("CAP_NET_ADMIN"), Ok(12));
        assert_eq!(capability("net_admin"), Ok(12));
        assert!(capability("CAP_NET_ADMN").is_err());
    }
}
