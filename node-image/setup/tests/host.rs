//! `node-setup` itself, as a process, on machines that are namespaces of this one. They need root;
//! in CI they must run.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use std::process::Command;

/// Runs a shell script in namespaces of its own (`unshare`'s options), with `node-setup` in its
/// `PATH`, and an /etc and a /run that are empty. What it prints; none if we are not root.
fn machine(options: &[&str], script: &str) -> Option<String> {
    if !tests::may_unshare() {
        return None;
    }
    let program = env!("CARGO_BIN_EXE_node-setup");
    let above = std::path::Path::new(program).parent().unwrap().display();
    let set_up =
        "set -eu; mount -t tmpfs tmpfs /etc; mount -t tmpfs tmpfs /run; export COOPER_SETUP={};";
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .args(options)
        .args(["--", "sh", "-c", &format!("{set_up} PATH={above}:$PATH; {script}")])
        .output()
        .expect("unshare");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{}:\n{text}", output.status);
    Some(text)
}

#[test]
fn the_loopback_interface_comes_up_with_its_addresses() {
    // A new network namespace has one that is down. The second run finds nothing to do.
    let script = "mount -t sysfs sysfs /sys; node-setup loopback; node-setup loopback";
    let Some(text) = machine(&["--net"], script) else { return };
    assert!(text.contains("loopback: lo: down → up"), "{text}");
    assert!(text.contains("127.0.0.1: ") || text.contains("1 changed"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("0 changed") && last.contains("0 could not"), "{text}");
}

#[test]
fn an_address_that_somebody_took_away_comes_back() {
    if !tests::needs("iproute2", Command::new("ip").arg("-V").output().is_ok()) {
        return;
    }
    let script = "mount -t sysfs sysfs /sys; node-setup loopback; ip address flush dev lo;
                  node-setup loopback; ip -brief address show lo";
    let Some(text) = machine(&["--net"], script) else { return };
    assert!(text.contains("lo, 127.0.0.1: absent → there"), "{text}");
    assert!(text.lines().last().unwrap().contains("127.0.0.1/8"), "{text}");
}

#[test]
fn the_name_is_the_kernels() {
    let script = "echo web-7 > /etc/hostname; node-setup hostname; uname -n";
    let Some(text) = machine(&["--uts"], script) else { return };
    assert!(text.ends_with("\nweb-7\n"), "{text}");
}

#[test]
fn a_root_that_cannot_be_written_to_has_an_id_for_now_and_keeps_it_later() {
    let script = "echo uninitialized > /etc/machine-id; mount -o remount,ro /etc;
                  bound() { grep -c ' /etc/machine-id ' /proc/mounts || :; };
                  node-setup machine-id; cat /etc/machine-id; bound;
                  node-setup machine-id; mount -o remount,rw /etc;
                  node-setup machine-id; cat /etc/machine-id; bound";
    let Some(text) = machine(&[], script) else { return };
    assert!(text.contains("the next boot makes another id"), "{text}");
    assert!(text.contains("for this boot → kept"), "{text}");
    let is_id = |line: &&str| line.len() == 32 && line.bytes().all(|it| it.is_ascii_hexdigit());
    let ids: Vec<&str> = text.lines().filter(is_id).collect();
    assert!(matches!(ids[..], [one, other] if one == other), "{text}");
    let counts: Vec<&str> = text.lines().filter(|line| line.len() == 1).collect();
    assert_eq!(counts, ["1", "0"], "{text}");
}

#[test]
fn limits_reach_process_1_and_what_it_starts() {
    let script = r#"export COOPER_SETUP='{"limits":{"core":"7:9","memlock":"65536"}}';
                    node-setup limits; node-setup limits; grep core /proc/1/limits"#;
    let Some(text) = machine(&["--pid", "--fork", "--mount-proc"], script) else { return };
    assert!(text.contains("core of init: "), "{text}");
    assert!(text.contains("0 changed, 2 already so"), "{text}");
    let words = |name: &str| -> Vec<&str> {
        let line = text.lines().rfind(|line| line.starts_with(name)).unwrap_or_default();
        line.split_ascii_whitespace().skip_while(|it| it.parse::<u64>().is_err()).collect()
    };
    assert_eq!(words("Max core file size").get(..2), Some(&["7", "9"][..]), "{text}");
}

/// A fstab, an fsck that ends as it is told to, and what becomes of the mounts.
fn mounted(fsck: &str) -> Option<(String, Vec<String>)> {
    let script = format!(
        "mkdir -p /run/bin /run/a /run/b /run/c; printf '#!/bin/sh\\n{fsck}\\n' > /run/bin/fsck;
         chmod +x /run/bin/fsck; export PATH=/run/bin:$PATH;
         echo 'tmpfs /run/a tmpfs size=1m 0 2' > /etc/fstab;
         echo 'tmpfs /run/b tmpfs size=1m,nofail 0 0' >> /etc/fstab;
         echo '/dev/not-there /run/c ext4 nofail 0 0' >> /etc/fstab;
         node-setup filesystems || echo exit $?; echo; grep -o ' /run/[abc] ' /proc/mounts || :"
    );
    let text = machine(&[], &script)?;
    let at = text.lines().filter(|line| line.starts_with(" /run/")).map(|it| it.trim().to_owned());
    let at = at.collect();
    Some((text, at))
}

#[test]
fn what_fstab_lists_is_checked_and_mounted() {
    let Some((text, at)) = mounted("exit 0") else { return };
    assert_eq!(at, ["/run/a", "/run/b"], "{text}");
    assert!(text.contains("info: cannot mount /run/c: "), "nofail is no warning: {text}");
    assert!(!text.contains("exit "), "{text}");
    let Some((text, at)) = mounted("exit 1") else { return };
    assert!(text.contains("with errors → mended") && at.len() == 2, "{text}");
}

#[test]
fn what_fsck_could_not_mend_is_not_mounted() {
    for (code, why) in [(2, "restart the machine"), (4, "run it by hand"), (12, "run it by hand")] {
        let Some((text, at)) = mounted(&format!("exit {code}")) else { return };
        assert_eq!(at, ["/run/b"], "{text}");
        assert!(text.contains(why) && text.contains("exit 111"), "{code}: {text}");
    }
}

#[test]
fn files_of_packages_are_made_for_their_owners() {
    let script = "mkdir /etc/tmpfiles.d; echo 'root:x:0:0::/:/bin/sh' > /etc/passwd;
                  echo 'utmp:x:43:' > /etc/group; ln -s /dev/null /etc/tmpfiles.d/systemd.conf;
                  echo 'f /run/utmp 0664 root utmp -' > /etc/tmpfiles.d/zz.conf;
                  echo 'c /run/null 0666 - - - 1:3' >> /etc/tmpfiles.d/zz.conf;
                  node-setup tmpfiles; stat -c '%a %u %g' /run/utmp; echo x > /run/null;
                  node-setup tmpfiles";
    let Some(text) = machine(&[], script) else { return };
    assert!(text.contains("\n664 0 43\n"), "{text}");
}
