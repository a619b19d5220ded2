//! What tests share: a small node, a screen that can be read, a tree on disk, a `supervise` that
//! answers as it is told.

use std::{
    cell::RefCell,
    env, fs,
    io::{self, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    rc::Rc,
    sync::atomic::AtomicU32,
    thread::JoinHandle,
};

use engine::{Goal, Wait};
use graph::{
    Bundle, CgroupSpec, Environment, Graph, KillMode, Kind, LogSpec, LogTo, OnChange, Process,
    Readiness, RestartPolicy, RestartSpec, RunSpec, Service, ServiceId, StopSpec, View,
};
use unit::{Cause, Exit, Incarnation, Instant, Reloading, State};
use wire::state::{Live, Record, Status, Table, size};

use crate::{context::Context, model::Snapshot, paths::Paths, render::Screen, scratch::Scratch};

/// Microseconds in a second.
pub const S: u64 = 1_000_000;
/// When every test takes place, so that texts do not depend on the clock.
pub const NOW: u64 = 1000 * S;

/// A longrun that signals its readiness.
pub fn longrun(name: &str, description: &str, requires: &[u32]) -> Service {
    let process = Process {
        exec: vec![format!("/usr/bin/{name}")],
        ready: Readiness::Notify,
        start_timeout_ms: 120_000,
        probe_every_ms: 100,
        finish: vec![],
        finish_timeout_ms: 5_000,
        stop: StopSpec { exec: vec![], signal: 15, timeout_ms: 30_000, kill: KillMode::Mixed },
        restart: RestartSpec { policy: RestartPolicy::Always, min_ms: 100, max_ms: 30_000 },
        reload: None,
        health: None,
        watchdog_ms: 0,
        run: RunSpec::default(),
        environment: Environment {
            variables: vec![("PATH".into(), "/usr/bin".into())],
            files: vec![],
        },
        cgroup: CgroupSpec { path: format!("system/{name}"), ..CgroupSpec::default() },
        log: LogSpec {
            to: LogTo::Files,
            file_size_max: 1 << 20,
            files_max: 4,
            age_max_s: 0,
            quota: 8 << 20,
            rate_max: 0,
            timestamps: true,
            block: false,
        },
    };
    Service {
        name: name.into(),
        description: description.into(),
        kind: Kind::Longrun(process),
        requires: requires.iter().copied().map(ServiceId).collect(),
        wants: vec![],
        after: vec![],
        conflicts: vec![],
        provides: vec![],
        conditions: vec![],
        on_change: OnChange::Restart,
        critical: false,
        file: format!("/usr/lib/cooper/services/{name}.toml"),
        fingerprint: 0,
    }
}

/// network ← containerd ← kubelet, sshd, and `default`, which wants them.
pub fn graph() -> Graph {
    let mut network = longrun("network", "Bring up the network", &[]);
    if let Kind::Longrun(process) = network.kind {
        let ready = Readiness::Exit;
        network.kind = Kind::Oneshot(Process { ready, ..process });
    }
    let mut sshd = longrun("sshd", "OpenSSH server", &[0]);
    sshd.provides = vec!["ssh".into()];
    let mut default = longrun("default", "What a boot brings up", &[]);
    default.kind = Kind::Bundle(Bundle {});
    default.wants = vec![ServiceId(1), ServiceId(2), ServiceId(3)];
    let services = vec![
        network,
        longrun("containerd", "Container runtime", &[0]),
        longrun("kubelet", "Kubernetes node agent", &[1]),
        sshd,
        default,
    ];
    Graph { shutdown_budget_ms: 90_000, services, ..Graph::default() }
}

/// A service that shall be up and is in this state for so many seconds.
pub fn record(state: State, seconds_ago: u64) -> Record {
    let mut record =
        Record { goal: Goal::Up, since_us: NOW - seconds_ago * S, ..Record::default() };
    record.unit.state = state;
    record.unit.incarnation = Incarnation(1);
    record
}

/// Up for so many seconds.
pub fn up(seconds_ago: u64) -> Record {
    let since = Instant(NOW - seconds_ago * S);
    let state = State::Up { since, degraded: false, reloading: Reloading::No, watchdog: None };
    record(state, seconds_ago)
}

/// containerd has failed, and what depends on it waits.
pub fn records() -> Vec<Record> {
    let mut containerd = record(State::Backoff { until: Instant(NOW + 8 * S) }, 12);
    containerd.unit.last = Some(Cause::Exited(Exit::Code(1)));
    containerd.unit.failures = 2;
    containerd.unit.incarnation = Incarnation(3);
    containerd.restarts = 2;
    let mut kubelet = record(State::Down, 13);
    kubelet.wait = Wait::Requires(ServiceId(1));
    kubelet.unit.incarnation = Incarnation(0);
    let mut sshd = up(700);
    sshd.main_pid = 412;
    sshd.status = Status::new("listening on 0.0.0.0:22");
    let mut default = record(State::Down, 14);
    default.wait = Wait::Order(ServiceId(2));
    let times = [(20, 50), (60, 90), (0, 0), (55, 75), (0, 0)];
    let mut records = vec![up(900), containerd, kubelet, sshd, default];
    for (record, (start, ready)) in records.iter_mut().zip(times) {
        (record.first_start_us, record.first_ready_us) = (start * S / 10, ready * S / 10);
    }
    records
}

/// The node of [`graph`] and [`records`].
pub fn snapshot() -> Snapshot {
    Snapshot::of_test(graph(), records(), Live { boot_us: S, ..Live::default() }, NOW)
}

/// What was printed.
#[derive(Clone, Default)]
pub struct Pages(Rc<RefCell<Vec<u8>>>);

impl Pages {
    /// All of it so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Pages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A tree of its own, and a screen that can be read.
pub struct Tree {
    /// What verbs are given.
    pub context: Context,
    /// Standard output.
    pub out: Pages,
    /// Standard error.
    pub err: Pages,
    _scratch: Scratch,
}

impl Tree {
    /// An empty one: Cooper does not run there.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let at = |name: &str| {
            let path = scratch.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let paths = Paths {
            run: at("run"),
            graphs: scratch.path().join("graphs"),
            logs: at("log"),
            services: vec![at("services")],
            facts: vec![at("facts")],
            node: scratch.path().join("node.toml"),
        };
        let (out, err) = (Pages::default(), Pages::default());
        let screen = Screen::of_test(Box::new(out.clone()), Box::new(err.clone()), None);
        Self { context: Context { paths, screen }, out, err, _scratch: scratch }
    }

    /// Writes graph and state table as `supervise` does.
    pub fn publish(&self, graph: &Graph, records: &[Record]) {
        let bytes = graph::encode(graph);
        let hash = View::open(&bytes).unwrap().hash();
        fs::write(self.context.paths.graph(), bytes).unwrap();
        let count = u32::try_from(records.len()).unwrap();
        let words = size(count).unwrap() / 4;
        let words: Vec<AtomicU32> = (0..words).map(|_| AtomicU32::new(0)).collect();
        let table = Table::create(words.as_slice(), count, hash, &Live::default()).unwrap();
        for (id, record) in (0..).zip(records) {
            table.write(ServiceId(id), record);
            table.carry(ServiceId(id), record);
        }
        let bytes: Vec<u8> = words
            .iter()
            .flat_map(|word| word.load(std::sync::atomic::Ordering::Relaxed).to_ne_bytes())
            .collect();
        fs::write(self.context.paths.state(), bytes).unwrap();
    }

    /// A `supervise` that takes one connection after another, and does with each what the next
    /// function says; then it is gone.
    pub fn serve(&self, connections: Vec<Serve>) -> JoinHandle<()> {
        let listener = UnixListener::bind(self.context.paths.control()).unwrap();
        let path = self.context.paths.control();
        std::thread::spawn(move || {
            for serve in connections {
                let (stream, _) = listener.accept().unwrap();
                serve(Peer { stream, read: Vec::new() });
            }
            fs::remove_file(path).unwrap();
        })
    }
}

/// What a fake `supervise` does with one connection.
pub type Serve = Box<dyn FnOnce(Peer) + Send>;

/// The other end of a client's connection.
pub struct Peer {
    stream: UnixStream,
    read: Vec<u8>,
}

impl Peer {
    /// The next call: its method's short name, and its parameters.
    pub fn call(&mut self) -> (String, serde_json::Value) {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = self.read.drain(..=end).collect();
                let call: serde_json::Value = serde_json::from_slice(&message[..end]).unwrap();
                let method = call["method"].as_str().unwrap();
                let short = method.rsplit('.').next().unwrap().into();
                return (short, call["parameters"].clone());
            }
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "the client has gone");
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    /// Sends bytes as they are. The client may have gone.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends a reply.
    pub fn reply(&mut self, parameters: &serde_json::Value) {
        self.send(serde_json::json!({ "parameters": parameters }).to_string().as_bytes());
        self.send(b"\0");
    }

    /// Sends an error of our interface.
    pub fn refuse(&mut self, error: &wire::varlink::Error) {
        self.send(serde_json::to_string(error).unwrap().as_bytes());
        self.send(b"\0");
    }
}

/// Compares with a file of `tests/golden`; `UPDATE=1` writes it, for a human to read the diff.
pub fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}: UPDATE=1 cargo test rewrites it");
}
