use super::*;

use std::collections::BTreeMap;
use std::path::Path;

const MOUNT: &str = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw";

/// A machine whose cgroups are ordinary files.
fn machine(options: &str, controllers: &str, enabled: &str) -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("proc/self/mountinfo", &format!("{MOUNT}{options}\n"));
    put("sys/fs/cgroup/cgroup.controllers", controllers);
    put("sys/fs/cgroup/cgroup.subtree_control", enabled);
    put("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t1\t0\n");
    let root = Root::at(directory.path());
    (directory, root)
}

fn entry(path: &str, set: &[(&str, &str)]) -> facts::Cgroup {
    let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let set: BTreeMap<_, _> = set.collect();
    let by = vec!["base".to_owned()];
    facts::Cgroup { path: path.into(), set, why: "it".into(), source: "here".into(), by }
}

fn states(table: &Cgroups, root: &Root) -> BTreeMap<String, State> {
    inspect(table, root).into_iter().map(|finding| (finding.subject, finding.state)).collect()
}

fn applied(table: &Cgroups, root: &Root) -> (u8, String) {
    let mut out = Vec::new();
    let mut report = Report::new("cgroups", &mut out);
    apply(table, root, &mut report);
    let code = report.finish();
    (code, String::from_utf8(out).unwrap())
}

const GOOD: &str = ",nsdelegate,memory_recursiveprot";

#[test]
fn what_holds_is_left_and_what_does_not_is_made() {
    let (directory, root) = machine(GOOD, "cpu memory\n", "cpu memory\n");
    let table = Cgroups { cgroups: vec![entry("system", &[("cgroup.max.depth", "7")])] };
    let (code, text) = applied(&table, &root);
    assert_eq!(code, crate::DONE, "{text}");
    assert!(text.contains("cgroups: /system: absent → there (it; base)\n"), "{text}");
    let file = directory.path().join("sys/fs/cgroup/system/cgroup.max.depth");
    assert_eq!(fs::read_to_string(file).unwrap(), "7");
    let (_, again) = applied(&table, &root);
    assert!(again.starts_with("cgroups: 0 changed"), "{again}");
}

#[test]
fn each_controller_is_passed_on_by_a_write_of_its_own() {
    let (directory, root) = machine(GOOD, "cpu memory pids\n", "memory\n");
    let wanted =
        [("controller cpu", false), ("controller memory", true), ("controller pids", false)];
    let states = states(&Cgroups::default(), &root);
    for (subject, holds) in wanted {
        assert_eq!(matches!(states[subject], State::Holds(_)), holds, "{subject}");
    }
    let (_, text) = applied(&Cgroups::default(), &root);
    assert!(text.contains("controller cpu: off → enabled"), "{text}");
    // The last write to what is an ordinary file here.
    let file = directory.path().join("sys/fs/cgroup/cgroup.subtree_control");
    assert_eq!(fs::read_to_string(file).unwrap(), "+pids");
}

#[test]
fn a_controller_is_passed_on_at_each_level_above_a_group_that_needs_it() {
    let (directory, root) = machine(GOOD, "memory\n", "memory\n");
    let table = Cgroups { cgroups: vec![entry("podruntime/kubelet", &[("memory.min", "96M")])] };
    let (_, text) = applied(&table, &root);
    let above = directory.path().join("sys/fs/cgroup/podruntime/cgroup.subtree_control");
    assert_eq!(fs::read_to_string(above).unwrap(), "+memory", "{text}");
}

#[test]
fn a_memory_controller_that_was_switched_off_is_told_from_one_that_is_not_there() {
    let (directory, root) = machine(GOOD, "cpu\n", "cpu\n");
    let reason =
        |root: &Root| format!("{:?}", states(&Cgroups::default(), root)["controller memory"]);
    assert!(reason(&root).contains("cgroup_enable=memory"));
    fs::write(directory.path().join("proc/cgroups"), "cpu\t0\t1\t1\n").unwrap();
    assert!(reason(&root).contains("CONFIG_MEMCG"));
}

#[test]
fn version_one_is_found_beside_version_two_and_alone() {
    let (directory, root) = machine(GOOD, "memory\n", "memory\n");
    let mountinfo = directory.path().join("proc/self/mountinfo");
    let old = "31 25 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
    let both = format!("{MOUNT}{GOOD}\n{old}\n");
    fs::write(&mountinfo, both).unwrap();
    let found = states(&Cgroups::default(), &root);
    assert!(format!("{found:?}").contains("/sys/fs/cgroup/cpu; unmount it"), "{found:?}");
    fs::write(&mountinfo, format!("{old}\n")).unwrap();
    let (code, text) = applied(&Cgroups::default(), &root);
    assert_eq!(code, crate::FAILED);
    assert!(text.contains("cgroup_no_v1=all"), "{text}");
}

#[test]
fn a_containers_root_with_processes_is_said() {
    let (directory, root) = machine(GOOD, "memory\n", "memory\n");
    assert!(!states(&Cgroups::default(), &root).contains_key(HIERARCHY));
    let put = |file: &str, text: &str| fs::write(directory.path().join(file), text).unwrap();
    put("sys/fs/cgroup/cgroup.type", "domain\n");
    put("sys/fs/cgroup/cgroup.procs", "1\n7\n");
    let found = states(&Cgroups::default(), &root);
    assert!(format!("{found:?}").contains("2 processes are in this container's root"), "{found:?}");
}

#[test]
fn the_kernels_spelling_of_a_value_is_the_tables() {
    for (is, wanted) in [("100663296", "96M"), ("max", "max"), ("max 100000", "max  100000")] {
        assert!(is_same(is, wanted), "{is} {wanted}");
    }
    for (is, wanted) in [("0", "96M"), ("max", "96M"), ("100", "100 200"), ("1Q", "1")] {
        assert!(!is_same(is, wanted), "{is} {wanted}");
    }
}

#[test]
fn a_failed_controller_says_whose_fault_it_is() {
    let root = Root::at(Path::new("/nonexistent"));
    let busy = io::Error::from(Errno::BUSY);
    assert!(enable_failed(&busy, "cpu", &root).contains("must have none"));
    let other = io::Error::from(Errno::PERM);
    assert_eq!(enable_failed(&other, "cpu", &root), other.to_string());
}
