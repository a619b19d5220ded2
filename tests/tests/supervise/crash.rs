//! A killed supervisor disturbs nothing.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::client::Client;
use crate::tree::{Tree, is_alive, members};

/// How often the supervisor is killed.
const KILLS: usize = 300;
/// The longest life of a supervisor in that test, microseconds, from when it answers; or, one time
/// in four, from when it was started: those die while they take over. (Not always: init is right
/// to wait before it starts one again that never came up.)
const LIFE_MAX_US: u64 = 8_000;
/// Services that nobody touches.
const STEADY: usize = 4;

/// Numbers that look random, the same for the same seed (xorshift64).
struct Random(u64);

impl Random {
    /// From `COOPER_SEED`, or else from the clock; printed, so that a failure can be repeated.
    fn new() -> Self {
        let given = std::env::var("COOPER_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock =
            || SystemTime::UNIX_EPOCH.elapsed().map_or(1, |time| time.subsec_nanos().into());
        let seed: u64 = given.unwrap_or_else(clock).max(1);
        println!("COOPER_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = self.below(u64::try_from(all.len()).unwrap());
        &all[usize::try_from(index).unwrap()]
    }
}

/// A program that tells if it runs twice: it holds a lock for as long as it lives.
fn once(dir: &str, body: &str) -> String {
    let script = format!(
        "exec 9>{dir}/lock-$0; flock -n 9 || echo $0 >> {dir}/twice; \
         echo $$ >> {dir}/ran-$0; {body}"
    );
    format!("[\"sh\", \"-c\", \"{script}\", \"%NAME%\"]")
}

fn service(dir: &str, name: &str, body: &str, more: &str) -> (String, String) {
    let exec = once(dir, body).replace("%NAME%", name);
    (name.to_owned(), format!("exec = {exec}\n{more}"))
}

#[test]
fn services_keep_their_pids_when_the_supervisor_is_killed() {
    let tree = Tree::start(&[("steady", "exec = [\"sleep\", \"1000\"]")]);
    tree.wait("steady", "ready");
    let before = tree.record("steady");
    let first = tree.supervise();
    tree.kill_supervise();
    tree.until("another supervisor", || tree.supervise().is_some_and(|pid| Some(pid) != first));
    tree.wait("steady", "ready");
    assert_eq!(tree.record("steady"), before, "nothing has happened to it");
    assert!(is_alive(before.main_pid));
    // And it is still in charge of it.
    tree.must("Restart", json!({ "names": ["steady"], "wait": true }));
    let after = tree.record("steady");
    assert!(after.main_pid != before.main_pid && !is_alive(before.main_pid));
}

#[test]
fn exits_that_happen_without_a_supervisor_are_not_lost() {
    let tree =
        Tree::start(&[("short", "exec = [\"sleep\", \"1000\"]\nrestart = { policy = \"never\" }")]);
    tree.wait("short", "ready");
    let pid = tree.pid("short");
    // Stopped, the supervisor hears nothing; killed, it can acknowledge nothing.
    let supervise = tree.supervise().unwrap();
    crate::tree::signal(supervise, rustix::process::Signal::STOP);
    crate::tree::signal(pid, rustix::process::Signal::USR1);
    tree.until("end of the service", || !is_alive(pid));
    crate::tree::signal(supervise, rustix::process::Signal::KILL);
    let failed = tree.wait("short", "failed");
    assert_eq!(failed["last_end"]["signal"], 10, "{failed}");
}

#[test]
fn hundreds_of_kills_at_random_moments_disturb_nothing() {
    let mut random = Random::new();
    let scratch = std::env::temp_dir().join(format!("cooper-crash-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    let files = world(scratch.to_str().unwrap());
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let tree = Tree::start(&files);
    let steady: Vec<String> = (0..STEADY).map(|number| format!("steady{number}")).collect();
    for name in &steady {
        tree.wait(name, "ready");
    }
    let before: Vec<_> = steady.iter().map(|name| tree.record(name)).collect();

    let is_over = AtomicBool::new(false);
    let seed = random.below(u64::MAX);
    thread::scope(|scope| {
        let controller = scope.spawn(|| control(&tree, Random(seed), &is_over));
        for _ in 0..KILLS {
            if random.below(4) > 0 {
                tree.must("org.varlink.service.GetInfo", json!({}));
            }
            sleep(Duration::from_micros(random.below(LIFE_MAX_US)));
            if random.below(8) == 0 {
                tree.kill_logger();
            }
            tree.kill_supervise();
        }
        is_over.store(true, Ordering::Relaxed);
        let (answered, repeated) = controller.join().unwrap();
        println!("{answered} calls answered, {repeated} to be repeated");
        assert!(repeated > 0, "no call was in flight when a supervisor died");
    });

    for (name, before) in steady.iter().zip(before) {
        tree.wait(name, "ready");
        assert_eq!(tree.record(name), before, "{name}");
        assert!(is_alive(before.main_pid));
        no_line_is_lost(&tree, name);
    }
    what_was_controlled_is_in_charge_still(&tree);
    let twice = fs::read_to_string(scratch.join("twice")).unwrap_or_default();
    assert_eq!(twice, "", "ran twice at a time");
    drop(tree);
    fs::remove_dir_all(scratch).unwrap();
}

/// Services that are left alone and talk, that crash, fork, finish, and depend on each other.
fn world(dir: &str) -> Vec<(String, String)> {
    let talk = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done";
    let mut files: Vec<_> =
        (0..STEADY).map(|number| service(dir, &format!("steady{number}"), talk, "")).collect();
    let again = "restart = { min = \"1ms\", max = \"10ms\" }";
    files.push(service(dir, "crashes", "sleep 0.01; exit 3", again));
    let kill = "stop = { kill = \"cgroup\", timeout = \"1s\" }";
    files.push(service(dir, "forks", "sleep 1000 & sleep 1000 & exec sleep 1000", kill));
    let undone = format!("finish = [\"true\"]\n{again}");
    files.push(service(dir, "finishes", "sleep 0.02", &undone));
    files.push(service(dir, "depends", "exec sleep 1000", "requires = [\"forks\"]"));
    files
}

/// Starts, stops and restarts two services at random; how many calls were answered, and how many
/// must be repeated because the supervisor went away.
fn control(tree: &Tree, mut random: Random, is_over: &AtomicBool) -> (u32, u32) {
    let (mut answered, mut repeated) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        let method = *random.one_of(&["Start", "Restart", "Stop"]);
        let name = *random.one_of(&["forks", "depends"]);
        let parameters = match method {
            "Stop" => json!({ "names": [name], "force": true, "wait": true }),
            _ => json!({ "names": [name], "wait": true }),
        };
        match Client::connect(tree).call_once(method, &parameters) {
            Some(_) => answered += 1,
            None => repeated += 1,
        }
    }
    (answered, repeated)
}

fn what_was_controlled_is_in_charge_still(tree: &Tree) {
    for name in ["forks", "depends"] {
        tree.must("Start", json!({ "names": [name], "wait": true }));
        let pid = tree.pid(name);
        assert!(members(&tree.cgroup(name)).contains(&pid), "{name}");
    }
    tree.until("three processes", || members(&tree.cgroup("forks")).len() == 3);
    for name in ["crashes", "finishes"] {
        let lives = tree.record(name).unit.incarnation.0;
        assert!(lives > 1, "{name}: {lives} lives");
        tree.wait_for(name, |service| service["incarnation"].as_u64() > Some(lives.into()));
    }
}

/// Its log has each of its lines once, in order, from the first to one that it writes from now on.
fn no_line_is_lost(tree: &Tree, name: &str) {
    let read = || fs::read_to_string(tree.dir.join("logs").join(name).join("current"));
    let count = |text: &str| text.lines().count();
    let before = count(&read().unwrap_or_default());
    tree.until("newer line", || count(&read().unwrap_or_default()) > before);
    let text = read().unwrap();
    for (number, line) in (1..).zip(text.lines()) {
        assert!(line.ends_with(&format!(" line {number}")), "{name}: {line} is not {number}");
    }
}
