//! The daemon's mind, without a daemon.

use proptest::prelude::*;

use super::*;
use crate::dbus::{Header, Kind};

const A: Client = Client(1);
const B: Client = Client(2);
const WANTED: &str = "type='signal',interface='org.freedesktop.login1.Manager',\
                      member='PrepareForShutdown',path='/org/freedesktop/login1'";

struct Node {
    manager: Manager,
    now_us: u64,
}

impl Node {
    fn new(clients: &[Client]) -> Self {
        let mut node = Self { manager: Manager::new(90, "g".into(), []), now_us: 0 };
        for client in clients {
            node.step(&Event::Connected { client: *client, pid: client.0, uid: 0 });
        }
        node
    }

    fn step(&mut self, event: &Event<'_>) -> Vec<Action> {
        self.manager.step(self.now_us, event)
    }

    fn call(&mut self, client: Client, method: (&str, &str), texts: &[&str]) -> Vec<Action> {
        self.step(&Event::Said(client, &call(method, texts)))
    }

    fn private(&mut self, client: Client, what: Private) -> Vec<Action> {
        self.call(client, (INTERFACE, what.name()), &[])
    }

    fn subscribe(&mut self, client: Client) {
        let actions = self.call(client, (call::DBUS, "AddMatch"), &[WANTED]);
        assert_eq!(kinds(&actions), [(client, Kind::Return, String::new())]);
    }
}

fn call((interface, member): (&str, &str), texts: &[&str]) -> Vec<u8> {
    let mut body = Writer::default();
    for text in texts {
        body.string(text);
    }
    let signature = "s".repeat(texts.len());
    let header = Header {
        serial: 9,
        path: "/org/freedesktop/login1",
        interface,
        member,
        signature: &signature,
        ..Header::default()
    };
    header.encode(&body)
}

/// To whom, what kind of message, and its error or its boolean.
fn kinds(actions: &[Action]) -> Vec<(Client, Kind, String)> {
    actions
        .iter()
        .map(|action| {
            let Action::Send(client, bytes) = action else { panic!("not a message: {action:?}") };
            let message = Message::decode(bytes).unwrap();
            let mut body = message.body;
            let text = match (message.header.kind, message.header.signature) {
                (Kind::Error, _) => message.header.error.rsplit('.').next().unwrap().to_owned(),
                (_, "b") => (body.u32().unwrap() == 1).to_string(),
                (_, "s") => body.string().unwrap().to_owned(),
                _ => String::new(),
            };
            (*client, message.header.kind, text)
        })
        .collect()
}

fn refused(actions: &[Action]) -> String {
    match kinds(actions).as_slice() {
        [(_, Kind::Error, name)] => name.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

fn signalled(client: Client, active: bool) -> (Client, Kind, String) {
    (client, Kind::Signal, active.to_string())
}

fn returned(client: Client) -> (Client, Kind, String) {
    (client, Kind::Return, String::new())
}

#[test]
fn a_client_that_wants_to_know_is_told_once() {
    let mut node = Node::new(&[A, B]);
    node.subscribe(A);
    let told = node.private(B, Private::Prepare);
    assert_eq!(kinds(&told), [returned(B), signalled(A, true)]);
    assert_eq!(kinds(&node.private(B, Private::Prepare)), [returned(B)]);
    assert!(node.manager.is_preparing());
    assert_eq!(kinds(&node.private(B, Private::Proceed)), [returned(B)]);
    assert!(node.step(&Event::Gone(B)).is_empty(), "it goes on without it");
    assert!(node.manager.is_preparing());
}

#[test]
fn an_announcement_whose_author_is_gone_is_taken_back() {
    let mut node = Node::new(&[A, B]);
    node.subscribe(A);
    let _ = node.private(B, Private::Prepare);
    assert_eq!(kinds(&node.step(&Event::Gone(B))), [signalled(A, false)]);
    assert!(!node.manager.is_preparing());
    assert!(node.step(&Event::Gone(B)).is_empty());
}

#[test]
fn who_subscribes_late_is_told_after_a_pause() {
    let mut node = Node::new(&[A, B]);
    let _ = node.private(B, Private::Prepare);
    node.subscribe(A);
    assert_eq!(node.manager.deadline_us(), Some(TELL_LATER_US));
    assert!(node.step(&Event::Due).is_empty(), "it is too early");
    node.now_us = TELL_LATER_US;
    assert_eq!(kinds(&node.step(&Event::Due)), [signalled(A, true)]);
    assert_eq!(node.manager.deadline_us(), None);
}

#[test]
fn a_shutdown_has_one_author() {
    let mut node = Node::new(&[A, B]);
    let _ = node.private(A, Private::Prepare);
    assert_eq!(refused(&node.private(B, Private::Prepare)), "Failed");
    assert_eq!(refused(&node.private(B, Private::Proceed)), "Failed");
    assert_eq!(kinds(&node.private(B, Private::Cancel)), [returned(B)]);
    assert_eq!(refused(&node.private(A, Private::Proceed)), "Failed", "it was taken back");
}

#[test]
fn a_lock_is_made_and_forgotten() {
    let mut node = Node::new(&[A]);
    let wish = ["shutdown", "kubelet", "why", "delay"];
    let actions = node.call(A, (call::MANAGER, "Inhibit"), &wish);
    let [Action::Grant { client: A, lock, granted, refused }] = &*actions else {
        panic!("{actions:?}")
    };
    assert_eq!((lock.id, lock.pid, lock.who.as_str()), (LockId(1), 1, "kubelet"));
    let granted = Message::decode(granted).unwrap().header;
    assert_eq!((granted.signature, granted.descriptors, granted.reply_to), ("h", 1, 9));
    assert_eq!(Message::decode(refused).unwrap().header.kind, Kind::Error);
    assert_eq!(node.step(&Event::Released(lock.id)), [Action::Forget(LockId(1))]);
    assert!(node.step(&Event::Released(lock.id)).is_empty());
    // A lock outlives its holder's connection: the descriptor is what counts.
    let _ = node.call(A, (call::MANAGER, "Inhibit"), &wish);
    let _ = node.step(&Event::Gone(A));
    assert_eq!(node.manager.locks().count(), 1);
}

#[test]
fn there_are_not_more_locks_than_anyone_needs() {
    let mut node = Node::new(&[A]);
    let wish = ["shutdown", "kubelet", "why", "delay"];
    for _ in 0..LOCKS_MAX {
        let actions = node.call(A, (call::MANAGER, "Inhibit"), &wish);
        assert!(matches!(&*actions, [Action::Grant { .. }]));
    }
    assert_eq!(refused(&node.call(A, (call::MANAGER, "Inhibit"), &wish)), "LimitsExceeded");
    for _ in 0..16 {
        node.subscribe(A);
    }
    assert_eq!(refused(&node.call(A, (call::DBUS, "AddMatch"), &[WANTED])), "LimitsExceeded");
}

#[test]
fn a_new_daemon_knows_the_locks_of_the_old_one() {
    let mut node = Node::new(&[A]);
    let _ = node.call(A, (call::MANAGER, "Inhibit"), &["shutdown", "a", "b", "delay"]);
    let locks: Vec<Lock> = node.manager.locks().cloned().collect();
    let mut next = Manager::new(90, String::new(), locks);
    assert_eq!(next.locks().count(), 1);
    let _ = next.step(0, &Event::Connected { client: A, pid: 1, uid: 0 });
    let wish = call((call::MANAGER, "Inhibit"), &["shutdown", "a", "b", "delay"]);
    let _ = next.step(0, &Event::Said(A, &wish));
    let ids: Vec<u32> = next.locks().map(|lock| lock.id.0).collect();
    assert_eq!(ids, [1, 2], "no number is used twice");
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let mut node = Node::new(&[A]);
    let manager = call::MANAGER;
    let properties = "org.freedesktop.DBus.Properties";
    for (method, texts, error) in [
        ((manager, "PowerOff"), &[][..], "UnknownMethod"),
        ((INTERFACE, "Prepare"), &["now"], "InvalidArgs"),
        ((INTERFACE, "Explode"), &[], "UnknownMethod"),
        ((manager, "Inhibit"), &["shutdown"], "InvalidArgs"),
        ((manager, "Inhibit"), &["lunch", "a", "b", "delay"], "InvalidArgs"),
        ((manager, "Inhibit"), &["shutdown", "a", "b", "block"], "NotSupported"),
        ((properties, "Get"), &[manager, "Colour"], "UnknownProperty"),
        ((properties, "Get"), &["a.b", "InhibitDelayMaxUSec"], "UnknownProperty"),
        ((call::DBUS, "AddMatch"), &["nonsense"], "MatchRuleInvalid"),
        ((call::DBUS, "RemoveMatch"), &["type='signal'"], "MatchRuleNotFound"),
        ((call::DBUS, "GetNameOwner"), &["a.b"], "NameHasNoOwner"),
    ] {
        assert_eq!(refused(&node.call(A, method, texts)), error, "{method:?} {texts:?}");
    }
    let elsewhere = Header {
        serial: 1,
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "KillUnit",
        destination: "org.freedesktop.systemd1",
        ..Header::default()
    };
    let actions = node.step(&Event::Said(A, &elsewhere.encode(&Writer::default())));
    assert_eq!(refused(&actions), "ServiceUnknown");
    let quiet = Header { no_reply: true, ..elsewhere }.encode(&Writer::default());
    assert!(node.step(&Event::Said(A, &quiet)).is_empty());
}

#[test]
fn a_client_learns_what_it_asks() {
    let mut node = Node::new(&[A]);
    let text = |actions: &[Action]| kinds(actions).pop().unwrap().2;
    assert_eq!(text(&node.call(A, (call::DBUS, "Hello"), &[])), ":1.2");
    assert_eq!(text(&node.call(A, (call::DBUS, "GetId"), &[])), "g");
    assert_eq!(text(&node.call(A, (call::DBUS, "NameHasOwner"), &[call::LOGIN1])), "true");
    assert_eq!(text(&node.call(A, (call::DBUS, "GetNameOwner"), &[call::LOGIN1])), ":1.0");
    let get = ("org.freedesktop.DBus.Properties", "Get");
    let actions = node.call(A, get, &[call::MANAGER, "InhibitDelayMaxUSec"]);
    let Some(Action::Send(_, bytes)) = actions.first() else { panic!("{actions:?}") };
    let mut body = Message::decode(bytes).unwrap().body;
    assert_eq!(body.signature().unwrap(), "t");
    body.align(8).unwrap();
    assert_eq!(body.take(8).unwrap(), 90_u64.to_le_bytes());
}

/// What a client may do to the daemon.
fn deed() -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
    (0_u8..14, 0_u8..4, proptest::collection::vec(any::<u8>(), 0..80))
}

proptest! {
    /// Whatever clients do: nobody hears the same twice in a row, actions name clients that are
    /// there, replies are messages, and everything stays within its bounds.
    #[test]
    fn no_client_can_confuse_it(deeds in proptest::collection::vec(deed(), 1..80)) {
        let mut node = Node::new(&[A, B]);
        let mut told = std::collections::BTreeMap::new();
        for ((what, who, noise), turn) in deeds.into_iter().zip(0_u64..) {
            let client = Client(u32::from(who));
            node.now_us = turn.saturating_mul(200_000);
            let inhibit = ["shutdown", "a", "b", "delay"];
            let actions = match what {
                0 => node.step(&Event::Connected { client, pid: 1, uid: 0 }),
                1 => { told.remove(&client); node.step(&Event::Gone(client)) }
                2 | 3 => node.call(client, (call::DBUS, "AddMatch"), &[WANTED]),
                4 | 5 => node.private(client, Private::Prepare),
                6 => node.private(client, Private::Proceed),
                7 => node.private(client, Private::Cancel),
                8 => node.call(client, (call::MANAGER, "Inhibit"), &inhibit),
                9 => node.call(client, (call::MANAGER, "ListInhibitors"), &[]),
                10 => {
                    let id = noise.first().copied().unwrap_or(1);
                    node.step(&Event::Released(LockId(id.into())))
                }
                11 => node.step(&Event::Due),
                12 => node.call(client, (call::DBUS, "RemoveMatch"), &[WANTED]),
                _ => node.step(&Event::Said(client, &noise)),
            };
            if what == 0 { told.remove(&client); }
            for action in &actions {
                let Action::Send(to, bytes) = action else { continue };
                prop_assert!(node.manager.sessions.contains_key(to));
                let message = Message::decode(bytes).unwrap();
                if message.header.kind == Kind::Signal {
                    let active = message.body.clone().u32().unwrap() == 1;
                    prop_assert_ne!(told.insert(*to, active).unwrap_or(false), active);
                }
            }
            prop_assert!(node.manager.locks.len() <= LOCKS_MAX);
        }
    }
}
