//! A node on a disk of `node-image build disk`, which UEFI boots. Each step says its rule first.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use crate::guest::Guest;

/// The disk that it is written to is larger than the image.
const DISK_BYTES: u64 = 6 << 30;
/// Four boots by way of UEFI, and three times the ten seconds for whoever reads the screen.
const RESTARTS: Duration = Duration::from_secs(600);
/// What a root has on it that is not in the image.
const KEPT: &str = "/etc/kept";

/// What `tests/disks` has built.
fn built(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("DISK").expect("DISK names what tests/disks has built"))
        .join(name)
}

/// A disk of its own, with the image at its beginning, and files as further disks.
pub fn boot(arch: &str, more: &[&str]) -> Guest {
    let (image, disk) = (built(&format!("{arch}.img")), built(&format!("{arch}.disk")));
    fs::copy(&image, &disk).expect("room for a disk");
    let file = File::options().write(true).open(&disk).expect("the copy");
    file.set_len(DISK_BYTES).expect("a sparse file");
    let more: Vec<PathBuf> = more.iter().map(|name| built(name)).collect();
    Guest::boot_disk(arch, &disk, &more)
}

/// What `node-image build netboot` makes.
pub fn boot_network(arch: &str) -> Guest {
    Guest::boot_network(&built(&format!("{arch}.netboot")))
}

/// The root is memory, and all that it is for comes up.
pub fn nothing_is_kept(guest: &mut Guest) {
    for (service, state) in [("sshd", "ready"), ("network-dhcp", "done")] {
        guest.run(&format!("svc start {service}"));
        assert_eq!(guest.service(service)["state"], state, "{service}");
    }
    let root = guest.run("awk '$2 == \"/\" { print $3 }' /proc/mounts");
    assert!(matches!(root.trim(), "rootfs" | "tmpfs"), "{root}");
    assert_eq!(guest.run("ls /sys/class/block | grep -v loop | wc -l").trim(), "0");
    it_has_an_identity(guest);
}

/// Everything that the node is for comes up, and then the root is known to be good. Not what needs
/// the world's time, as there is none.
pub fn everything_is_up(guest: &mut Guest) {
    guest.run("svc start bless-boot");
    for (service, state) in [("sshd", "ready"), ("grow-data", "done"), ("network-dhcp", "done")] {
        guest.run(&format!("svc start {service}"));
        assert_eq!(guest.service(service)["state"], state, "{service}");
    }
    for service in guest.services() {
        assert!(service["state"] != "failed" || service["name"] == "time-sync", "{service}");
    }
}

/// The root is the image, in this slot: nobody writes to it, but to what has to be written to.
pub fn the_root_is_an_image(guest: &mut Guest, slot: &str) {
    let root = guest.run("awk '$2 == \"/\" { print $1, $3, $4 }' /proc/mounts | tail -n 1");
    let words: Vec<&str> = root.split_whitespace().collect();
    let [device, fstype, options] = words[..] else { panic!("{root}") };
    assert_eq!(fstype, "erofs");
    assert!(options.split(',').any(|option| option == "ro"), "{root}");
    let event =
        guest.run(&format!("cat /sys/class/block/{}/uevent", device.trim_start_matches("/dev/")));
    assert!(event.contains(&format!("PARTNAME=root-{slot}")), "{event}");
    guest.run("! touch /usr/x 2> /dev/null");
    for directory in ["/etc", "/var/lib", "/root", "/opt", "/home", "/srv", "/mnt"] {
        guest.run(&format!("touch {directory}/x && rm {directory}/x"));
    }
}

/// At the first boot what the node keeps gets the whole disk, and numbers of its own.
pub fn data_fills_the_disk(guest: &mut Guest) {
    let mib: u64 =
        guest.run("df -m /var | awk 'END { print $2 }'").trim().parse().expect("a number");
    assert!(mib > 2000, "/var has {mib} MiB");
    let table = guest.run("sfdisk --verify /dev/vda; sfdisk --dump /dev/vda");
    assert!(table.contains("No errors detected"), "{table}");
    let image = node_image::disk::partitions::read(&built("x86_64.img")).expect("a table");
    assert!(!table.contains(&image[0].uuid), "the number of the esp is still the image's: {table}");
}

/// Each machine makes its own: an identity that is copied is none.
pub fn it_has_an_identity(guest: &mut Guest) -> String {
    guest.run("ls /etc/ssh/ssh_host_ed25519_key > /dev/null");
    let id = guest.run("cat /etc/machine-id");
    assert_eq!(id.trim().len(), 32, "{id}");
    guest.run(&format!("echo {id} > {KEPT}", id = id.trim()));
    id
}

/// … and stays what it was, whichever root it boots.
pub fn it_has_kept(guest: &mut Guest, id: &str) {
    assert_eq!(guest.run("cat /etc/machine-id"), id);
    assert_eq!(guest.run(&format!("cat {KEPT}")), id);
}

/// A service of the node's own, which no image has.
pub fn the_administrator_adds_a_service(guest: &mut Guest) {
    let directory = "/etc/cooper/services";
    guest.run(&format!("mkdir -p {directory}"));
    guest.run(&format!("echo 'exec = [\"sleep\", \"1000\"]' > {directory}/mine.toml"));
    guest.run("svc apply");
    it_has_the_administrators_service(guest);
}

/// … and it goes with the services of whichever image boots: graphs are compiled anew.
pub fn it_has_the_administrators_service(guest: &mut Guest) {
    guest.run("svc start mine");
    assert_eq!(guest.service("mine")["state"], "ready");
}

/// What the loader has: the counter is off what has booted, and at its end on what has not.
pub fn the_loader_has(guest: &mut Guest, entries: &[&str]) {
    let list = "mkdir -p /run/look && mount -o ro /dev/vda1 /run/look && ls /run/look/EFI/Linux && \
                umount /run/look";
    let found = guest.run(list);
    let found: Vec<&str> = found.lines().collect();
    assert_eq!(found, entries);
}

/// An upgrade fills the other slot; what is no upgrade changes nothing.
pub fn an_upgrade_is_taken(guest: &mut Guest, device: &str) {
    let (status, text) =
        guest.try_run("node=/usr/lib/cooper/node-setup; $node disk upgrade /etc/passwd");
    assert!(status == 111 && text.contains("cannot read /etc/passwd"), "{status}: {text}");
    let text = guest.run(&format!("/usr/lib/cooper/node-setup disk upgrade {device}"));
    assert!(text.contains("boots next time, 3 attempts"), "{text}");
}

/// A root that does not come up is tried three times, then the last one boots again, by itself.
pub fn a_root_that_does_not_come_up_gives_way(guest: &mut Guest) {
    let before = guest.console().len();
    restart(guest, "a");
    let console = guest.console();
    let shown = console.get(before..).unwrap_or_default();
    let attempts = shown.matches("initrd: fatal: cannot run /usr/lib/cooper/init").count();
    assert_eq!(attempts, 3, "{shown}");
}

/// Another root boots, and comes up.
pub fn a_root_that_comes_up_stays(guest: &mut Guest) {
    restart(guest, "b");
}

/// Restarts it, and waits until it has come up in a slot.
fn restart(guest: &mut Guest, slot: &str) {
    // Until the last moment the one that goes down answers, too.
    guest.run("echo goes down > /run/booted");
    guest.send("svc reboot");
    let booted = "cat /run/booted 2> /dev/null || cat /proc/cmdline";
    let word = format!("root=PARTLABEL=root-{slot} ");
    guest.run_within(RESTARTS, booted, |text| text.contains(&word));
    everything_is_up(guest);
}
