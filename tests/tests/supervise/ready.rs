//! When a service counts as up, one test for each way.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use serde_json::json;

use crate::tree::Tree;

#[test]
fn a_newline_on_its_descriptor_makes_a_service_ready() {
    let tree = Tree::start(&[(
        "fd",
        "exec = [\"sh\", \"-c\", \"while [ ! -e $COOPER_MARK ]; do sleep 0.01; done; \
         echo >&3; exec 3>&-; exec sleep 1000\"]\nready = { fd = 3 }\n\
         [environment]\nCOOPER_MARK = \"/tmp/cooper-ready-fd\"",
    )]);
    let _ = std::fs::remove_file("/tmp/cooper-ready-fd");
    tree.wait("fd", "starting");
    // The supervisor may be replaced meanwhile: the newline is not lost.
    tree.kill_supervise();
    std::fs::write("/tmp/cooper-ready-fd", "").unwrap();
    tree.wait("fd", "ready");
    assert_eq!(tree.record("fd").unit.incarnation.0, 1);
    std::fs::remove_file("/tmp/cooper-ready-fd").unwrap();
    assert!(!tree.run("notify/fd").exists());
}

#[test]
fn a_listener_makes_a_service_ready() {
    // The test listens where the service is expected to.
    let dir = std::env::temp_dir().join(format!("cooper-listen-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (unix, path) = (dir.join("socket"), dir.join("path"));
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let service = |ready: String| {
        format!("exec = [\"sleep\", \"1000\"]\nready = {{ {ready}, every = \"20ms\" }}")
    };
    let tree = Tree::start(&[
        ("tcp", &service(format!("tcp = \"{address}\""))),
        ("unix", &service(format!("socket = \"{}\"", unix.display()))),
        ("path", &service(format!("path = \"{}\"", path.display()))),
        ("exec", &service(format!("exec = [\"test\", \"-e\", \"{}\"]", path.display()))),
    ]);
    tree.wait("tcp", "ready");
    for name in ["unix", "path", "exec"] {
        tree.wait(name, "starting");
    }
    let _listener = UnixListener::bind(&unix).unwrap();
    tree.wait("unix", "ready");
    std::fs::write(&path, "").unwrap();
    tree.wait("path", "ready");
    tree.wait("exec", "ready");
    drop(tree);
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_http_answer_makes_a_service_ready_and_healthy() {
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicU16, Ordering};
    static STATUS: AtomicU16 = AtomicU16::new(503);
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 512];
            let count = stream.read(&mut request).unwrap_or(0);
            let is_right = request[..count].starts_with(b"GET /healthz?a=b HTTP/1.1\r\nHost: ");
            let status = if is_right { STATUS.load(Ordering::Relaxed) } else { 400 };
            let _ = write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let url = format!("http://{address}/healthz?a=b");
    let tree = Tree::start(&[(
        "web",
        &format!(
            "exec = [\"sleep\", \"1000\"]\nready = {{ http = \"{url}\", every = \"20ms\" }}\n\
             health = {{ http = \"{url}\", every = \"20ms\", failures = 2, restart = false }}"
        ),
    )]);
    tree.wait("web", "starting");
    STATUS.store(204, Ordering::Relaxed);
    tree.wait("web", "ready");
    STATUS.store(500, Ordering::Relaxed);
    tree.wait("web", "degraded");
    STATUS.store(302, Ordering::Relaxed);
    tree.wait("web", "ready");
    assert_eq!(tree.record("web").unit.incarnation.0, 1, "it was only degraded");
}

#[test]
fn a_service_that_never_becomes_ready_is_given_up() {
    let tree = Tree::start(&[(
        "never",
        "exec = [\"sleep\", \"1000\"]\nready = { path = \"/nowhere/at/all\", timeout = \"200ms\" }\n\
         restart = { policy = \"never\" }",
    )]);
    let failed = tree.wait("never", "failed");
    assert_eq!(failed["last_end"]["cause"], "start_timeout", "{failed}");
    assert_eq!(tree.pid("never"), 0);
}

#[test]
fn a_oneshot_is_done_when_it_has_succeeded() {
    let tree = Tree::start(&[
        ("once", "type = \"oneshot\"\nexec = [\"true\"]\nstop = { exec = [\"true\"] }"),
        ("after", "exec = [\"sleep\", \"1000\"]\nrequires = [\"once\"]"),
    ]);
    tree.wait("after", "ready");
    assert_eq!(tree.status("once")["state"], "done");
    tree.must("Stop", json!({ "names": ["once"], "force": true, "wait": true }));
    assert_eq!(tree.status("once")["state"], "down");
    assert_eq!(tree.status("after")["state"], "down");
}
