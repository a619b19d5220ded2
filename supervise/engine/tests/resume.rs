//! An engine from records: with a new graph, with too few of them, and with ids that nobody has.

mod common;

use common::{graph, longrun};
use engine::{Engine, Goal, Request, Saved, Status, Wait};
use graph::ServiceId;
use unit::{Action, Alive, Event, Incarnation, Instant, Process, Reloading, State, Unit};

const NOW: Instant = Instant(1_000_000);

const fn alive(_: ServiceId) -> Alive {
    Alive { main: Process::Alive, executed: true, command: Process::Never }
}

fn up() -> Saved {
    let state = State::Up { since: NOW, degraded: false, reloading: Reloading::No, watchdog: None };
    Saved { unit: Unit { state, incarnation: Incarnation(7), ..Unit::new() }, goal: Goal::Up }
}

fn actions(engine: &mut Engine) -> Vec<(ServiceId, Action)> {
    std::iter::from_fn(|| engine.next_action()).collect()
}

fn changes(engine: &mut Engine) -> Vec<ServiceId> {
    std::iter::from_fn(|| engine.next_change()).collect()
}

#[test]
fn what_a_new_graph_requires_is_started_beneath_what_is_up() {
    // `app` was up with the old graph. The new one says that it requires `db`, which is new.
    let mut services = vec![longrun("db"), longrun("app")];
    services[1].requires.push(ServiceId(0));
    let saved = [Saved::default(), up()];
    let mut engine = Engine::resume(&graph(services), &saved, alive, NOW);
    assert_eq!(engine.status(ServiceId(0)).goal, Goal::Up);
    assert_eq!(actions(&mut engine), [(ServiceId(0), Action::Spawn(Incarnation(1)))]);
    assert_eq!(engine.status(ServiceId(1)).unit, up().unit, "nothing happens to what is up");
    assert!(!engine.quiet() && !engine.all_down());
}

#[test]
fn what_is_only_wanted_by_a_new_graph_is_not_started() {
    let mut services = vec![longrun("db"), longrun("app")];
    services[1].wants.push(ServiceId(0));
    let saved = [Saved::default(), up()];
    let mut engine = Engine::resume(&graph(services), &saved, alive, NOW);
    assert_eq!((engine.status(ServiceId(0)).goal, actions(&mut engine)), (Goal::Down, vec![]));
    assert!(engine.quiet() && !engine.all_down());
}

#[test]
fn a_service_without_a_record_is_down_and_not_wanted() {
    let mut engine = Engine::resume(&graph(vec![longrun("a"), longrun("b")]), &[up()], alive, NOW);
    assert_eq!(engine.status(ServiceId(1)), Status::default());
    assert_eq!(actions(&mut engine), []);
    assert_eq!(changes(&mut engine), [ServiceId(0), ServiceId(1)], "all records are written anew");
    assert_eq!(engine.saved(ServiceId(0)), up());
}

#[test]
fn deadlines_go_on() {
    let deadline = NOW.after_ms(3_000);
    let unit = Unit { state: State::Starting { deadline, watchdog_us: 0 }, ..up().unit };
    let saved = [Saved { unit, goal: Goal::Up }];
    let mut engine = Engine::resume(&graph(vec![longrun("a")]), &saved, alive, NOW);
    assert_eq!(engine.deadline(), Some(deadline));
    assert_eq!(actions(&mut engine), [(ServiceId(0), Action::ProbeReady(Incarnation(7)))]);
    engine.tick(deadline);
    let asked = [Action::ProbeNot, Action::SignalMain].map(|action| (ServiceId(0), action));
    assert_eq!(actions(&mut engine), asked);
    assert_eq!(engine.deadline(), Some(deadline.after_ms(10_000)));
}

#[test]
fn a_service_that_does_not_exist_is_nobody() {
    let mut engine = Engine::new(&graph(vec![longrun("a")]));
    let nobody = ServiceId(1);
    engine.handle(NOW, nobody, Event::Start);
    engine.request(NOW, Request::Start, &[nobody, ServiceId(u32::MAX)]);
    engine.request(NOW, Request::Restart { with_dependents: true }, &[nobody]);
    assert_eq!((actions(&mut engine), changes(&mut engine)), (vec![], vec![]));
    assert_eq!(engine.status(nobody), Status::default());
    assert_eq!(engine.why(nobody), [(nobody, Wait::Nothing)]);
}

#[test]
fn the_earlier_of_two_shutdowns_counts() {
    let mut engine = Engine::resume(&graph(vec![longrun("a")]), &[up()], alive, NOW);
    assert!(!engine.shutdown_over(Instant(u64::MAX)), "none has begun");
    engine.shutdown(NOW, NOW.after_ms(2_000));
    engine.shutdown(NOW, NOW.after_ms(9_000));
    assert!(!engine.shutdown_over(NOW.after_ms(1_999)));
    assert!(engine.shutdown_over(NOW.after_ms(2_000)));
}
