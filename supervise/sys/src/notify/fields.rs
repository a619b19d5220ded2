//! What a datagram says. Pure.

use std::borrow::Cow;

/// The fields of one datagram that mean something to us; all others (`FDSTORE=`, `BUSERROR=`,
/// `X_…`) say nothing. Of a field that is repeated, the last counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Notification<'a> {
    /// `READY=1`.
    pub ready: bool,
    /// `RELOADING=1`.
    pub reloading: bool,
    /// `STOPPING=1`.
    pub stopping: bool,
    /// `BARRIER=1`.
    pub barrier: bool,
    /// `STATUS=`, for people.
    pub status: Option<Cow<'a, str>>,
    /// `MAINPID=`.
    pub main_pid: Option<u32>,
    /// `WATCHDOG=`.
    pub watchdog: Option<Watchdog>,
    /// `WATCHDOG_USEC=`: a new interval.
    pub watchdog_us: Option<u64>,
    /// `EXTEND_TIMEOUT_USEC=`.
    pub extend_us: Option<u64>,
    /// `MONOTONIC_USEC=`: when the reload began.
    pub monotonic_us: Option<u64>,
    /// `ERRNO=`: why it is about to fail.
    pub errno: Option<u32>,
}

/// `WATCHDOG=`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Watchdog {
    /// `1`: still alive.
    Ping,
    /// `trigger`: as if it had not been.
    Trigger,
}

impl<'a> Notification<'a> {
    /// Reads a datagram. A value that does not fit its field is as if it were not there.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Self {
        let mut all = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let Some(equals) = line.iter().position(|byte| *byte == b'=') else { continue };
            let Some((name, value)) = line.split_at_checked(equals) else { continue };
            let value = value.strip_prefix(b"=").unwrap_or(value);
            match name {
                b"READY" => all.ready |= value == b"1",
                b"RELOADING" => all.reloading |= value == b"1",
                b"STOPPING" => all.stopping |= value == b"1",
                b"BARRIER" => all.barrier |= value == b"1",
                b"STATUS" => all.status = Some(String::from_utf8_lossy(value)),
                b"MAINPID" => all.main_pid = number(value).filter(|pid| *pid != 0),
                b"WATCHDOG" => all.watchdog = Watchdog::parse(value),
                b"WATCHDOG_USEC" => all.watchdog_us = number(value),
                b"EXTEND_TIMEOUT_USEC" => all.extend_us = number(value),
                b"MONOTONIC_USEC" => all.monotonic_us = number(value),
                b"ERRNO" => all.errno = number(value),
                _ => {}
            }
        }
        all
    }
}

impl Watchdog {
    fn parse(value: &[u8]) -> Option<Self> {
        match value {
            b"1" => Some(Self::Ping),
            b"trigger" => Some(Self::Trigger),
            _ => None,
        }
    }
}

/// Decimal digits and nothing else: no sign, no blank.
fn number<N: std::str::FromStr>(value: &[u8]) -> Option<N> {
    let digits = std::str::from_utf8(value).ok()?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Notification<'_> {
        Notification::parse(text.as_bytes())
    }

    #[test]
    fn every_field_is_understood() {
        let none = Notification::default();
        assert_eq!(parse(""), none);
        assert_eq!(parse("READY=1"), Notification { ready: true, ..none.clone() });
        assert_eq!(
            parse("RELOADING=1\nMONOTONIC_USEC=123\n"),
            Notification { reloading: true, monotonic_us: Some(123), ..none.clone() }
        );
        assert_eq!(
            parse("STOPPING=1\nSTATUS=a=b \u{fc}\nERRNO=2"),
            Notification {
                stopping: true,
                status: Some("a=b \u{fc}".into()),
                errno: Some(2),
                ..none.clone()
            }
        );
        assert_eq!(
            parse("MAINPID=77\nWATCHDOG=1\nWATCHDOG_USEC=5000000\nEXTEND_TIMEOUT_USEC=9"),
            Notification {
                main_pid: Some(77),
                watchdog: Some(Watchdog::Ping),
                watchdog_us: Some(5_000_000),
                extend_us: Some(9),
                ..none.clone()
            }
        );
        let trigger = Some(Watchdog::Trigger);
        assert_eq!(parse("WATCHDOG=trigger"), Notification { watchdog: trigger, ..none.clone() });
        assert_eq!(parse("BARRIER=1"), Notification { barrier: true, ..none });
    }

    #[test]
    fn what_is_not_a_field_says_nothing() {
        for text in [
            "READY",
            "READY=",
            "READY=0",
            "READY=11",
            "ready=1",
            " READY=1",
            "READY =1",
            "=1",
            "\n\n",
            "MAINPID=0",
            "MAINPID=-1",
            "MAINPID=+1",
            "MAINPID= 1",
            "MAINPID=99999999999",
            "MAINPID=",
            "WATCHDOG=2",
            "WATCHDOG_USEC=1s",
            "FDSTORE=1\nFDNAME=x",
            "X_READY=1",
            "NOTIFYACCESS=all",
        ] {
            assert_eq!(parse(text), Notification::default(), "{text:?}");
        }
        let garbage: Vec<u8> = (0..=u8::MAX).cycle().take(4096).collect();
        assert_eq!(Notification::parse(&garbage), Notification::default());
    }

    #[test]
    fn a_status_that_is_not_text_is_made_text() {
        assert_eq!(Notification::parse(b"STATUS=\xff!").status.unwrap(), "\u{fffd}!");
    }
}
