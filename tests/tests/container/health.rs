//! Whether all is well: a command, a file, HTTP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::Signal;

use crate::namespace::{Container, Plan};

/// The status and the body.
fn get(socket: &Path, path: &str) -> Option<(u16, String)> {
    ask(UnixStream::connect(socket).ok()?, path)
}

fn ask(mut stream: impl Read + Write, path: &str) -> Option<(u16, String)> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.into()))
}

fn is_healthy(container: &Container) -> Option<i32> {
    container.svc(&["health"]).status.code()
}

#[test]
fn a_container_is_healthy_while_all_that_is_wanted_is_ready() {
    let plan = Plan::new().subtree();
    let (file, socket) = (plan.path("healthy"), plan.path("socket"));
    let slow = "exec = [\"sleep\", \"1000\"]\nready = { path = \"@/go\", every = \"20ms\" }";
    let plan = plan
        .service("slow", slow)
        .service("main", "after = [\"svc-health\"]")
        .variable("COOPER_HEALTH_FILE", &file.display().to_string())
        .variable("COOPER_HEALTH_LISTEN", &format!("unix:{}", socket.display()));
    let script = "trap 'while [ -e @/healthy ]; do sleep 0.02; done; echo gone; exit 0' TERM; \
                  while :; do sleep 0.02; done";
    let mut container = plan.start(&["sh", "-c", script]);
    container.until("an answer", || get(&socket, "/healthz").is_some());
    let (status, body) = get(&socket, "/readyz").unwrap();
    assert_eq!(status, 503);
    assert!(body.contains("slow is starting"), "{body}");
    assert_eq!(get(&socket, "/healthz"), Some((200, "ok\n".into())));
    assert_eq!(get(&socket, "/metrics").unwrap().0, 404);
    assert_eq!(is_healthy(&container), Some(1));
    assert!(!file.exists());
    std::fs::write(container.dir.join("go"), "").unwrap();
    container.until_file("healthy");
    assert_eq!(get(&socket, "/readyz"), Some((200, "ok\n".into())));
    assert_eq!(is_healthy(&container), Some(0));
    // The file does not survive the beginning of the end.
    container.signal(Signal::TERM);
    assert_eq!(container.ended().code(), Some(0), "{}", container.errors());
    assert!(container.output().contains("gone"), "{}", container.output());
}

#[test]
fn what_has_failed_is_neither_ready_nor_healthy() {
    let plan = Plan::new().subtree();
    let socket = plan.path("socket");
    let plan = plan
        .service("broken", "type = \"oneshot\"\nexec = [\"false\"]")
        .variable("COOPER_HEALTH_LISTEN", &format!("unix:{}", socket.display()));
    let container = plan.start(&["sh", "-c", "echo up; exec sleep 1000"]);
    container.until_output("up");
    container.until("an answer", || get(&socket, "/healthz").is_some());
    for path in ["/healthz", "/readyz"] {
        let (status, body) = get(&socket, path).unwrap();
        assert_eq!(status, 503);
        assert!(body.contains("broken is failed"), "{body}");
    }
    assert_eq!(is_healthy(&container), Some(1));
}

#[test]
fn a_port_answers_as_well() {
    // One that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let plan = Plan::new().subtree();
    let plan = plan.variable("COOPER_HEALTH_LISTEN", &free.to_string());
    let mut container = plan.start(&["sleep", "1000"]);
    let ready = || ask(TcpStream::connect(free).ok()?, "/readyz");
    container.until("an answer", || ready().is_some_and(|(status, _)| status == 200));
    container.signal(Signal::TERM);
    assert_eq!(container.ended().code(), Some(143), "{}", container.errors());
}
