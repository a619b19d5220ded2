//! What is waited for, and for how long.

use serde_json::{Value, json};
use wire::varlink::{End, EndCause};

use super::*;
use crate::fixture::{Peer, Serve, Tree};

fn service(name: &str, state: State) -> Service {
    Service {
        name: name.into(),
        description: String::new(),
        kind: Kind::Longrun,
        state,
        goal: Goal::Up,
        why: String::new(),
        waiting_on: None,
        since_us: 0,
        until_us: None,
        pid: None,
        incarnation: 1,
        failures: 0,
        crash_looping: false,
        restarts: 0,
        last_end: None,
        reload_failed: None,
        status: None,
    }
}

fn list(services: &[Service]) -> Value {
    json!({"services": services, "now_us": 0})
}

/// A supervisor whose connections each tell one list after another, then break.
fn telling(connections: Vec<Vec<Value>>) -> Vec<Serve> {
    connections
        .into_iter()
        .map(|lists| {
            Box::new(move |mut peer: Peer| {
                assert_eq!(peer.call(), ("Watch".into(), json!({})));
                lists.iter().for_each(|list| peer.reply(list));
            }) as Serve
        })
        .collect()
}

fn wait(aim: &Aim, name: &str, connections: Vec<Vec<Value>>) -> Result<Exit, Error> {
    let mut tree = Tree::new();
    let server = tree.serve(telling(connections));
    let ended = follow(aim, &[name.into()], None, &mut tree.context);
    server.join().unwrap();
    ended
}

/// It ends when the service is up, and not before.
#[test]
fn a_start_is_waited_for() {
    let starting = list(&[service("a", State::Starting)]);
    let ready = list(&[service("a", State::Ready)]);
    let ended = wait(&Aim::Up, "a", vec![vec![starting, list(&[]), ready]]);
    assert_eq!(ended.unwrap(), Exit::Ok);
}

/// A supervisor that is replaced meanwhile is connected to again.
#[test]
fn a_replaced_supervisor_is_connected_to_again() {
    let starting = || vec![list(&[service("a", State::Starting)])];
    let ready = vec![list(&[service("a", State::Ready)])];
    let ended = wait(&Aim::Up, "a", vec![starting(), starting(), vec![], ready]);
    assert_eq!(ended.unwrap(), Exit::Ok);
}

/// One that fails is not waited for, and its reason is told; so is that of whom it waits for.
#[test]
fn a_failure_is_told() {
    let failed = Service { why: "exit 1".into(), ..service("a", State::Failed) };
    let error = wait(&Aim::Up, "a", vec![vec![list(&[failed])]]).unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.to_string(), "a is failed: exit 1 (`svc explain a`, `svc logs a`)");
    let waiting = Service {
        waiting_on: Some("b".into()),
        why: "for b: failed 3 s ago (exit 1)".into(),
        ..service("a", State::Waiting)
    };
    let services = [waiting, service("b", State::Backoff)];
    let error = wait(&Aim::Up, "a", vec![vec![list(&services)]]).unwrap_err();
    assert!(error.to_string().starts_with("a is waiting: for b: failed"), "{error}");
}

/// A restart is over with the next life, not with the one that was there before.
#[test]
fn a_restart_wants_a_new_life() {
    let life = |incarnation, state| Service { incarnation, ..service("a", state) };
    let before = BTreeMap::from([("a".into(), 4)]);
    let lists = vec![
        list(&[life(4, State::Ready)]),
        list(&[life(4, State::Stopping)]),
        list(&[life(5, State::Starting)]),
        list(&[life(5, State::Ready)]),
    ];
    assert_eq!(wait(&Aim::Again(before.clone()), "a", vec![lists]).unwrap(), Exit::Ok);
    let known = |service: Service| BTreeMap::from([(service.name.clone(), service)]);
    let aim = Aim::Again(before);
    let old = verdict(&aim, "a", &known(life(4, State::Failed)));
    assert_eq!(old, Verdict::Pending("a".into()));
    let new = verdict(&aim, "a", &known(life(5, State::Failed)));
    assert_eq!(new, Verdict::Failed("failed".into()));
}

/// A stop is over when it is down; one that somebody undoes has failed.
#[test]
fn a_stop_is_waited_for() {
    let down = |state, goal| list(&[Service { goal, ..service("a", state) }]);
    let stopping = down(State::Stopping, Goal::Down);
    let ended = wait(&Aim::Down, "a", vec![vec![stopping.clone(), down(State::Down, Goal::Down)]]);
    assert_eq!(ended.unwrap(), Exit::Ok);
    let undone = wait(&Aim::Down, "a", vec![vec![stopping, down(State::Starting, Goal::Up)]]);
    assert_eq!(undone.unwrap_err().exit(), Exit::Failed);
}

/// A reload is over when it says so.
#[test]
fn a_reload_is_waited_for() {
    let reloading = Service { until_us: Some(1), ..service("a", State::Ready) };
    let lists = vec![list(&[reloading]), list(&[service("a", State::Ready)])];
    assert_eq!(wait(&Aim::Reloaded, "a", vec![lists]).unwrap(), Exit::Ok);
}

/// A reload whose command fails has failed, and it is said how. It may run again first.
#[test]
fn a_reload_that_fails_has_failed() {
    let end = End {
        cause: EndCause::Exited,
        code: Some(1),
        signal: None,
        step: None,
        errno: None,
        text: "exit 1".into(),
    };
    let why = "its reload command failed: exit 1".to_owned();
    let failed = Service { reload_failed: Some(end), why, ..service("a", State::Ready) };
    let again = Service { until_us: Some(1), ..failed.clone() };
    let error = wait(&Aim::Reloaded, "a", vec![vec![list(&[again]), list(&[failed])]]);
    let error = error.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    let told = "a is ready: its reload command failed: exit 1 (`svc explain a`, `svc logs a`)";
    assert_eq!(error.to_string(), told);
}

/// Patience ends with its own exit status, and says what it waited for.
#[test]
fn patience_ends() {
    let mut tree = Tree::new();
    let (done, until) = std::sync::mpsc::channel::<()>();
    let server = tree.serve(vec![Box::new(move |mut peer: Peer| {
        let _ = peer.call();
        let waiting = Service { waiting_on: Some("b".into()), ..service("a", State::Waiting) };
        peer.reply(&list(&[waiting, service("b", State::Starting)]));
        let _ = until.recv();
    })]);
    let timeout = Some(Duration::from_millis(50));
    let error = follow(&Aim::Up, &["a".into()], timeout, &mut tree.context).unwrap_err();
    assert_eq!(error.exit(), Exit::TimedOut);
    assert!(error.to_string().starts_with("not in time: waiting for b (starting, "), "{error}");
    drop(done);
    server.join().unwrap();
}

/// Waits that lead in a circle, which only a broken supervisor tells, are survived.
#[test]
fn a_circle_of_waits_ends() {
    let on = |name: &str, other: &str| {
        let waiting = Service { waiting_on: Some(other.into()), ..service(name, State::Waiting) };
        (String::from(name), waiting)
    };
    let known = BTreeMap::from([on("a", "b"), on("b", "a")]);
    assert!(matches!(verdict(&Aim::Up, "a", &known), Verdict::Pending(_)));
}
