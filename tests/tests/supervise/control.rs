//! The control socket and those who mean it no good.

use serde_json::{Value, json};

use crate::client::Client;
use crate::tree::Tree;

const SLEEP: &str = "exec = [\"sleep\", \"1000\"]";

#[test]
fn it_describes_itself() {
    let tree = Tree::start(&[("a", SLEEP)]);
    let info = tree.must("org.varlink.service.GetInfo", json!({}));
    assert!(info["interfaces"].as_array().unwrap().contains(&json!("org.cooper.Services")));
    let name = "org.varlink.service.GetInterfaceDescription";
    let text = tree.must(name, json!({ "interface": "org.cooper.Services" }));
    assert!(text["description"].as_str().unwrap().contains("method Start("));
    let errors = [
        ("org.varlink.service.Nothing", json!({}), "MethodNotFound"),
        ("org.example.Other.List", json!({}), "InterfaceNotFound"),
        ("Start", json!({ "names": "a" }), "InvalidParameter"),
        ("Start", json!({ "names": ["a"], "unknown": 1 }), "InvalidParameter"),
        ("Start", json!({ "names": ["aa"] }), "UnknownService"),
        ("Watch", json!({}), "ExpectedMore"),
        ("Signal", json!({ "name": "a", "signal": 0 }), "InvalidParameter"),
    ];
    for (method, parameters, expected) in errors {
        let (error, _) = tree.call(method, parameters).unwrap_err();
        assert_eq!(error, expected, "{method}");
    }
}

#[test]
fn a_call_that_waits_says_what_it_waited_for() {
    let tree = Tree::start(&[
        ("never", &format!("{SLEEP}\nready = {{ path = \"/nowhere/at/all\" }}")),
        ("top", &format!("{SLEEP}\nrequires = [\"never\"]")),
        (
            "fails",
            "exec = [\"false\"]\nready = { path = \"/x\" }\nrestart = { policy = \"never\" }",
        ),
    ]);
    let wait = json!({ "names": ["top"], "wait": true, "timeout_us": 100_000 });
    let (error, parameters) = tree.call("Start", wait).unwrap_err();
    assert_eq!(error, "TimedOut");
    assert!(parameters["why"].as_str().unwrap().contains("never"), "{parameters}");
    let (error, parameters) =
        tree.call("Start", json!({ "names": ["fails"], "wait": true })).unwrap_err();
    assert_eq!((error.as_str(), &parameters["name"]), ("Failed", &json!("fails")));
}

#[test]
fn only_root_and_operators_change_anything() {
    let tree = Tree::start(&[("a", SLEEP)]);
    tree.wait("a", "ready");
    let script = "import json,os,socket,sys\n\
        os.setgid(65534); os.setuid(65534)\n\
        s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
        def call(m,p):\n \
         q={'method':'org.cooper.Services.'+m,'parameters':p}\n \
         s.sendall(json.dumps(q).encode()+b'\\0')\n \
         b=b''\n \
         while not b.endswith(b'\\0'): b+=s.recv(65536)\n \
         return b.decode()\n\
        a={'names':['a']}\n\
        print(call('List',{}), call('Stop',a), call('Stop',{**a,'plan':True}))";
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&tree.dir, mode).unwrap();
    let output = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(tree.run("control"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let replies: Vec<&str> = text.split('\0').collect();
    assert!(
        replies[0].contains("\"name\":\"a\""),
        "everyone may read: {text} {output:?}",
        output = output.stderr
    );
    assert!(replies[1].contains("NotAllowed"), "{text}");
    assert!(replies[2].contains("\"stop\":[\"a\"]"), "a plan changes nothing: {text}");
    assert_eq!(tree.status("a")["state"], "ready");
}

#[test]
fn a_hostile_client_harms_only_itself() {
    let tree = Tree::start(&[("a", SLEEP)]);
    tree.wait("a", "ready");
    // Garbage; half a call; a megabyte without an end; calls whose replies are never read.
    let mut garbage = Client::connect(&tree);
    garbage.send(b"\xff\xfe{]\0").unwrap();
    let reply = garbage.next().unwrap();
    assert_eq!(reply["error"], "org.varlink.service.InvalidParameter");
    let mut half = Client::connect(&tree);
    half.send(b"{\"method\":\"org.coop").unwrap();
    let mut large = Client::connect(&tree);
    let ended = (0..64).map(|_| large.send(&[b'x'; 16 * 1024])).find(Result::is_err);
    assert!(ended.is_some() || large.next().is_none(), "it was not cut off");
    let mut deaf = Client::connect(&tree);
    for _ in 0..200 {
        deaf.begin("List", &json!({}), false).unwrap();
    }
    let mut watchers: Vec<Client<'_>> = (0..20).map(|_| Client::connect(&tree)).collect();
    for watcher in &mut watchers {
        watcher.begin("Watch", &Value::Object(serde_json::Map::new()), true).unwrap();
    }
    for _ in 0..20 {
        tree.must("Restart", json!({ "names": ["a"], "wait": true }));
    }
    assert_eq!(tree.status("a")["incarnation"], 21);
    // Whoever reads late gets whole replies all the same.
    for _ in 0..200 {
        assert_eq!(deaf.next().unwrap()["parameters"]["services"][0]["name"], "a");
    }
}
