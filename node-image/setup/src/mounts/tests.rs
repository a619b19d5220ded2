use super::*;

use std::process::{Command, Stdio};

fn entry(at: &str, fstype: &str, options: &str) -> Mount {
    let [at, fstype, options, why, source] = [at, fstype, options, "it", "here"].map(str::to_owned);
    let (device, mode, shared, optional) = (None, None, false, false);
    let by = vec!["base".to_owned()];
    Mount { at, fstype, device, options, mode, shared, optional, why, source, by }
}

/// A machine with this `mountinfo`.
fn machine(mountinfo: &str) -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("proc/self/mountinfo", mountinfo);
    put("proc/filesystems", "nodev\ttmpfs\nnodev\tbpf\n\text4\n");
    let root = Root::at(directory.path());
    (directory, root)
}

fn state(entry: Mount, root: &Root) -> State {
    inspect(&Mounts { mounts: vec![entry] }, root).remove(0).state
}

const BPF: &str = "1 1 0:2 / /sys/fs/bpf rw,nosuid,nodev - bpf bpf rw,mode=700\n";

#[test]
fn a_mount_holds_when_nothing_of_the_table_is_missing() {
    let (directory, root) = machine(BPF);
    let bpf = directory.path().join("sys/fs/bpf");
    fs::create_dir_all(&bpf).unwrap();
    fs::set_permissions(&bpf, Permissions::from_mode(0o700)).unwrap();
    let wanted = entry("/sys/fs/bpf", "bpf", "nosuid,mode=700");
    assert!(matches!(state(wanted.clone(), &root), State::Holds(_)));
    fs::set_permissions(&bpf, Permissions::from_mode(0o755)).unwrap();
    let differs = |is: &str, wanted: &str| State::Differs { is: is.into(), wanted: wanted.into() };
    assert_eq!(state(wanted, &root), differs("mode=755", "mode=700"));
    let found = state(Mount { shared: true, ..entry("/sys/fs/bpf", "bpf", "") }, &root);
    assert_eq!(found, differs("private", "shared"));
    let found = state(entry("/sys/fs/bpf", "bpf", "noexec"), &root);
    assert_eq!(found, differs("rw,nosuid,nodev,rw,mode=700", "noexec"));
}

#[test]
fn another_type_is_left() {
    let (_directory, root) = machine(BPF);
    let State::Cannot(reason) = state(entry("/sys/fs/bpf", "tmpfs", ""), &root) else { panic!() };
    assert_eq!(reason, "bpf is mounted there, not tmpfs; it is left");
    assert!(matches!(state(entry("/sys/fs/bpf", "any", "nosuid"), &root), State::Holds(_)));
}

#[test]
fn any_mount_is_the_one_that_the_path_lies_in() {
    let (_directory, root) = machine(
        "1 1 0:2 / / rw - ext4 /dev/vda rw\n2 1 0:3 / /var rw shared:1 - ext4 /dev/vdb rw\n",
    );
    let shared = |at| Mount { shared: true, ..entry(at, "any", "") };
    assert!(matches!(state(shared("/var/lib/kubelet"), &root), State::Holds(_)));
    assert!(matches!(state(shared("/opt/data"), &root), State::Differs { .. }));
}

#[test]
fn what_this_kernel_does_not_have_is_told_from_what_is_not_mounted() {
    let (directory, root) = machine("");
    assert!(matches!(state(entry("/dev/shm", "tmpfs", ""), &root), State::Differs { .. }));
    let reason = |entry: Mount| match state(entry, &root) {
        State::Cannot(reason) => reason,
        other @ (State::Holds(_) | State::Differs { .. } | State::Hidden(_)) => panic!("{other:?}"),
    };
    assert_eq!(reason(entry("/x", "nfsd", "")), "this kernel has no such file system");
    let absent = reason(entry("/sys/fs/bpf", "bpf", ""));
    assert_eq!(absent, "there is no such directory on this machine");
    fs::create_dir_all(directory.path().join("tmp/x")).unwrap();
    let tmp = Mount { optional: true, ..entry("/tmp", "tmpfs", "") };
    assert!(reason(tmp).contains("would be hidden"));
}

#[test]
fn a_type_that_a_module_brings_is_to_be_mounted() {
    let (directory, root) = machine("");
    let modules = directory.path().join("lib/modules/1");
    fs::create_dir_all(&modules).unwrap();
    fs::create_dir_all(directory.path().join("proc/sys/kernel")).unwrap();
    fs::write(directory.path().join("proc/sys/kernel/osrelease"), "1\n").unwrap();
    fs::write(modules.join("modules.dep"), "kernel/fs/configfs/configfs.ko:\n").unwrap();
    fs::write(modules.join("modules.alias"), "alias fs-configfs configfs\n").unwrap();
    let found = state(entry("/sys/kernel/config", "configfs", "nosuid"), &root);
    assert!(matches!(found, State::Differs { .. }), "{found:?}");
}

#[test]
fn what_is_not_there_for_all_is_said_in_one_line() {
    let (_directory, root) = machine("");
    let mut out = Vec::new();
    let mut report = Report::new("mounts", &mut out);
    let optional = |at: &str| Mount { optional: true, ..entry(at, "pstore", "") };
    apply(&Mounts { mounts: vec![optional("/a"), optional("/b")] }, &root, &mut report);
    assert_eq!(report.finish(), crate::DONE);
    let said = String::from_utf8(out).unwrap();
    assert!(said.starts_with("mounts: info: not of this kernel or machine: /a /b\n"), "{said}");
}

/// Runs this test program's test `name` in a mount namespace of its own; whether this is that run.
fn is_in_own_namespace(name: &str) -> bool {
    const INSIDE: &str = "NODE_SETUP_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    unshare.args(["--exact", name, "--test-threads=1"]).env(INSIDE, "1").stdin(Stdio::null());
    let output = unshare.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let is_allowed = ::tests::needs("root", rustix::process::geteuid().is_root());
    let is_passed = output.status.success() && said.contains("1 passed");
    assert!(is_passed || !is_allowed, "{said}");
    false
}

#[test]
fn the_kernel_takes_what_is_mounted_and_mounted_again() {
    if !is_in_own_namespace("mounts::tests::the_kernel_takes_what_is_mounted_and_mounted_again") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().join("new/one");
    let at = at.to_str().unwrap();
    let said = |entry: Mount| {
        let mut out = Vec::new();
        let mut report = Report::new("mounts", &mut out);
        apply(&Mounts { mounts: vec![entry] }, &Root::default(), &mut report);
        assert_eq!(report.finish(), crate::DONE, "{}", String::from_utf8_lossy(&out));
        String::from_utf8(out).unwrap()
    };
    let top = || {
        let mounts = mountinfo::read(&Root::default()).unwrap();
        mountinfo::top(&mounts, at).unwrap().clone()
    };
    said(entry(at, "tmpfs", "nosuid,mode=711,size=64k"));
    assert!(top().has("nosuid") && top().has("size=64k") && !top().is_shared, "{:?}", top());
    // A flag, the mode, an option of the file system's, and sharing, each on its own.
    said(entry(at, "tmpfs", "nosuid,nodev"));
    assert!(top().has("nodev") && top().has("nosuid") && top().has("size=64k"), "{:?}", top());
    said(entry(at, "tmpfs", "mode=1777"));
    assert_eq!(fs::metadata(at).unwrap().permissions().mode() & 0o7777, 0o1777);
    said(entry(at, "tmpfs", "size=128k"));
    assert!(top().has("size=128k") && top().has("nodev"), "{:?}", top());
    said(Mount { shared: true, ..entry(at, "tmpfs", "") });
    assert!(top().is_shared);
    let all = Mount { shared: true, ..entry(at, "tmpfs", "nosuid,nodev,mode=1777,size=128k") };
    assert!(said(all).starts_with("mounts: 0 changed, 1 already so"));
    let on_itself = directory.path().join("own");
    let on_itself = on_itself.to_str().unwrap();
    let bind = Mount { shared: true, ..entry(on_itself, "bind", "") };
    assert!(said(bind.clone()).contains("not mounted → bind"));
    assert!(said(bind).starts_with("mounts: 0 changed, 1 already so"));
}
