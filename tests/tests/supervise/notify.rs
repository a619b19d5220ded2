//! sd_notify: what is heard, and from whom.

use std::os::unix::net::UnixDatagram;

use serde_json::json;

use crate::tree::{Tree, is_alive};

/// A shell has no datagram sockets; Python has, and is on every machine that builds this.
fn speaks(what: &str) -> String {
    let script = "import os,socket,sys,time\n\
        s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n\
        s.connect(os.environ['NOTIFY_SOCKET'])\n\
        s.send(sys.argv[1].encode())\n\
        time.sleep(1000)";
    format!(
        "exec = [\"python3\", \"-c\", '''{script}''', \"{what}\"]\n\
         ready = {{ notify = \"systemd\", timeout = \"20s\" }}\nrestart = {{ policy = \"never\" }}"
    )
}

#[test]
fn ready_and_status_are_heard_from_the_main_process() {
    let tree = Tree::start(&[("speaks", &speaks("READY=1\\nSTATUS=all is well"))]);
    let service = tree.wait_for("speaks", |service| {
        service["state"] == "ready" && service["status"] == "all is well"
    });
    assert_eq!(service["incarnation"], 1, "{service}");
}

#[test]
fn nobody_else_is_heard() {
    // The test itself speaks; and a child of the service, in its cgroup, with its socket.
    let child = "exec = [\"sh\", \"-c\", '''python3 -c \"import os,socket
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
s.send(b'READY=1')\"; exec sleep 1000''']\nready = { notify = \"systemd\", timeout = \"2s\" }\n\
        restart = { policy = \"never\" }";
    let tree = Tree::start(&[("child", child)]);
    tree.wait("child", "starting");
    let socket = UnixDatagram::unbound().unwrap();
    let path = tree.run("notify/socket");
    socket.send_to(b"READY=1", &path).unwrap();
    socket.send_to(&[0xff; 4000], &path).unwrap();
    socket.send_to(&[b'\n'; 9000], &path).unwrap();
    let failed = tree.wait("child", "failed");
    assert_eq!(failed["last_end"]["cause"], "start_timeout", "{failed}");
    tree.until("warning", || tree.said().contains("no service's main process"));
}

#[test]
fn a_watchdog_that_is_not_fed_ends_the_service() {
    let text = format!("{}\nwatchdog = \"300ms\"", speaks("READY=1"));
    let tree = Tree::start(&[("fed", &text)]);
    tree.wait("fed", "ready");
    let pid = tree.pid("fed");
    let failed = tree.wait("fed", "failed");
    assert_eq!(failed["last_end"]["cause"], "watchdog", "{failed}");
    assert!(!is_alive(pid));
}

#[test]
fn a_start_that_asks_for_more_time_gets_it() {
    // Without EXTEND_TIMEOUT_USEC= this start would be given up a second before it is done.
    let script = "import os,socket,time\n\
        s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n\
        s.connect(os.environ['NOTIFY_SOCKET'])\n\
        s.send(b'EXTEND_TIMEOUT_USEC=30000000')\n\
        time.sleep(4)\n\
        s.send(b'READY=1')\n\
        time.sleep(1000)";
    let slow = format!(
        "exec = [\"python3\", \"-c\", '''{script}''']\n\
         ready = {{ notify = \"systemd\", timeout = \"3s\" }}\nrestart = {{ policy = \"never\" }}"
    );
    let tree = Tree::start(&[("slow", &slow)]);
    assert_eq!(tree.wait("slow", "ready")["incarnation"], 1);
}

#[test]
fn a_reload_may_be_announced_and_takes_its_time() {
    // RELOADING=1, and some time later READY=1, is neither a new start nor a failure.
    let script = "import os,signal,socket,time\n\
        s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n\
        s.connect(os.environ['NOTIFY_SOCKET'])\n\
        def reload(*_):\n \
         s.send(b'RELOADING=1\\nSTATUS=at it\\nMONOTONIC_USEC=%d' % (time.monotonic_ns()//1000))\n \
         time.sleep(0.5)\n \
         s.send(b'READY=1\\nSTATUS=reloaded')\n\
        signal.signal(signal.SIGHUP,reload)\n\
        s.send(b'READY=1\\nSTATUS=begun')\n\
        while True: time.sleep(1000)";
    let text = format!(
        "exec = [\"python3\", \"-c\", '''{script}''']\nreload = {{ signal = \"SIGHUP\" }}\n\
         ready = {{ notify = \"systemd\", timeout = \"20s\" }}"
    );
    let tree = Tree::start(&[("reloads", &text)]);
    tree.wait("reloads", "ready");
    let pid = tree.pid("reloads");
    tree.must("Reload", json!({ "names": ["reloads"] }));
    tree.wait_for("reloads", |service| service["status"] == "at it");
    // Now that it is known to be at it, one more order waits until it is done.
    tree.must("Reload", json!({ "names": ["reloads"], "wait": true }));
    let service = tree.status("reloads");
    assert_eq!(service["status"], "reloaded", "{service}");
    assert_eq!((tree.pid("reloads"), &service["state"]), (pid, &json!("ready")));
}

#[test]
fn a_new_main_process_takes_over() {
    let script = "import os,socket,time\n\
        s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n\
        s.connect(os.environ['NOTIFY_SOCKET'])\n\
        p=os.fork()\n\
        if p==0:\n \
         time.sleep(1000)\n\
        s.send(b'MAINPID=%d\\nREADY=1' % p)";
    let tree = Tree::start(&[(
        "forks",
        &format!(
            "exec = [\"python3\", \"-c\", '''{script}''']\n\
             ready = {{ notify = \"systemd\", timeout = \"20s\" }}"
        ),
    )]);
    tree.wait("forks", "ready");
    let pid = tree.pid("forks");
    tree.kill_supervise();
    tree.must("Stop", json!({ "names": ["forks"], "wait": true }));
    assert!(!is_alive(pid));
    assert_eq!(
        tree.record("forks").unit.incarnation.0,
        1,
        "the first process's end is not its end"
    );
}

#[test]
fn a_barrier_is_lifted_once_all_before_it_is_known() {
    let script = "import os,socket,time\n\
        s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n\
        s.connect(os.environ['NOTIFY_SOCKET'])\n\
        r,w=os.pipe()\n\
        s.send(b'READY=1')\n\
        socket.send_fds(s,[b'BARRIER=1'],[w])\n\
        os.close(w)\n\
        os.read(r,1)\n\
        s.send(b'STATUS=the barrier is lifted')\n\
        time.sleep(1000)";
    let tree = Tree::start(&[(
        "waits",
        &format!(
            "exec = [\"python3\", \"-c\", '''{script}''']\n\
             ready = {{ notify = \"systemd\", timeout = \"20s\" }}"
        ),
    )]);
    let service = tree.wait_for("waits", |service| service["status"] == "the barrier is lifted");
    assert_eq!(service["state"], "ready");
}
