//! Orders, and supervisors that die while they are given.

use serde_json::json;
use wire::varlink;

use super::*;
use crate::{
    args::Patience,
    fixture::{Peer, Serve, Tree, graph, record, records, up},
};

fn patience() -> Patience {
    Patience { no_wait: true, timeout: None }
}

fn stop(tree: &mut Tree, name: &str, force: bool) -> Result<Exit, Error> {
    let names = vec![name.into()];
    super::stop(&args::Start { names, force, patience: patience() }, &mut tree.context)
}

fn restart(tree: &mut Tree, name: &str) -> Result<Exit, Error> {
    let names = vec![name.into()];
    let args = args::Restart { names, with_dependents: false, patience: patience() };
    super::restart(&args, &mut tree.context)
}

/// Expects a call, and answers with a plan that stops these.
fn answering(method: &'static str, stops: &'static [&'static str]) -> Serve {
    Box::new(move |mut peer: Peer| {
        assert_eq!(peer.call().0, method);
        let plan = json!({"start": [], "stop": stops, "restart": [], "reload": []});
        peer.reply(&json!({ "plan": plan }));
    })
}

/// Expects a call, and dies.
fn dying(method: &'static str) -> Serve {
    Box::new(move |mut peer: Peer| assert_eq!(peer.call().0, method))
}

/// A stop that reaches further than what was named is refused where nobody can be asked, and
/// shows what it would do.
#[test]
fn a_stop_that_reaches_further_is_refused() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let server = tree.serve(vec![answering("Plan", &["kubelet", "containerd"])]);
    let error = stop(&mut tree, "containerd", false).unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.to_string(), "refused: it would also stop kubelet; --force does it");
    assert_eq!(tree.err.text(), "stop    kubelet\nstop    containerd\n");
    server.join().unwrap();
}

/// With --force, or when it reaches no further, it is done.
#[test]
fn a_stop_with_consent_is_done() {
    for (force, stops) in [(true, &["kubelet", "containerd"][..]), (false, &["containerd"])] {
        let mut tree = Tree::new();
        tree.publish(&graph(), &records());
        let server = tree.serve(vec![answering("Plan", stops), answering("Stop", stops)]);
        assert_eq!(stop(&mut tree, "containerd", force).unwrap(), Exit::Ok);
        server.join().unwrap();
    }
}

/// An alias is ordered by its service's own name; an unknown name orders nothing.
#[test]
fn names_are_resolved_first() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let called = Box::new(|mut peer: Peer| {
        let (method, parameters) = peer.call();
        assert_eq!((method.as_str(), &parameters["names"]), ("Restart", &json!(["sshd"])));
        peer.reply(&json!({"plan": {"start": [], "stop": [], "restart": ["sshd"], "reload": []}}));
    });
    let server = tree.serve(vec![called]);
    assert_eq!(restart(&mut tree, "ssh").unwrap(), Exit::Ok);
    server.join().unwrap();
    assert_eq!(restart(&mut tree, "shsd").unwrap_err().exit(), Exit::Unknown);
}

/// A supervisor that dies before it answers is asked again: twice a stop is one stop.
#[test]
fn an_order_that_may_be_repeated_is() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let server = tree.serve(vec![
        answering("Plan", &[]),
        dying("Stop"),
        dying("Stop"),
        answering("Stop", &[]),
    ]);
    assert_eq!(stop(&mut tree, "sshd", false).unwrap(), Exit::Ok);
    server.join().unwrap();
}

/// A restart is given again only if the state table does not show that it was taken.
#[test]
fn a_restart_is_not_done_twice() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let server = tree.serve(vec![dying("Restart"), answering("Restart", &[])]);
    assert_eq!(restart(&mut tree, "sshd").unwrap(), Exit::Ok);
    server.join().unwrap();

    let before = Lives::of(&["sshd".into()], &tree.context);
    assert_eq!(before.have_changed(&tree.context), Taken::Unknown);
    let mut again = records();
    again[3] = up(0);
    again[3].unit.incarnation.0 += 1;
    tree.publish(&graph(), &again);
    assert_eq!(before.have_changed(&tree.context), Taken::Yes);
    again[3] = record(unit::State::Down, 0);
    tree.publish(&graph(), &again);
    assert_eq!(before.have_changed(&tree.context), Taken::Yes);
}

/// Supervisors that die one after the other are not asked for ever.
#[test]
fn repeating_ends() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let server = tree.serve((0..BREAKS_MAX).map(|_| dying("Restart")).collect());
    let error = restart(&mut tree, "sshd").unwrap_err();
    assert_eq!(error.exit(), Exit::System);
    assert!(error.to_string().ends_with("repeat the command"), "{error}");
    server.join().unwrap();
}

/// What supervise refuses is told in its words, and not repeated.
#[test]
fn a_refusal_is_told() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let refuse = Box::new(|mut peer: Peer| {
        let _ = peer.call();
        peer.refuse(&varlink::Error::NotAllowed {});
    });
    let server = tree.serve(vec![refuse]);
    let error = restart(&mut tree, "sshd").unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.to_string(), "only root and operators may do this");
    server.join().unwrap();
}
