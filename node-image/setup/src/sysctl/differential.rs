//! `sysctl.d` against the real systemd-sysctl: random files in random directories, read by both,
//! must come to the same values. Each has network and mount namespaces to itself.
//!
//! Not `net.ipv4.conf`: there the kernel copies what `default` gets to each interface that nobody
//! has written to, and systemd-sysctl does not write what is there already; so what it comes to
//! depends on what it was, while here what the files say is looked at once more at the end.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use proptest::sample::select;

use super::apply;
use crate::{Report, Root};
use facts::section::Sysctls;

const DIRECTORIES: [&str; 3] = ["etc/sysctl.d", "run/sysctl.d", "usr/lib/sysctl.d"];
const NAMES: [&str; 4] = ["10-a.conf", "20-b.conf", "20-b2.conf", "99-z.conf"];
const KEYS: [&str; 2] = ["max_addresses", "dad_transmits"];
/// Interfaces that there are, one that there is not, and patterns.
const INTERFACES: [&str; 14] = [
    "all", "default", "lo", "a.1", "lxc1", "gone", "*", "a*", "l*", "lxc?", "[al]*", "[!l]*", "?o",
    "a.*",
];

/// Binds the files over the machine's own, sets them, and prints each `INTERFACE KEY VALUE`.
const SCRIPT: &str = "set -e
mount -t tmpfs tmpfs /run
mkdir -p /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d
for d in etc/sysctl.d run/sysctl.d usr/lib/sysctl.d; do
  mkdir -p \"$1/$d\"
  mount --bind \"$1/$d\" \"/$d\"
done
ip link add a.1 type veth peer name lxc1
r=$1; shift
\"$@\" > \"$r/said\" 2>&1 || true
cd /proc/sys/net/ipv6/conf
for i in *; do for k in max_addresses dad_transmits; do
  echo \"$i $k $(cat \"$i/$k\")\"
done; done";

type Files = BTreeMap<(&'static str, &'static str), Vec<String>>;
type Values = BTreeMap<(String, String), String>;

fn line() -> impl Strategy<Value = String> {
    let key = (select(&INTERFACES[..]), select(&KEYS[..]), any::<bool>());
    let key = key.prop_map(|(interface, key, is_dotted)| match is_dotted {
        true => format!("net.ipv6.conf.{}.{key}", interface.replace('.', "/")),
        false => format!("net/ipv6/conf/{interface}/{key}"),
    });
    (key, 1..5_u32, 0..10_u8).prop_map(|(key, value, form)| match form {
        0 => format!("-{key}"),
        1 | 2 => format!("-{key} = {value}"),
        3 => format!("# {key} = {value}"),
        4 => format!("\t{key}={value}  "),
        _ => format!("{key} = {value}"),
    })
}

fn files() -> impl Strategy<Value = Files> {
    let place = (select(&DIRECTORIES[..]), select(&NAMES[..]));
    prop::collection::btree_map(place, prop::collection::vec(line(), 0..6), 0..6)
}

fn write(files: &Files, root: &Path) {
    for ((directory, name), lines) in files {
        let directory = root.join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), lines.join("\n")).unwrap();
    }
}

/// What the files come to when `command` reads them.
fn values(root: &Path, command: &[&OsStr]) -> Values {
    let output = Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"])
        .arg(root)
        .args(command)
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    fields.map(|field| ((field[0].clone(), field[1].clone()), field[2].clone())).collect()
}

/// Set where the test program itself is to read the files.
const INSIDE: &str = "NODE_SETUP_INSIDE";
const OURS: &str = "sysctl::differential::ours";

#[test]
fn ours() {
    if std::env::var_os(INSIDE).is_some() {
        let mut out = std::io::stdout();
        let mut report = Report::new("sysctl", &mut out);
        apply(&Sysctls::default(), &Root::default(), &mut report);
        let _ = report.finish();
    }
}

/// Whether the real one is here and may do all that; in CI it must.
fn program() -> Option<PathBuf> {
    let program = ["/usr/lib", "/lib"].map(|above| Path::new(above).join("systemd/systemd-sysctl"));
    let program = program.into_iter().find(|path| path.exists());
    let has_ip = Command::new("ip").arg("-V").output().is_ok();
    let is_root = rustix::process::geteuid().is_root();
    let found = program.filter(|_| is_root && has_ip);
    ::tests::needs("root, systemd and iproute2", found.is_some());
    found
}

#[test]
fn random_files_come_to_what_systemd_makes_of_them() {
    let Some(program) = program() else { return };
    let own = std::env::current_exe().unwrap();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(100);
    proptest!(ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() },
        |(files in files())| {
            let directory = tempfile::tempdir().unwrap();
            write(&files, directory.path());
            let theirs = values(directory.path(), &[program.as_os_str()]);
            prop_assert!(theirs.contains_key(&("a.1".to_owned(), "max_addresses".to_owned())));
            let ours = [own.as_os_str(), "--exact".as_ref(), OURS.as_ref()];
            let ours = values(directory.path(), &ours);
            prop_assert_eq!(ours, theirs);
        }
    );
}
