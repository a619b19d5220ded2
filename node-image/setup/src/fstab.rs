//! `/etc/fstab`.

use crate::Root;

/// One line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A device, or what the type takes for one: `UUID=…`, `LABEL=…`, `server:/path`, `tmpfs`.
    pub device: String,
    /// Where; `none` for swap.
    pub at: String,
    /// The type; `swap`, `auto`.
    pub fstype: String,
    /// Options.
    pub options: Vec<String>,
    /// When fsck(8) looks at it: first 1, then 2; not at all 0.
    pub pass: u32,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let mut fields = line.split_ascii_whitespace();
        let mut next = || fields.next().map(unescaped);
        let (device, at, fstype) = (next()?, next()?, next()?);
        let options = next().unwrap_or_else(|| "defaults".to_owned());
        let options = options.split(',').map(str::to_owned).collect();
        let pass = fields.nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        Some(Self { device, at, fstype, options, pass })
    }

    /// It has this option.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|other| other == option)
    }

    /// It is swap, and not a file system.
    #[must_use]
    pub fn is_swap(&self) -> bool {
        self.fstype == "swap"
    }

    /// It is mounted by whoever needs it.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        self.has("noauto") || self.fstype == "ignore" || self.at == "none"
    }

    /// It needs the network.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        const REMOTE: [&str; 7] =
            ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.sshfs"];
        self.has("_netdev") || REMOTE.contains(&self.fstype.as_str())
    }
}

/// All of it, in order; none if there is no such file.
#[must_use]
pub fn read(root: &Root) -> Vec<Entry> {
    let text = root.read("/etc/fstab").unwrap_or_default();
    text.lines().filter_map(Entry::parse).collect()
}

/// `\040` is a blank: as in /proc/self/mounts.
fn unescaped(text: &str) -> String {
    crate::mountinfo::unescaped(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Machine;

    #[test]
    fn lines_are_read_as_mount_reads_them() {
        let text = "# a comment\n\nUUID=1 / ext4 errors=remount-ro 0 1\n\
                    /dev/sdb1\t/mnt/a\\040b xfs defaults,nofail 0 2\n/swapfile none swap sw 0 0\n\
                    srv:/x /x nfs ro\nbroken\n/dev/cdrom /cd iso9660 ro,noauto\n";
        let machine = Machine::new(&[("/etc/fstab", text)]);
        let entries = read(&machine.root());
        assert_eq!(entries.len(), 5);
        assert_eq!((entries[0].at.as_str(), entries[0].pass), ("/", 1));
        assert!(entries[1].at == "/mnt/a b" && entries[1].has("nofail"));
        assert!(entries[2].is_swap() && entries[2].is_left_alone());
        assert!(entries[3].is_remote() && !entries[3].is_left_alone());
        assert!(entries[4].is_left_alone() && !entries[4].is_remote());
    }
}
