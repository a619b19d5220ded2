//! Every order of events, over every graph of four services.
//!
//! Covered, each to its fixed point: all 31 shapes of directed acyclic graphs of four nodes with
//! `requires`, and all 2724 that mix `requires`, `wants` and `after` (one of each class that
//! differs only by names); spawns that work, are refused, or find a condition unmet; exits, early,
//! late or never; readiness, early, late or never; deadlines that pass at any time, in any order;
//! each news told twice; in the middle of anything a start, stop, restart (alone or with
//! dependents) or reset of any service, or a shutdown; longruns, oneshots and bundles; a conflict
//! between any two; and the supervisor killed after any number of the records and any number of
//! the actions of each step. Budgets say how many faults and how many requests one path may have;
//! with none left, what is bound to happen still happens, to the end.
//!
//! Checked: I1, I3, I4, I6 and conflicts at each step; I5, and I7 after a shutdown, wherever
//! nothing more happens by itself, and that this is always reached (no path goes round in circles);
//! I9 by comparing what follows a crash with what would have followed without; that plans say what
//! is done. I2 is the unit's own (`explore` there), as are the times of I6 (transcripts); I8 is in
//! `large`.
//!
//! Not covered: commands, probes, watchdogs and sweeps of cgroups, which no other service sees but
//! as a stop that takes longer; the one neighbour at which a look begins (it only decides which of
//! several reasons is named). States are told apart by a hash of 64 bits.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly"
)]

mod common;

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::{DefaultHasher, Hash, Hasher},
};

use common::{
    bundle, graph, ids, longrun, oneshot,
    world::{Choice, Input, World},
};
use engine::Request;
use graph::{Graph, Service, ServiceId};

/// How much may go wrong, and how often minds may change, along one path.
#[derive(Clone, Copy)]
struct Budget {
    faults: u8,
    requests: u8,
}

#[derive(Debug, Default)]
struct Found {
    graphs: usize,
    worlds: usize,
    steps: usize,
    crashes: usize,
}

/// Kinds of edges from a later service to an earlier one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Edge {
    None,
    Requires,
    Wants,
    After,
}

const COUNT: usize = 4;

#[test]
fn every_graph_of_requires() {
    let all =
        Family { first: Input::StartAll, budget: Budget { faults: 1, requests: 1 }, crashes: true };
    let found = all.explore(requires().iter().map(|shape| graph_of(shape, longrun)));
    assert!(found.worlds > 100_000, "the model has become too small");
}

#[test]
fn every_graph_with_two_faults() {
    let all = Family {
        first: Input::StartAll,
        budget: Budget { faults: 2, requests: 0 },
        crashes: false,
    };
    let found = all.explore(requires().iter().map(|shape| graph_of(shape, longrun)));
    assert!(found.worlds > 10_000, "the model has become too small");
}

#[test]
fn every_graph_with_two_changes_of_mind() {
    let all = Family {
        first: Input::StartAll,
        budget: Budget { faults: 0, requests: 2 },
        crashes: false,
    };
    let found = all.explore(requires().iter().map(|shape| graph_of(shape, longrun)));
    assert!(found.worlds > 10_000, "the model has become too small");
}

#[test]
fn every_mix_of_relations() {
    let shapes = shapes(&[Edge::None, Edge::Requires, Edge::Wants, Edge::After]);
    let all = Family {
        first: Input::StartAll,
        budget: Budget { faults: 1, requests: 0 },
        crashes: false,
    };
    let found = all.explore(shapes.iter().map(|shape| graph_of(shape, longrun)));
    assert!(found.worlds > 10_000, "the model has become too small");
    let all = Family {
        first: Input::StartAll,
        budget: Budget { faults: 0, requests: 1 },
        crashes: false,
    };
    let found = all.explore(shapes.iter().map(|shape| graph_of(shape, longrun)));
    assert!(found.worlds > 10_000, "the model has become too small");
}

#[test]
fn every_mix_of_relations_with_a_part_of_it_started_first() {
    let shapes = shapes(&[Edge::None, Edge::Requires, Edge::Wants]);
    let first = Input::Asked(Request::Start, ServiceId(1));
    let all = Family { first, budget: Budget { faults: 1, requests: 1 }, crashes: false };
    let found = all.explore(shapes.iter().map(|shape| graph_of(shape, longrun)));
    assert!(found.worlds > 10_000, "the model has become too small");
}

#[test]
fn every_kind_of_service() {
    let kinds: [[Kind; 4]; 4] = [
        [oneshot, oneshot, oneshot, oneshot],
        [longrun, oneshot, bundle, longrun],
        [oneshot, bundle, longrun, oneshot],
        [bundle, longrun, oneshot, bundle],
    ];
    let all = Family {
        first: Input::StartAll,
        budget: Budget { faults: 1, requests: 1 },
        crashes: false,
    };
    for kinds in kinds {
        let kind = |name: &str| kinds[usize::from(name.as_bytes()[0] - b'a')](name);
        let found = all.explore(requires().iter().map(|shape| graph_of(shape, kind)));
        assert!(found.worlds > 1_000, "the model has become too small");
    }
}

#[test]
fn every_pair_of_conflicts() {
    let all = Family {
        first: Input::StartAll,
        budget: Budget { faults: 1, requests: 1 },
        crashes: false,
    };
    let pairs = (0..COUNT as u32).flat_map(|from| (0..from).map(move |to| (from, to)));
    for (from, to) in pairs {
        let found = all.explore(requires().iter().map(|shape| {
            let mut graph = graph_of(shape, longrun);
            graph.services[from as usize].conflicts.push(ServiceId(to));
            graph
        }));
        assert!(found.worlds > 1_000, "the model has become too small");
    }
}

type Kind = fn(&str) -> Service;

/// Graphs to be explored in the same way.
struct Family {
    /// What is asked for first.
    first: Input,
    budget: Budget,
    /// Whether the shell is killed after each record and each action, too.
    crashes: bool,
}

impl Family {
    fn explore(&self, graphs: impl Iterator<Item = Graph>) -> Found {
        let mut found = Found::default();
        for graph in graphs {
            explore(&graph, self, &mut found);
        }
        println!("{found:?}");
        found
    }
}

/// Each graph whose edges are all `requires`.
fn requires() -> Vec<Vec<Edge>> {
    let shapes = shapes(&[Edge::None, Edge::Requires]);
    assert_eq!(shapes.len(), 31, "the directed acyclic graphs of four nodes");
    shapes
}

/// All graphs, one of each class that differs only by names.
fn shapes(edges: &[Edge]) -> Vec<Vec<Edge>> {
    let pairs = COUNT * (COUNT - 1) / 2;
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for number in 0..edges.len().pow(pairs as u32) {
        let mut rest = number;
        let shape: Vec<_> = (0..pairs)
            .map(|_| {
                let edge = edges[rest % edges.len()];
                rest /= edges.len();
                edge
            })
            .collect();
        if seen.insert(normal_form(&shape)) {
            all.push(shape);
        }
    }
    all
}

/// The smallest of all ways to number the same graph.
fn normal_form(shape: &[Edge]) -> Vec<Edge> {
    permutations()
        .into_iter()
        .map(|order| {
            let mut matrix = vec![Edge::None; COUNT * COUNT];
            for (from, to, edge) in edges_of(shape) {
                matrix[order[from] * COUNT + order[to]] = edge;
            }
            matrix
        })
        .min()
        .unwrap()
}

fn permutations() -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for next in 0..COUNT {
        all = all
            .into_iter()
            .flat_map(|some: Vec<usize>| {
                (0..=some.len()).map(move |at| {
                    let mut more = some.clone();
                    more.insert(at, next);
                    more
                })
            })
            .collect();
    }
    all
}

fn edges_of(shape: &[Edge]) -> impl Iterator<Item = (usize, usize, Edge)> + '_ {
    let pairs = (0..COUNT).flat_map(|from| (0..from).map(move |to| (from, to)));
    pairs.zip(shape).map(|((from, to), edge)| (from, to, *edge))
}

fn graph_of(shape: &[Edge], kind: impl Fn(&str) -> Service) -> Graph {
    let mut services: Vec<_> = ["a", "b", "c", "d"].map(kind).into();
    for (from, to, edge) in edges_of(shape) {
        let to = ServiceId(to as u32);
        match edge {
            Edge::None => {}
            Edge::Requires => services[from].requires.push(to),
            Edge::Wants => services[from].wants.push(to),
            Edge::After => services[from].after.push(to),
        }
    }
    graph(services)
}

struct Node {
    world: World,
    budget: Budget,
    shutdown: bool,
    choices: Vec<Choice>,
    key: u64,
}

fn explore(graph: &Graph, family: &Family, found: &mut Found) {
    // True while a world is on the path that is being explored.
    let mut seen = HashMap::new();
    let mut first = World::new(graph);
    first.step(graph, family.first);
    let mut path = vec![node(graph, first, family.budget, false)];
    seen.insert(path[0].key, true);
    found.graphs += 1;
    while let Some(top) = path.last_mut() {
        let Some(choice) = top.choices.pop() else {
            seen.insert(top.key, false);
            found.worlds += 1;
            path.pop();
            continue;
        };
        found.steps += 1;
        let mut budget = top.budget;
        budget.faults -= u8::from(choice.fault);
        budget.requests -= u8::from(!matches!(choice.input, Input::Seen(_, _)));
        let shutdown = top.shutdown || choice.input == Input::Shutdown;
        let _told = OnPanic(graph, &top.world, choice.input);
        let mut world = top.world.clone();
        world.step(graph, choice.input);
        if family.crashes {
            found.crashes +=
                survives_crashes(graph, &top.world, choice.input, &world, top.shutdown);
        }
        repeats_nothing(graph, &world, choice.input);
        let next = node(graph, world, budget, shutdown);
        match seen.entry(next.key) {
            Entry::Vacant(vacant) => {
                vacant.insert(true);
            }
            Entry::Occupied(entry) => {
                assert!(!entry.get(), "it goes round in circles");
                continue;
            }
        }
        drop(_told);
        path.push(next);
    }
}

fn node(graph: &Graph, world: World, budget: Budget, shutdown: bool) -> Node {
    let events: Vec<_> = ids(graph).flat_map(|id| world.choices(graph, id)).collect();
    if events.iter().all(|choice| choice.fault) {
        world.check_quiet(graph);
        if shutdown {
            assert!(world.engine.all_down(), "I7: a shutdown has ended, and something runs");
        }
    }
    let mut choices: Vec<_> =
        events.into_iter().filter(|choice| !choice.fault || budget.faults > 0).collect();
    if budget.requests > 0 {
        let asked = |input| Choice { input, fault: false };
        for id in ids(graph) {
            choices.extend(
                [
                    Request::Start,
                    Request::Stop,
                    Request::Restart { with_dependents: false },
                    Request::Restart { with_dependents: true },
                    Request::Reset,
                ]
                .map(|request| asked(Input::Asked(request, id))),
            );
        }
        choices.push(asked(Input::Shutdown));
    }
    let mut hasher = DefaultHasher::new();
    (world.digest(graph), budget.faults, budget.requests, shutdown).hash(&mut hasher);
    Node { world, budget, shutdown, choices, key: hasher.finish() }
}

/// I9: the shell is killed after any number of the records and actions of a step, and another one
/// goes on. What was not recorded is told again. Nothing is different in the end.
fn survives_crashes(
    graph: &Graph,
    before: &World,
    input: Input,
    after: &World,
    shutdown: bool,
) -> usize {
    let mut hastened = before.hastened(graph);
    hastened.put_again(graph, input);
    hastened.publish(usize::MAX);
    hastened.perform(usize::MAX);
    let outcomes = [after.outcome(graph), hastened.outcome(graph)];
    let same = |world: &World, when: &str| {
        let outcome = world.outcome(graph);
        assert!(outcomes.contains(&outcome), "I9: killed {when}: {outcome:?}, not {outcomes:?}");
    };
    let mut whole = before.clone();
    whole.put(graph, input);
    let records = whole.publish(usize::MAX);
    let actions = whole.perform(usize::MAX);
    let shutdown = shutdown || input == Input::Shutdown;
    for most in 0..records {
        let mut world = before.clone();
        world.put(graph, input);
        world.publish(most);
        world.crash(graph, shutdown);
        world.publish(usize::MAX);
        world.perform(usize::MAX);
        // Whether a deadline has passed is seen again from the clock, and only if it has.
        world.put_again(graph, input);
        world.publish(usize::MAX);
        world.perform(usize::MAX);
        match input {
            Input::Seen(_, _) => same(&world, &format!("after {most} of {records} records")),
            // Some of its services may have acted on a request before it was repeated.
            Input::Asked(_, _) | Input::StartAll | Input::Shutdown => {
                assert_eq!(world.end(graph), after.end(graph), "I9: killed within a request");
            }
        }
    }
    for most in 0..=actions {
        let mut world = before.clone();
        world.put(graph, input);
        world.publish(usize::MAX);
        world.perform(most);
        world.crash(graph, shutdown);
        world.publish(usize::MAX);
        world.perform(usize::MAX);
        same(&world, &format!("after {most} of {actions} actions"));
    }
    records + actions + 1
}

/// News that is told twice is heard once.
fn repeats_nothing(graph: &Graph, world: &World, input: Input) {
    if let Input::Seen(id, event) = input {
        let mut again = world.clone();
        again.engine.handle(world.now, id, event);
        assert_eq!(again.outcome(graph), world.outcome(graph), "heard {event:?} twice");
    }
}

/// Tells which step broke a rule.
struct OnPanic<'a>(&'a Graph, &'a World, Input);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(graph, world, input) = self;
            for (id, service) in ids(graph).zip(&graph.services) {
                println!(
                    "{} requires {:?} wants {:?} after {:?}: {:?} {:?}",
                    service.name,
                    service.requires,
                    service.wants,
                    service.after,
                    world.engine.status(id),
                    world.main(id)
                );
            }
            println!("then {input:?}");
        }
    }
}
