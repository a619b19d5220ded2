//! Partitions, as the kernel lists them: there is no udev in an initramfs to keep links.

use std::fs;

use super::table;
use crate::Root;

/// Where the boot loader says which partition it was read from: the file of the variable, whose
/// name has systemd-boot's own number in it (systemd.io: Boot Loader Interface).
const LOADER: &str =
    "/sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const BLOCK: &str = "/sys/class/block";

/// A partition of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// `vda2`, `nvme0n1p2`
    pub name: String,
    /// `vda`, `nvme0n1`
    pub disk: String,
    /// Its place in the table, from one.
    pub number: u32,
    /// What the table calls it (GPT only).
    pub label: Option<String>,
    /// Its number in the world.
    pub uuid: Option<String>,
}

impl Partition {
    /// `/dev/vda2`
    #[must_use]
    pub fn device(&self) -> String {
        format!("/dev/{}", self.name)
    }

    fn read(name: &str, root: &Root) -> Option<Self> {
        let directory = format!("{BLOCK}/{name}");
        let number = root.line(&format!("{directory}/partition"))?.parse().ok()?;
        let uevent = root.read(&format!("{directory}/uevent")).ok()?;
        let value = |key: &str| {
            let mut lines = uevent.lines();
            lines.find_map(|line| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned()))
        };
        // /sys/class/block/vda2 is a link into the directory of its disk.
        let real = fs::canonicalize(root.path(&directory)).ok()?;
        let disk = real.parent()?.file_name()?.to_str()?.to_owned();
        let (label, uuid) = (value("PARTNAME"), value("PARTUUID"));
        let uuid = uuid.or_else(|| {
            let block = root.line(&format!("{BLOCK}/{disk}/queue/logical_block_size"));
            let sector = block.and_then(|line| line.parse().ok()).unwrap_or(512);
            table::uuid(&root.path(&format!("/dev/{disk}")), sector, number).ok().flatten()
        });
        Some(Self { name: name.to_owned(), disk, number, label, uuid })
    }
}

/// All that there are now, in the order of their names.
#[must_use]
pub fn all(root: &Root) -> Vec<Partition> {
    let entries = fs::read_dir(root.path(BLOCK)).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|it| it.file_name().into_string().ok()).collect();
    names.sort();
    names.iter().filter_map(|name| Partition::read(name, root)).collect()
}

/// The number of the partition that the boot loader was read from, where one says it.
#[must_use]
pub fn booted_from(root: &Root) -> Option<String> {
    variable(LOADER, root)
}

/// The text of a variable of the firmware: four bytes of attributes, then UTF-16.
pub fn variable(path: &str, root: &Root) -> Option<String> {
    let bytes = fs::read(root.path(path)).ok()?;
    let pairs = bytes.get(4..)?.chunks_exact(2);
    let units: Vec<u16> =
        pairs.filter_map(|pair| Some(u16::from_le_bytes(pair.try_into().ok()?))).collect();
    let text = String::from_utf16(&units).ok()?;
    Some(text.trim_end_matches('\0').to_owned())
}

/// Why there is no such partition.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// It may come yet.
    #[error("there is no partition {0}")]
    NotThere(String),
    /// Which of them is meant cannot be told.
    #[error(
        "{what} is on several disks ({}), and the firmware does not say which one it booted from: \
         take out all but one",
        .disks.join(", ")
    )]
    Several {
        /// How it was named.
        what: String,
        /// The disks.
        disks: Vec<String>,
    },
    /// It is not a way to name one.
    #[error("cannot find a partition by {0}: PARTLABEL=NAME, PARTUUID=NUMBER or /dev/NAME does")]
    Word(String),
}

/// The partition that a word of the kernel's command line means. Of two disks with one of the same
/// label (an installer beside the disk that it has written) it is on the one that was booted from.
pub fn find<'a>(
    partitions: &'a [Partition],
    word: &str,
    booted_from: Option<&str>,
) -> Result<&'a Partition, Missing> {
    let is_meant: Box<dyn Fn(&Partition) -> bool> = match word.split_once('=') {
        Some(("PARTLABEL", label)) => Box::new(move |it| it.label.as_deref() == Some(label)),
        Some(("PARTUUID", uuid)) => {
            Box::new(move |it| it.uuid.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(uuid)))
        }
        None if word.starts_with("/dev/") => Box::new(move |it| it.device() == word),
        _ => return Err(Missing::Word(word.to_owned())),
    };
    let is_loader = |it: &&Partition| {
        let uuids = it.uuid.as_deref().zip(booted_from);
        uuids.is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
    };
    let mut loaders = partitions.iter().filter(is_loader);
    let booted = match (loaders.next(), loaders.next()) {
        (Some(one), None) => Some(&one.disk),
        // Two disks with the same numbers are no answer.
        _ => None,
    };
    let found: Vec<_> = partitions.iter().filter(|it| is_meant(it)).collect();
    match found.as_slice() {
        [] => Err(Missing::NotThere(word.to_owned())),
        [one] => Ok(one),
        many => many.iter().find(|it| Some(&it.disk) == booted).copied().ok_or_else(|| {
            let disks = many.iter().map(|it| it.disk.clone()).collect();
            Missing::Several { what: word.to_owned(), disks }
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Machine;

    fn partition(name: &str, disk: &str, label: &str, uuid: &str) -> Partition {
        let [name, disk] = [name, disk].map(str::to_owned);
        Partition {
            name,
            disk,
            number: 1,
            label: Some(label.to_owned()),
            uuid: Some(uuid.to_owned()),
        }
    }

    #[test]
    fn partitions_are_read_with_their_disk() {
        let device = "/sys/devices/pci0/block/nvme0n1/nvme0n1p2";
        let machine = Machine::new(&[
            (&format!("{device}/partition"), "2\n"),
            (
                &format!("{device}/uevent"),
                "DEVNAME=nvme0n1p2\nPARTN=2\nPARTUUID=AB\nPARTNAME=root-a\n",
            ),
            ("/sys/devices/pci0/block/nvme0n1/uevent", "DEVTYPE=disk\n"),
        ]);
        fs::create_dir_all(machine.root().path("/sys/class/block")).unwrap();
        for name in ["nvme0n1", "nvme0n1/nvme0n1p2"] {
            let link = machine
                .root()
                .path(&format!("/sys/class/block/{}", name.rsplit('/').next().unwrap()));
            symlink(format!("../../devices/pci0/block/{name}"), link).unwrap();
        }
        let mut expected = partition("nvme0n1p2", "nvme0n1", "root-a", "AB");
        expected.number = 2;
        assert_eq!(all(&machine.root()), [expected]);
    }

    #[test]
    fn what_the_loader_says_is_understood() {
        let machine = Machine::new(&[]);
        assert_eq!(booted_from(&machine.root()), None);
        let mut bytes = vec![6, 0, 0, 0];
        bytes.extend("5F-A\0".encode_utf16().flat_map(u16::to_le_bytes));
        fs::create_dir_all(machine.root().path(LOADER).parent().unwrap()).unwrap();
        fs::write(machine.root().path(LOADER), bytes).unwrap();
        assert_eq!(booted_from(&machine.root()).as_deref(), Some("5F-A"));
    }

    #[test]
    fn a_word_means_one_partition() {
        let all = [partition("sda1", "sda", "esp", "11"), partition("sda2", "sda", "root-a", "22")];
        for word in ["PARTLABEL=root-a", "PARTUUID=22", "/dev/sda2"] {
            assert_eq!(find(&all, word, None).map(|it| it.name.as_str()), Ok("sda2"), "{word}");
        }
        assert!(matches!(find(&all, "PARTLABEL=root-b", None), Err(Missing::NotThere(_))));
        for word in ["LABEL=x", "vda", "UUID=1"] {
            assert!(matches!(find(&all, word, None), Err(Missing::Word(_))), "{word}");
        }
    }

    #[test]
    fn of_two_disks_it_is_the_one_that_was_booted_from() {
        let mut all = vec![
            partition("sda1", "sda", "esp", "aa"),
            partition("sda2", "sda", "root-a", "1"),
            partition("sdb1", "sdb", "esp", "BB"),
            partition("sdb2", "sdb", "root-a", "2"),
        ];
        let word = "PARTLABEL=root-a";
        assert_eq!(find(&all, word, Some("bb")).map(|it| it.name.as_str()), Ok("sdb2"));
        let disks = ["sda", "sdb"].map(str::to_owned).to_vec();
        let several = Err(Missing::Several { what: word.to_owned(), disks });
        assert_eq!(find(&all, word, None), several);
        // Copied by dd, and not booted from since: the same numbers.
        if let Some(esp) = all.get_mut(2) {
            esp.uuid = Some("aa".to_owned());
        }
        assert_eq!(find(&all, word, Some("aa")), several);
    }
}
