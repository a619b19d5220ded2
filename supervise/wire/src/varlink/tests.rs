//! The types and the IDL texts agree.

extern crate std;

use alloc::{string::String, vec, vec::Vec};
use serde::Serialize;
use serde_json::{Value, json};

use super::*;

/// The names inside the parentheses that follow `head` in the IDL, comments left out.
fn members(idl: &str, head: &str) -> Vec<String> {
    let text: String = idl
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n");
    let (_, rest) = text.split_once(head).unwrap_or_else(|| panic!("{head} is not in the IDL"));
    let (inside, _) = rest.split_once(')').unwrap();
    inside
        .split(',')
        .map(|member| member.split(':').next().unwrap().trim().into())
        .filter(|member: &String| !member.is_empty())
        .collect()
}

/// The keys that a value has on the wire.
fn keys(value: &impl Serialize) -> Vec<String> {
    let Value::Object(map) = serde_json::to_value(value).unwrap() else { panic!("not an object") };
    map.keys().cloned().collect()
}

fn same(idl: &str, head: &str, value: &impl Serialize) {
    let mut expected = members(idl, head);
    let mut found = keys(value);
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{head}");
}

fn full_service() -> Service {
    Service {
        name: "sshd".into(),
        description: "OpenSSH".into(),
        kind: Kind::Longrun,
        state: State::Ready,
        goal: Goal::Up,
        why: String::new(),
        waiting_on: Some("net".into()),
        since_us: 1,
        until_us: Some(2),
        pid: Some(3),
        incarnation: 1,
        failures: 0,
        crash_looping: false,
        restarts: 0,
        last_end: Some(full_end()),
        reload_failed: Some(full_end()),
        status: Some("x".into()),
    }
}

fn full_end() -> End {
    End {
        cause: EndCause::Exited,
        code: Some(1),
        signal: Some(1),
        step: Some("exec".into()),
        errno: Some(2),
        text: "exit 1".into(),
    }
}

/// Every method of the types is one of the IDL, and the other way round.
#[test]
fn methods_are_those_of_the_idl() {
    let declared = |interface: &str, idl: &str| -> Vec<String> {
        idl.lines()
            .filter_map(|line| line.strip_prefix("method "))
            .map(|rest| std::format!("{interface}.{}", rest.split('(').next().unwrap()))
            .collect()
    };
    let mut expected = declared(INTERFACE, DESCRIPTION);
    expected.extend(declared(SERVICE_INTERFACE, SERVICE_DESCRIPTION));
    let known: Vec<String> = Method::ALL.iter().map(|method| method.name().into()).collect();
    assert_eq!(known, expected);
}

/// Every struct has the members that the IDL declares.
#[test]
fn structs_have_the_members_of_the_idl() {
    let idl = DESCRIPTION;
    same(idl, "type Service (", &full_service());
    same(idl, "type End (", &full_end());
    same(idl, "type Steps (", &Steps::default());
    let change =
        Change { name: String::new(), reaction: Reaction::Keep, keys: vec![], why: String::new() };
    same(idl, "type Change (", &change);
    same(idl, "type Link (", &Link { name: String::new(), state: State::Down, why: String::new() });
    let trace =
        Trace { name: String::new(), start_us: 0, ready_us: Some(1), after: Some(String::new()) };
    same(idl, "type Trace (", &trace);
    same(idl, "method Status(", &StatusParameters::default());
    let some = Some(true);
    let start = StartParameters { names: vec![], plan: some, wait: some, timeout_us: Some(1) };
    same(idl, "method Start(", &start);
    let stop =
        StopParameters { names: vec![], force: some, plan: some, wait: some, timeout_us: Some(1) };
    same(idl, "method Stop(", &stop);
    let restart = RestartParameters {
        names: vec![],
        with_dependents: some,
        plan: some,
        wait: some,
        timeout_us: Some(1),
    };
    same(idl, "method Restart(", &restart);
    let reload = ReloadParameters { names: vec![], plan: some, wait: some, timeout_us: Some(1) };
    same(idl, "method Reload(", &reload);
    same(idl, "method Signal(", &SignalParameters { name: String::new(), signal: 1, all: some });
    same(idl, "method Apply(", &ApplyParameters { dry_run: some });
    let plan = PlanParameters { order: Order::Stop, names: vec![], with_dependents: some };
    same(idl, "method Plan(", &plan);
    same(idl, "method Explain(", &ExplainParameters::default());
    same(idl, "method Watch(", &WatchParameters { names: Some(vec![]) });
    let shutdown = ShutdownParameters { ending: Ending::Exit, exit_status: Some(0) };
    same(idl, "method Shutdown(", &shutdown);
    same(idl, "method List() -> (", &ListReply::default());
    same(idl, "method Apply(dry_run: ?bool) -> (", &ApplyReply::default());
    same(idl, "method BootTrace() -> (", &BootTraceReply::default());
    let explain = ExplainReply { service: full_service(), chain: vec![], now_us: 0 };
    same(idl, "method Explain(name: string) -> (", &explain);
    same(SERVICE_DESCRIPTION, "method GetInfo() -> (", &InfoReply::default());
}

/// Every word of an enum on the wire is declared.
#[test]
fn enums_have_the_words_of_the_idl() {
    let word = |value: Value| value.as_str().unwrap().into();
    let words = |values: Vec<Value>| values.into_iter().map(word).collect::<Vec<String>>();
    let states = [
        State::Down,
        State::Waiting,
        State::Starting,
        State::Ready,
        State::Degraded,
        State::Stopping,
        State::Backoff,
        State::Ended,
        State::Failed,
        State::Skipped,
        State::Running,
        State::Done,
        State::Undoing,
    ];
    assert_eq!(
        words(states.iter().map(|s| json!(s)).collect()),
        members(DESCRIPTION, "type State (")
    );
    assert!(states.iter().all(|state| json!(state) == json!(state.word())));
    let kinds = [Kind::Longrun, Kind::Oneshot, Kind::Bundle];
    assert_eq!(
        words(kinds.iter().map(|k| json!(k)).collect()),
        members(DESCRIPTION, "type Kind (")
    );
    let goals = [Goal::Up, Goal::Down];
    assert_eq!(
        words(goals.iter().map(|g| json!(g)).collect()),
        members(DESCRIPTION, "type Goal (")
    );
    let causes = [
        EndCause::Stopped,
        EndCause::Exited,
        EndCause::Signalled,
        EndCause::Lost,
        EndCause::NotSpawned,
        EndCause::StartTimeout,
        EndCause::Watchdog,
        EndCause::Unhealthy,
        EndCause::Permanent,
    ];
    assert_eq!(
        words(causes.iter().map(|c| json!(c)).collect()),
        members(DESCRIPTION, "type EndCause (")
    );
    let orders = [Order::Start, Order::Stop, Order::Restart, Order::Reload];
    assert_eq!(
        words(orders.iter().map(|o| json!(o)).collect()),
        members(DESCRIPTION, "type Order (")
    );
    let reactions =
        [Reaction::Start, Reaction::Stop, Reaction::Restart, Reaction::Reload, Reaction::Keep];
    assert_eq!(
        words(reactions.iter().map(|r| json!(r)).collect()),
        members(DESCRIPTION, "type Reaction (")
    );
    let endings = [Ending::Poweroff, Ending::Reboot, Ending::Halt, Ending::Kexec, Ending::Exit];
    assert_eq!(
        words(endings.iter().map(|e| json!(e)).collect()),
        members(DESCRIPTION, "type Ending (")
    );
}

/// Every error survives the wire, under a name and with members that an IDL declares.
#[test]
fn errors_are_those_of_the_idl() {
    let text = || String::from("x");
    let errors = [
        Error::UnknownService { name: text(), nearest: Some(text()) },
        Error::NotAllowed {},
        Error::WouldStop { names: vec![text()] },
        Error::InvalidGraph { reason: text() },
        Error::Busy { reason: text() },
        Error::Failed { name: text(), why: text() },
        Error::TimedOut { name: text(), why: text() },
        Error::InterfaceNotFound { interface: text() },
        Error::MethodNotFound { method: text() },
        Error::MethodNotImplemented { method: text() },
        Error::InvalidParameter { parameter: text() },
        Error::PermissionDenied {},
        Error::ExpectedMore {},
    ];
    let declared =
        DESCRIPTION.matches("\nerror ").count() + SERVICE_DESCRIPTION.matches("\nerror ").count();
    assert_eq!(declared, errors.len());
    for error in errors {
        let value = serde_json::to_value(&error).unwrap();
        let name = value["error"].as_str().unwrap();
        let (interface, short) = name.rsplit_once('.').unwrap();
        let idl = if interface == INTERFACE { DESCRIPTION } else { SERVICE_DESCRIPTION };
        same(idl, &std::format!("error {short}("), &value["parameters"]);
        assert_eq!(serde_json::from_value::<Error>(value).unwrap(), error);
    }
}

/// A name that is no method is refused by the error that Varlink has for it.
#[test]
fn unknown_methods_are_told_from_unknown_interfaces() {
    let refused = |name: &str| Method::named(name).unwrap_err();
    assert!(matches!(refused("org.cooper.Services.Fly"), Error::MethodNotFound { .. }));
    assert!(matches!(refused("io.other.List"), Error::InterfaceNotFound { .. }));
    assert!(matches!(refused(""), Error::InterfaceNotFound { .. }));
    assert!(Method::ALL.iter().all(|method| Method::named(method.name()).as_ref() == Ok(method)));
}

/// What the IDL marks `?` may be absent; what it does not declare is refused.
#[test]
fn parameters_are_checked() {
    let start: StartParameters = serde_json::from_value(json!({"names": ["a"]})).unwrap();
    assert_eq!(start, StartParameters { names: vec!["a".into()], ..Default::default() });
    assert!(serde_json::from_value::<StartParameters>(json!({})).is_err());
    assert!(serde_json::from_value::<StartParameters>(json!({"names": [], "x": 1})).is_err());
    let call: Call<Value> = serde_json::from_value(json!({"method": "m"})).unwrap();
    assert!(call.parameters.is_none() && !call.more && !call.oneway && !call.upgrade);
}

/// Types, methods and errors of an interface share one set of names: systemd's parser insists.
#[test]
fn names_of_an_interface_are_unique() {
    for idl in [DESCRIPTION, SERVICE_DESCRIPTION] {
        let mut names: Vec<&str> = idl
            .lines()
            .filter_map(|line| {
                let rest =
                    ["type ", "method ", "error "].iter().find_map(|w| line.strip_prefix(w))?;
                rest.split(['(', ' ']).next()
            })
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
