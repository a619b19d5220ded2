//! The daemons that the demonstration does without, each by its shipped definition. Each step says
//! its rule first.

use crate::guest::Guest;

/// Users that the packages would have made.
const USERS: &str = "
messagebus:x:110:110::/nonexistent:/bin/false
etcd:x:111:111::/var/lib/etcd:/bin/false
dhcpcd:x:112:65534::/usr/lib/dhcpcd:/bin/false
";
/// The other end of a network without any other machine: an NTP server that has the clock of this
/// one, and says so on a port of its own.
const TIME_SERVER: &str = "
local stratum 5
allow 127.0.0.1
port 11123
cmdport 0
bindcmdaddress /
pidfile /run/chrony/server.pid
driftfile /run/chrony/server.drift
";
/// An iSCSI target of the kernel's own, which has a disk of the machine.
const TARGET: &str = "
set -e
modprobe -a iscsi_tcp iscsi_target_mod target_core_file
grep -q /sys/kernel/config /proc/mounts || mount -t configfs none /sys/kernel/config
target=/sys/kernel/config/target
mkdir -p $target/core/fileio_0/disk $target/iscsi
echo fd_dev_name=/dev/vdc,fd_dev_size=33554432 > $target/core/fileio_0/disk/control
echo 1 > $target/core/fileio_0/disk/enable
group=$target/iscsi/iqn.2026-01.org.example:disk/tpgt_1
mkdir -p $group/np/127.0.0.1:3260 $group/lun/lun_0
ln -s $target/core/fileio_0/disk $group/lun/lun_0/disk
echo 0 > $group/attrib/authentication
echo 1 > $group/attrib/generate_node_acls
echo 0 > $group/attrib/demo_mode_write_protect
echo 1 > $group/enable
";

/// Where a CSI driver has mounted a volume for a pod.
const VOLUME: &str = "/var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/pvc-1/mount";
/// What is written there, before and after iscsid is another one.
pub const VOLUME_HOLDS: &str = "before\nafter\n";

/// Packages make users; here nobody else does.
pub fn prepare(guest: &mut Guest) {
    write(guest, "/tmp/users", USERS);
    guest.run("grep . /tmp/users >> /etc/passwd && dbus-uuidgen --ensure=/etc/machine-id");
}

/// A driver is loaded because its device is there, by the name that the device goes by.
pub fn coldplug_loads_drivers(guest: &mut Guest) {
    assert_eq!(interface(guest), "", "the kernel has it built in: this would show nothing");
    guest.run("svc start udev-coldplug");
    let interface = interface(guest);
    assert_ne!(interface, "");
    let properties = guest.run(&format!("udevadm info /sys/class/net/{interface}"));
    assert!(properties.contains("ID_NET_DRIVER=virtio_net"), "{properties}");
    comes_back(guest, "udevd");
}

/// Address, route and resolver come from the server, and a new client gets them again.
pub fn dhcp_configures_the_interface(guest: &mut Guest) {
    guest.run("svc start network-dhcp");
    for _ in 0..2 {
        let addresses = guest.run("ip -4 address show scope global");
        assert!(addresses.contains("10.0.2.15/24"), "{addresses}");
        // Written by dhcpcd's hooks, right after the routes.
        guest.run("until grep -q 'nameserver 10.0.2.3' /etc/resolv.conf; do sleep 0.1; done");
        guest.run("ping -c 1 -W 20 10.0.2.2");
        guest.run("svc restart dhcpcd && svc restart network-dhcp");
    }
    // Other interfaces are somebody else's.
    guest.run("ip link add cni0 type veth && ip link set cni0 up && ip link set veth0 up");
    comes_back(guest, "dhcpcd");
    let said = guest.run("svc logs dhcpcd");
    assert!(!said.contains("veth0") && !said.contains("cni0"), "{said}");
}

/// One takes the other's place; what the file says is what there is.
pub fn a_static_network_takes_its_place(guest: &mut Guest) {
    let interface = interface(guest).trim().to_owned();
    let lines = format!(
        "# This node.\n\nlink set {interface} up\naddress replace 10.0.2.77/24 dev {interface}\n\
         route replace default via 10.0.2.2 dev {interface}"
    );
    write(guest, "/etc/cooper/network", &lines);
    guest.run("svc start --force network-static");
    assert_eq!(state(guest, "network-dhcp"), "down");
    assert_eq!(state(guest, "dhcpcd"), "down");
    let addresses = guest.run("ip -4 address show scope global");
    assert!(addresses.contains("10.0.2.77/24"), "{addresses}");
    guest.run("ping -c 1 -W 20 10.0.2.2");
}

/// Where nobody knows the time, `time-sync` says so; where somebody does, it waits for them.
pub fn time_sync_is_honest(guest: &mut Guest) {
    let short = "/etc/cooper/services/time-sync.toml.d/short.toml";
    guest.run(&format!("mkdir -p {short} && rmdir {short}"));
    write(guest, short, "[ready]\ntimeout = \"3s\"");
    guest.run("svc apply");
    let (status, text) = guest.try_run("svc start time-sync");
    assert_ne!(status, 0, "chronyd's own idea of the time is nobody's: {text}");
    assert_eq!(state(guest, "time-sync"), "failed");

    write(guest, "/etc/chrony/server.conf", TIME_SERVER);
    guest.run("chronyd -x -f /etc/chrony/server.conf");
    guest.run("echo server 127.0.0.1 port 11123 iburst >> /etc/chrony/chrony.conf");
    guest.run(&format!("rm {short} && svc apply && svc restart chronyd && svc start time-sync"));
    assert_eq!(state(guest, "time-sync"), "done");
    // What it is a moment later is chronyd's affair: on a busy machine, two chronyds that share one
    // clock may find each other odd.
    guest.run_until("svc logs -n 1 time-sync", |said| said.contains("refid: 7F000001"));
    guest.run("svc reload chronyd");
}

/// The name is made once; sessions are the kernel's, whatever becomes of iscsid.
pub fn iscsi_sessions_outlive_iscsid(guest: &mut Guest) {
    write(guest, "/tmp/target", TARGET);
    guest.run("sh /tmp/target");
    guest.run("svc start iscsid");
    let name = guest.run("cat /etc/iscsi/initiatorname.iscsi");
    assert!(name.starts_with("InitiatorName=iqn."), "{name}");
    assert_eq!(guest.run("stat -c %a /etc/iscsi/initiatorname.iscsi"), "600\n");
    guest.run("svc restart iscsi-initiator-name");
    assert_eq!(guest.run("cat /etc/iscsi/initiatorname.iscsi"), name);

    guest.run("iscsiadm -m discovery -t sendtargets -p 127.0.0.1");
    guest.run("iscsiadm -m node --login");
    let session = "cat /sys/class/iscsi_session/*/state";
    assert_eq!(guest.run(session), "LOGGED_IN\n");
    a_volume_is_mounted(guest);
    guest.run("svc start iscsi-sessions pods");
    guest.run("svc stop --force iscsid");
    assert_eq!(state(guest, "iscsi-sessions"), "down");
    assert_eq!(guest.run(session), "LOGGED_IN\n", "stopping it is not logging out");
    guest.run("svc start iscsi-sessions");
    comes_back(guest, "iscsid");
    guest.run("svc restart iscsid");
    // Each iscsid makes sure of what it took over, and connects anew.
    guest.run(&format!("until {session} | grep -q LOGGED_IN; do sleep 0.1; done"));
    let sessions = guest.run("iscsiadm -m session");
    assert!(sessions.contains("iqn.2026-01.org.example:disk"), "taken over: {sessions}");
    // Its file system is read and written as before. It stays until the node goes down.
    guest.run(&format!("echo after >> {VOLUME}/file; sync; echo 3 > /proc/sys/vm/drop_caches"));
    assert_eq!(guest.run(&format!("cat {VOLUME}/file")), VOLUME_HOLDS);
}

/// What the session brings is a disk like any other.
fn a_volume_is_mounted(guest: &mut Guest) {
    let disk = "/sys/class/iscsi_session/*/device/target*/*/block/*";
    guest.run(&format!(
        "until ls -d {disk} 2> /dev/null; do sleep 0.1; done; disk=/dev/$(basename {disk}); \
         mke2fs -q -t ext4 $disk && mkdir -p {VOLUME} && mount $disk {VOLUME} && \
         echo before > {VOLUME}/file"
    ));
}

/// A key opens a session, which a restart leaves alone; a configuration that is wrong is refused.
pub fn ssh_sessions_outlive_sshd(guest: &mut Guest) {
    guest.run(
        "mkdir -p -m 700 /root/.ssh && mkfifo /tmp/go && \
         ssh-keygen -q -N '' -t ed25519 -f /root/.ssh/id_ed25519 && \
         cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys",
    );
    guest.run(
        "ssh -n -o StrictHostKeyChecking=no root@127.0.0.1 \
         'echo $$ > /tmp/session; read word < /tmp/go; echo still $word > /tmp/said' \
         > /dev/null 2>&1 &",
    );
    guest.run("until test -s /tmp/session; do sleep 0.1; done");
    let pid = guest.pid("sshd");
    guest.run("svc restart sshd");
    assert_ne!(guest.pid("sshd"), pid);
    guest.run("kill -0 $(cat /tmp/session) && echo here > /tmp/go");
    assert_eq!(
        guest.run("until test -s /tmp/said; do sleep 0.1; done; cat /tmp/said"),
        "still here\n"
    );

    let pid = guest.pid("sshd");
    guest.run("cp /etc/ssh/sshd_config /tmp && echo Nonsense yes >> /etc/ssh/sshd_config");
    let (status, said) = guest.try_run("svc reload sshd");
    assert!(status == 1 && said.contains("its reload command failed"), "{status}: {said}");
    assert_eq!(guest.pid("sshd"), pid);
    let said = guest.run("svc logs sshd");
    assert!(said.contains("Bad configuration option: Nonsense"), "{said}");
    guest.run("cp /tmp/sshd_config /etc/ssh && svc reload sshd");
    assert_eq!(guest.pid("sshd"), pid);
}

/// Clients are served, and know the bus by its address.
pub fn the_bus_answers(guest: &mut Guest) {
    guest.run("svc start dbus");
    let list = "dbus-send --system --print-reply --dest=org.freedesktop.DBus \
                /org/freedesktop/DBus org.freedesktop.DBus.ListNames";
    assert!(guest.run(list).contains("org.freedesktop.DBus"));
    guest.run("svc reload dbus");
    let pid = guest.pid("dbus");
    assert_eq!(guest.run(&format!("stat -c %U /proc/{pid}")), "messagebus\n");
    comes_back(guest, "dbus");
    assert!(guest.run(list).contains("org.freedesktop.DBus"));
}

/// What a program says to /dev/log is in our log.
pub fn syslog_is_logged(guest: &mut Guest) {
    guest.run("svc start syslog");
    guest.run("busybox logger -t probe the first word");
    comes_back(guest, "syslog");
    guest.run("busybox logger -t probe the last word");
    guest.run(
        "timeout 60 sh -c 'until /usr/bin/svc logs syslog | grep -q last; do sleep 0.1; done'",
    );
    let said = guest.run("svc logs syslog");
    assert!(said.contains("probe: the first word"), "{said}");
}

/// It keeps what it was given.
pub fn etcd_keeps_its_data(guest: &mut Guest) {
    guest.run("svc start etcd");
    let ask = |what: &str, body: &str| {
        format!("wget -q -O - --post-data='{body}' http://127.0.0.1:2379/v3/kv/{what}")
    };
    guest.run(&ask("put", r#"{"key":"a2V5","value":"dmFsdWU="}"#));
    comes_back(guest, "etcd");
    guest.run("svc restart etcd");
    let found = guest.run(&ask("range", r#"{"key":"a2V5"}"#));
    assert!(found.contains("dmFsdWU="), "{found}");
    let pid = guest.pid("etcd");
    let limits = guest.run(&format!("grep 'open files' /proc/{pid}/limits"));
    assert!(limits.contains("40000"), "{limits}");
    assert_eq!(guest.run(&format!("cat /proc/{pid}/oom_score_adj")), "-997\n");
    assert_eq!(guest.run(&format!("cat /proc/{pid}/cgroup")), "0::/podruntime/etcd\n");
    guest.run("svc stop etcd");
    assert_eq!(state(guest, "etcd"), "down");
}

/// Each console that the kernel was told of, and the screen, has a login; no other has.
pub fn each_console_has_a_login(guest: &mut Guest) {
    // The node's own, which asks nobody who they are.
    guest.run("rm /etc/cooper/services/getty@.toml");
    let node = guest.run("cat /etc/cooper/node.toml");
    // The network is named, too: what is ordered after one is so after the one that is chosen.
    let wanted = ["network-static", "getty@ttyS1", "getty@ttyS2", "getty@tty1"];
    let wanted = format!("services = {wanted:?}");
    write(guest, "/etc/cooper/node.toml", &format!("{wanted}\n{node}"));
    guest.run("svc apply && svc start default");
    for (console, expected) in
        [("ttyS0", "ready"), ("ttyS1", "ready"), ("tty1", "ready"), ("ttyS2", "skipped")]
    {
        assert_eq!(state(guest, &format!("getty@{console}")), expected, "{console}");
    }
    guest.console_says("login: ");
    guest.types("root");
    // What is typed before the shell is there is thrown away.
    guest.console_says("login: root\nnode:");
    guest.types("echo logged in as $(id -un), $((40 + 2))");
    guest.console_says("logged in as root, 42");
    guest.types("exit");
}

/// Whatever looks after devices: they have the group that its configuration says.
pub fn mdev_sets_groups(guest: &mut Guest) {
    write(guest, "/etc/mdev.conf", "zero root:tty 0660");
    assert_eq!(guest.run("stat -c %G:%a /dev/zero"), "root:666\n");
    guest.run("svc start --force mdev-coldplug");
    assert_eq!(guest.run("stat -c %G:%a /dev/zero"), "tty:660\n");
    assert_eq!(state(guest, "udevd"), "down", "there is one of them at a time");
    comes_back(guest, "mdev");
}

/// Killed, it is started again by itself, and is ready again by the same sign as before.
fn comes_back(guest: &mut Guest, name: &str) {
    let incarnation = guest.service(name)["incarnation"].as_u64().expect("a number");
    let pid = guest.pid(name);
    guest.run(&format!("kill -9 {pid} && svc start {name}"));
    let service = guest.service(name);
    assert_eq!(service["incarnation"].as_u64(), Some(incarnation + 1), "{service}");
    assert_eq!(service["last_end"]["signal"], 9, "{service}");
    assert_eq!(service["state"], "ready", "{service}");
    assert_ne!(service["pid"].as_u64(), Some(pid));
}

/// `svc status NAME` says by its exit status, too, whether it is up: this takes any state.
fn state(guest: &mut Guest, name: &str) -> String {
    let services = guest.services();
    let service = services.iter().find(|service| service["name"] == name).expect("a service");
    service["state"].as_str().expect("a word").to_owned()
}

/// The interface that is no loopback; empty: none.
fn interface(guest: &mut Guest) -> String {
    guest.run("ls -d /sys/class/net/* | sed -e 's,.*/,,' -e '/^lo$/d' -e '/^veth/d' -e '/^cni/d'")
}

fn write(guest: &mut Guest, path: &str, text: &str) {
    assert!(!text.contains('\''));
    guest.run(&format!("echo '{text}' > {path}"));
}
