//! `/proc/self/mountinfo`: what is mounted where, and how.

use crate::Root;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// The device's numbers: `8:1`.
    pub device: String,
    /// Where, with its escapes resolved.
    pub at: String,
    /// The part of the file system that shows there: `/`, unless it is a bind mount.
    pub root: String,
    /// The file system's type.
    pub fstype: String,
    /// What the file system is on.
    pub source: String,
    /// Of this mount and of its file system, in one list.
    pub options: Vec<String>,
    /// It is the same mount in other namespaces and bind mounts, with all that is mounted on it.
    pub is_shared: bool,
}

impl MountPoint {
    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root rw,errors=continue`
    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(2);
        let device = mount.next()?.to_owned();
        let (root, at, own) = (mount.next()?, mount.next()?, mount.next()?);
        let is_shared = mount.any(|field| field.starts_with("shared:"));
        let mut file_system = file_system.split(' ');
        let (fstype, source) = (file_system.next()?, file_system.next()?);
        let whole = file_system.next().unwrap_or_default();
        let options = own.split(',').chain(whole.split(',')).map(unescaped).collect();
        let [at, root, source] = [at, root, source].map(unescaped);
        Some(Self { device, at, root, fstype: fstype.to_owned(), source, options, is_shared })
    }

    /// It has this option, spelt like this.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|it| it == option)
    }
}

/// All mounts that this process sees, in the order in which they were mounted.
///
/// # Errors
/// As the system says.
pub fn read(root: &Root) -> std::io::Result<Vec<MountPoint>> {
    Ok(root.read("/proc/self/mountinfo")?.lines().filter_map(MountPoint::parse).collect())
}

/// What one sees at a path: the last of those that were mounted there.
#[must_use]
pub fn top<'a>(mounts: &'a [MountPoint], at: &str) -> Option<&'a MountPoint> {
    mounts.iter().rev().find(|mount| mount.at == at)
}

/// The mount that a path lies in, whether or not the path is there.
#[must_use]
pub fn holding<'a>(mounts: &'a [MountPoint], path: &str) -> Option<&'a MountPoint> {
    std::path::Path::new(path).ancestors().find_map(|at| top(mounts, at.to_str()?))
}

/// Space, tab, newline and backslash are a backslash and three octal digits.
pub(crate) fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let octal = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (octal, part.get(3..)) {
            (Some(byte), Some(rest)) => {
                out.push(char::from(byte));
                out.push_str(rest);
            }
            (_, _) => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_all_that_set_up_asks_for() {
        let line = "36 35 98:0 / /sys/fs/bpf rw,nosuid shared:3 master:1 - bpf bpf rw,mode=700";
        let mount = MountPoint::parse(line).unwrap();
        assert_eq!((mount.at.as_str(), mount.fstype.as_str()), ("/sys/fs/bpf", "bpf"));
        assert!(mount.is_shared && mount.has("nosuid") && mount.has("mode=700"));
        assert!(!mount.has("mode"));
    }

    #[test]
    fn a_private_mount_and_one_without_optional_fields_are_not_shared() {
        let line = "1 1 0:2 / / rw - ext4 /dev/vda rw";
        assert!(!MountPoint::parse(line).unwrap().is_shared);
        let line = "1 1 0:2 / / rw master:3 - ext4 /dev/vda rw";
        assert!(!MountPoint::parse(line).unwrap().is_shared);
    }

    #[test]
    fn escapes_are_resolved_and_odd_ones_kept() {
        assert_eq!(unescaped("/a\\040b\\134c"), "/a b\\c");
        assert_eq!(unescaped("\\9\\"), "\\9\\");
    }

    #[test]
    fn the_last_mount_hides_the_first() {
        let text = "1 1 0:2 / /x rw - ext4 a rw\n2 1 0:3 / /x rw - tmpfs b rw\nnonsense\n";
        let mounts: Vec<_> = text.lines().filter_map(MountPoint::parse).collect();
        assert_eq!(top(&mounts, "/x").unwrap().source, "b");
        assert_eq!(top(&mounts, "/y"), None);
    }
}
