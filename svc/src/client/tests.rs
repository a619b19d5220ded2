//! Servers that do not do what they should.

use std::time::Duration;

use serde_json::json;
use wire::varlink::{ListReply, Nothing};

use super::*;
use crate::fixture::{Peer, Serve, Tree};

const SHORT: Duration = Duration::from_millis(100);

fn list(serve: impl FnOnce(Peer) + Send + 'static) -> Result<ListReply, Fault> {
    let tree = Tree::new();
    let server = tree.serve(vec![Box::new(serve) as Serve]);
    let mut client = Client::connect(&tree.context.paths).unwrap();
    let reply = list_from(&mut client);
    drop(client);
    server.join().unwrap();
    reply
}

fn list_from(client: &mut Client) -> Result<ListReply, Fault> {
    client.send(Method::List, &Nothing {}, false)?;
    client.reply(SHORT)?.ok_or(Fault::Silent)
}

/// A reply is a reply however the stream is cut.
#[test]
fn replies_may_come_byte_by_byte() {
    let reply = list(|mut peer| {
        assert_eq!(peer.call().0, "List");
        let text = json!({"parameters": {"services": [], "now_us": 7}}).to_string();
        text.bytes().chain([0]).for_each(|byte| peer.send(&[byte]));
    });
    assert_eq!(reply.unwrap(), ListReply { services: vec![], now_us: 7 });
}

/// What is not Varlink is said to be so.
#[test]
fn garbage_is_told() {
    for garbage in
        [&b"\xff\xfe\0"[..], b"[]\0", b"{\"parameters\": 1}\0", b"\0", b"{\"error\":\"x\"}\0"]
    {
        let reply = list(move |mut peer| {
            let _ = peer.call();
            peer.send(garbage);
        });
        assert!(matches!(reply, Err(Fault::Garbage(_))), "{garbage:?}: {reply:?}");
    }
}

/// A connection that ends, also in the middle of a message, is broken, and nothing else.
#[test]
fn an_end_is_a_broken_connection() {
    for sent in [&b""[..], b"{\"parameters\": {\"serv"] {
        let reply = list(move |mut peer| {
            let _ = peer.call();
            peer.send(sent);
        });
        assert!(matches!(reply, Err(Fault::Broken)), "{sent:?}: {reply:?}");
    }
}

/// Half a message and then nothing is not waited for longer than was said.
#[test]
fn silence_ends() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let tree = Tree::new();
    let server = tree.serve(vec![Box::new(move |mut peer: Peer| {
        let _ = peer.call();
        peer.send(b"{\"para");
        // Until the client has given up.
        let _ = wait.recv();
    })]);
    let mut client = Client::connect(&tree.context.paths).unwrap();
    let reply = list_from(&mut client);
    assert!(matches!(reply, Err(Fault::Silent)), "{reply:?}");
    drop(done);
    server.join().unwrap();
}

/// An error of the protocol keeps its name and its members.
#[test]
fn errors_keep_their_meaning() {
    let error = varlink::Error::Busy { reason: "a shutdown is under way".into() };
    let sent = error.clone();
    let reply = list(move |mut peer| {
        let _ = peer.call();
        peer.refuse(&sent);
    });
    assert!(matches!(reply, Err(Fault::Refused(refused)) if refused == error));
}

/// Where nobody listens, that is what is said.
#[test]
fn absence_is_told() {
    let tree = Tree::new();
    let fault = Client::connect(&tree.context.paths).unwrap_err();
    assert!(matches!(fault, Fault::Absent(_)));
    let text = Error::from(fault).to_string();
    assert!(text.ends_with("no such file or directory; Cooper does not run here"), "{text}");
}
