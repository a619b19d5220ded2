//! Names of files: `LOGS/NAME/current`, and once rotated `LOGS/NAME/@TIME.log`, where TIME is that
//! of the rotation: no line of the file is later.

use crate::Stamp;

/// The file that is being written.
pub const CURRENT: &str = "current";
const PREFIX: &str = "@";
const SUFFIX: &str = ".log";

/// A rotated file's name. Names sort as their times do.
#[must_use]
pub fn rotated(stamp: Stamp) -> String {
    format!("{PREFIX}{stamp}{SUFFIX}")
}

/// When the file of this name was rotated; `None` if it is not one of ours.
#[must_use]
pub fn rotated_at(name: &str) -> Option<Stamp> {
    Stamp::parse(name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.as_bytes())
}

/// Whether a log may have this name: one path component, visible, printable.
#[must_use]
pub fn is_log(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && !name.contains(|c: char| c == '/' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_name_tells_its_time() {
        // There and back, and nothing else is taken for one.
        let stamp = Stamp(1_795_192_384_123_456);
        assert_eq!(rotated(stamp), "@2026-11-20T16:33:04.123456Z.log");
        assert_eq!(rotated_at(&rotated(stamp)), Some(stamp));
        for other in ["current", "@2026-11-20T16:33:04.123456Z", "@x.log", "lock"] {
            assert_eq!(rotated_at(other), None);
        }
    }

    #[test]
    fn a_log_name_is_one_visible_component() {
        // What could leave the directory, or hide in it, is no log.
        assert!(is_log("getty@tty1") && is_log("kubelet") && is_log("été"));
        for bad in ["", ".", "..", ".hidden", "a/b", "a\nb", &"x".repeat(256)] {
            assert!(!is_log(bad), "{bad:?}");
        }
    }
}
