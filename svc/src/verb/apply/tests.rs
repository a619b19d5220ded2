//! Handing a graph over, whatever `supervise` does.

use std::fs;

use serde_json::json;
use wire::varlink;

use super::*;
use crate::fixture::{Peer, Serve, Tree, golden, graph, records};

fn bytes_of(graph: &Graph) -> (u64, Vec<u8>) {
    let bytes = graph::encode(graph);
    (View::open(&bytes).unwrap().hash(), bytes)
}

/// Where Cooper does not run, as in an image, nothing is handed over.
#[test]
fn an_image_is_only_switched() {
    let mut tree = Tree::new();
    let (hash, bytes) = bytes_of(&graph());
    assert!(!tell(&mut tree.context, hash, &bytes).unwrap());
    assert!(!tree.context.paths.next().exists());
}

/// `supervise` finds the graph in its place when it is called.
#[test]
fn the_graph_is_there_when_supervise_is_called() {
    let mut tree = Tree::new();
    let (hash, bytes) = bytes_of(&graph());
    let next = tree.context.paths.next();
    let expected = bytes.clone();
    let server = tree.serve(vec![Box::new(move |mut peer: Peer| {
        assert_eq!(peer.call(), ("Apply".into(), json!({})));
        assert_eq!(fs::read(next).unwrap(), expected);
        peer.reply(&json!({"changes": []}));
    })]);
    assert!(tell(&mut tree.context, hash, &bytes).unwrap());
    server.join().unwrap();
}

/// A supervisor that is killed half way is asked again, unless the graph is in force by then.
#[test]
fn a_broken_call_is_repeated() {
    let mut tree = Tree::new();
    let (hash, bytes) = bytes_of(&graph());
    let die = || Box::new(|mut peer: Peer| drop(peer.call())) as Serve;
    let answer = Box::new(|mut peer: Peer| {
        let _ = peer.call();
        peer.reply(&json!({"changes": []}));
    });
    let server = tree.serve(vec![die(), die(), answer]);
    assert!(tell(&mut tree.context, hash, &bytes).unwrap());
    server.join().unwrap();

    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let server = tree.serve(vec![die()]);
    assert!(tell(&mut tree.context, hash, &bytes).unwrap());
    server.join().unwrap();
}

/// A graph that is refused does not stay for the next supervisor to find.
#[test]
fn a_refused_graph_is_taken_back() {
    let mut tree = Tree::new();
    let (hash, bytes) = bytes_of(&graph());
    let server = tree.serve(vec![Box::new(|mut peer: Peer| {
        let _ = peer.call();
        peer.refuse(&varlink::Error::InvalidGraph { reason: "a newer version".into() });
    })]);
    let error = tell(&mut tree.context, hash, &bytes).unwrap_err();
    assert_eq!(error.exit(), Exit::Invalid);
    assert!(!tree.context.paths.next().exists());
    server.join().unwrap();
}

/// A supervisor that goes on with it by itself is waited for.
#[test]
fn a_supervisor_that_goes_on_is_waited_for() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let (hash, bytes) = bytes_of(&graph());
    let busy = Box::new(|mut peer: Peer| {
        let _ = peer.call();
        peer.refuse(&varlink::Error::Busy { reason: "a new graph is being put in force".into() });
    });
    let watched = Box::new(|mut peer: Peer| assert_eq!(peer.call().0, "Watch"));
    let server = tree.serve(vec![busy, watched]);
    assert!(tell(&mut tree.context, hash, &bytes).unwrap());
    server.join().unwrap();
}

/// What starts, stops, restarts and reloads, and why.
#[test]
fn changes_are_told_with_their_reasons() {
    let mut new = graph();
    if let graph::Kind::Longrun(process) = &mut new.services[1].kind {
        process.exec.push("--debug".into());
    }
    new.services[2].description = "The node agent".into();
    new.services.remove(3);
    new.services[3].wants.retain(|id| id.0 != 3);
    let mut seatd = crate::fixture::longrun("seatd", "Seats", &[]);
    seatd.after = vec![];
    new.services.push(seatd);
    golden("apply.txt", &table(&changes(&graph(), &new)).text(None, false));
}
