//! Mount options as mount(8) takes them: flags of the mount, the mode of its directory, and words
//! for the file system itself.

use rustix::mount::MountFlags;

use crate::mountinfo::MountPoint;

/// Options, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `nosuid` and the like.
    pub flags: MountFlags,
    /// What only the file system understands.
    pub own: Vec<String>,
}

const FLAGS: [(&str, MountFlags); 9] = [
    ("ro", MountFlags::RDONLY),
    ("nosuid", MountFlags::NOSUID),
    ("nodev", MountFlags::NODEV),
    ("noexec", MountFlags::NOEXEC),
    ("sync", MountFlags::SYNCHRONOUS),
    ("noatime", MountFlags::NOATIME),
    ("nodiratime", MountFlags::NODIRATIME),
    ("relatime", MountFlags::RELATIME),
    ("strictatime", MountFlags::STRICTATIME),
];
/// What a mount has without being asked, or what the kernel shows and does not take.
const NOTHING: [&str; 8] = ["", "defaults", "rw", "suid", "dev", "exec", "async", "seclabel"];

impl Options {
    /// Of a list as it stands in a table or in mountinfo.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut options = Self { flags: MountFlags::empty(), own: Vec::new() };
        for word in words {
            match FLAGS.iter().find(|(name, _)| *name == word) {
                Some((_, flag)) => options.flags |= *flag,
                None if NOTHING.contains(&word) => {}
                None if !options.own.iter().any(|own| own == word) => {
                    options.own.push(word.to_owned())
                }
                None => {}
            }
        }
        options
    }

    /// Of a mount that is there.
    pub fn of_mount(mount: &MountPoint) -> Self {
        Self::of(mount.options.iter().map(String::as_str))
    }

    /// What only the file system understands, as mount(2) takes it.
    pub fn data(&self) -> String {
        self.own.join(",")
    }

    /// The mode of the file system's root, if there is to be a certain one. On a devpts, `mode` is
    /// that of the terminals.
    pub fn mode(&self, fstype: &str) -> Option<u32> {
        let own = self.own.iter().filter(|_| fstype != "devpts");
        let mode = own.filter_map(|word| word.strip_prefix("mode=")).next_back()?;
        u32::from_str_radix(mode, 8).ok()
    }

    /// The words that a mount lacks, but for the mode of its root, which it need not show.
    pub fn missing_in(&self, fstype: &str, is: &Self) -> Vec<&str> {
        let flags =
            FLAGS.iter().filter(|(_, flag)| self.flags.difference(is.flags).contains(*flag));
        let own = self.own.iter().filter(|word| !is.own.contains(word));
        let own = own.filter(|word| fstype == "devpts" || !word.starts_with("mode="));
        // Off is what it is when nothing is shown.
        let is_off = |word: &&&str| matches!(**word, "hidepid=0" | "hidepid=off");
        let own: Vec<&str> = own.map(String::as_str).collect();
        flags
            .map(|(name, _)| *name)
            .chain(own.iter().filter(|word| !is_off(word)).copied())
            .collect()
    }

    /// These, and of the others those about something else: `mode=700` takes the place of
    /// `mode=755`.
    pub fn over(&self, other: &Self) -> Self {
        let name = |word: &str| word.split('=').next().unwrap_or(word).to_owned();
        let is_new = |word: &&String| !self.own.iter().any(|own| name(own) == name(word));
        let kept = other.own.iter().filter(is_new);
        let own = kept.chain(&self.own).cloned().collect();
        Self { flags: self.flags | other.flags, own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Options {
        Options::of(text.split(','))
    }

    #[test]
    fn flags_and_words_are_told_apart() {
        let options = of("rw,nosuid,nodev,mode=755,size=1k,seclabel");
        assert_eq!(options.flags, MountFlags::NOSUID | MountFlags::NODEV);
        assert_eq!(options.data(), "mode=755,size=1k");
        assert_eq!(options.mode("tmpfs"), Some(0o755));
        assert_eq!(options.mode("devpts"), None);
        assert_eq!(of("").data(), "");
    }

    #[test]
    fn what_a_mount_lacks_is_named() {
        let wanted = of("nosuid,noexec,nsdelegate,memory_recursiveprot");
        let is = of("rw,nosuid,relatime,nsdelegate");
        assert_eq!(wanted.missing_in("cgroup2", &is), ["noexec", "memory_recursiveprot"]);
        // The mode of a root is looked at, not read in a list that may leave it out.
        assert!(of("mode=700").missing_in("bpf", &of("rw")).is_empty());
        assert_eq!(of("mode=620").missing_in("devpts", &of("mode=600")), ["mode=620"]);
        assert!(of("hidepid=0").missing_in("proc", &of("rw")).is_empty());
    }

    #[test]
    fn what_is_there_stays_unless_the_table_speaks_of_it() {
        let merged = of("nosuid,gid=5").over(&of("noatime,gid=0,mode=620"));
        assert_eq!(merged.data(), "mode=620,gid=5");
        assert_eq!(merged.flags, MountFlags::NOSUID | MountFlags::NOATIME);
    }
}
