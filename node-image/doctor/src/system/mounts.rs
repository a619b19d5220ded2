//! `/proc/self/mountinfo`.

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// Where.
    pub at: String,
    /// Its type.
    pub fstype: String,
    /// Its source.
    pub device: String,
    /// Options of the mount and of the file system.
    pub options: Vec<String>,
    /// What is mounted below it shows everywhere that it is seen.
    pub shared: bool,
}

impl MountPoint {
    /// It has that option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|has| has == option)
    }
}

/// Each line: `ID PARENT MAJOR:MINOR ROOT AT OPTIONS [FIELD…] - TYPE SOURCE OPTIONS`.
pub fn parse(text: &str) -> Vec<MountPoint> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<MountPoint> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut words = mount.split(' ').skip(4);
    let at = unescape(words.next()?);
    let own = words.next()?;
    let shared = words.any(|field| field.starts_with("shared:"));
    let mut words = filesystem.split(' ');
    let fstype = words.next()?.to_owned();
    let device = unescape(words.next()?);
    let all = own.split(',').chain(words.next().unwrap_or_default().split(','));
    let options = all.filter(|option| !option.is_empty()).map(str::to_owned).collect();
    Some(MountPoint { at, fstype, device, options, shared })
}

/// The kernel writes space, tab, newline and backslash as `\ooo`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_at_checked(3).map(|(code, rest)| (u8::from_str_radix(code, 8), rest)) {
            Some((Ok(byte), rest)) => {
                plain.push(byte.into());
                plain.push_str(rest);
            }
            Some((Err(_), _)) | None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Optional fields may be there or not; both lists of options count.
    #[test]
    fn a_line_has_all_that_is_asked_of_it() {
        let text = "30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 none rw,nsdelegate\n\
                    31 24 8:2 /a /mnt/a\\040b ro - ext4 /dev/sda2 rw\n\
                    broken\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert!(mounts[0].shared && mounts[0].has("nsdelegate") && mounts[0].has("nosuid"));
        assert_eq!((mounts[1].at.as_str(), mounts[1].shared), ("/mnt/a b", false));
        assert_eq!(unescape("a\\134b\\9"), "a\\b\\9");
    }
}
