//! Random graphs of thousands of services, random faults, changes of mind and crashes, in virtual
//! time: the rules of `explore`, where exploring everything is out of reach; and what a start of
//! ten thousand costs. A failure prints its seed; the seeds of past ones are kept beside this file.

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

use common::{
    bundle, graph, ids, longrun, oneshot,
    world::{Input, World},
};
use engine::{Engine, Request};
use graph::{Graph, ServiceId};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use unit::{Event, Instant};

/// Seeds that once failed are tried first, for ever.
const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/large.seeds");

/// xorshift64*: the same numbers on every machine, from the seed that proptest chooses and prints.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % sides
    }
}

/// Each service has a few edges to earlier ones, near or far.
fn random_graph(dice: &mut Dice, count: usize) -> Graph {
    let mut services = Vec::new();
    for id in 0..count {
        let name = format!("s{id}");
        let mut service = match dice.roll(8) {
            0 => bundle(&name),
            1 | 2 => oneshot(&name),
            _ => longrun(&name),
        };
        for _ in 0..dice.roll(5).min(id) {
            let reach = if dice.roll(2) == 0 { id.min(10) } else { id };
            let to = ServiceId((id - 1 - dice.roll(reach)) as u32);
            match dice.roll(5) {
                0 | 1 => service.requires.push(to),
                2 | 3 => service.wants.push(to),
                _ => service.after.push(to),
            }
        }
        if id > 0 && dice.roll(40) == 0 {
            service.conflicts.push(ServiceId(dice.roll(id) as u32));
        }
        services.push(service);
    }
    graph(services)
}

/// A world, and who in it has something to do.
struct Run {
    graph: Graph,
    world: World,
    active: Vec<ServiceId>,
    shutdown: bool,
}

impl Run {
    fn new(graph: Graph) -> Self {
        let world = World::new(&graph);
        Self { graph, world, active: Vec::new(), shutdown: false }
    }

    fn put(&mut self, input: Input) {
        self.shutdown |= input == Input::Shutdown;
        let changed = self.world.step(&self.graph, input);
        self.active.extend(changed);
    }

    /// One thing that a service does, if `id` has any to do.
    fn turn(&mut self, dice: &mut Dice, id: ServiceId, faults: bool) -> bool {
        let mut choices = self.world.choices(&self.graph, id);
        choices.retain(|choice| !choice.fault || faults && dice.roll(12) == 0);
        if choices.is_empty() {
            return false;
        }
        let choice = choices[dice.roll(choices.len())];
        self.put(choice.input);
        true
    }

    fn crash(&mut self) {
        self.world.crash(&self.graph, self.shutdown);
        self.world.publish(usize::MAX);
        self.world.perform(usize::MAX);
        self.active = ids(&self.graph).collect();
    }

    /// Until nothing more happens by itself.
    fn settle(&mut self, dice: &mut Dice) {
        while !self.active.is_empty() {
            let at = dice.roll(self.active.len());
            let id = self.active.swap_remove(at);
            if self.turn(dice, id, false) {
                self.active.push(id);
            }
        }
        self.world.check_quiet(&self.graph);
    }

    fn anything(&mut self, dice: &mut Dice) {
        let count = self.graph.services.len();
        for _ in 0..count * 4 {
            let anyone = ServiceId(dice.roll(count) as u32);
            match dice.roll(400) {
                0 => self.crash(),
                1 => self.put(Input::Asked(Request::Stop, anyone)),
                2 => self.put(Input::Asked(Request::Start, anyone)),
                3 => {
                    let with_dependents = dice.roll(2) == 0;
                    self.put(Input::Asked(Request::Restart { with_dependents }, anyone));
                }
                4 => self.put(Input::Asked(Request::Reset, anyone)),
                5 => {
                    self.turn(dice, anyone, true);
                }
                _ if self.active.is_empty() => {}
                _ => {
                    let at = dice.roll(self.active.len());
                    let id = self.active.swap_remove(at);
                    if self.turn(dice, id, true) {
                        self.active.push(id);
                    }
                }
            }
        }
    }
}

fn live(seed: u64, count: usize) -> World {
    let mut dice = Dice(seed | 1);
    let mut run = Run::new(random_graph(&mut dice, count));
    run.put(Input::StartAll);
    run.anything(&mut dice);
    run.settle(&mut dice);
    // Whatever had been going on, a second start of everything leaves nobody behind that could run.
    run.put(Input::StartAll);
    run.settle(&mut dice);
    let end = run.world.clone();
    run.put(Input::StartAll);
    run.anything(&mut dice);
    run.put(Input::Shutdown);
    run.settle(&mut dice);
    assert!(run.world.engine.all_down(), "I7: something outlives a shutdown");
    end
}

#[test]
fn what_once_failed_holds() {
    // A start woke a service before what it only wants was seen to be no longer stuck.
    live(5_044_234_522_573_949_520, 358);
    // What was to be stopped is wanted again, and what it requires waits for it to be down.
    live(12_905_686_201_756_218_538, 943);
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(SEEDS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn large_graphs_keep_the_rules(seed in any::<u64>(), count in 2_usize..1_500) {
        live(seed, count);
    }

    #[test]
    fn the_same_events_make_the_same_actions(seed in any::<u64>(), count in 2_usize..200) {
        // I8.
        prop_assert_eq!(live(seed, count).records, live(seed, count).records);
    }
}

const MANY: u32 = 10_000;

/// Starts everything, each as soon as it may, and stops it again. What it took, per service and
/// edge, in services looked at.
fn cost(services: Vec<graph::Service>, backwards: bool) -> u64 {
    let edges: usize = services.iter().map(|service| service.requires.len()).sum();
    let size = (services.len() + edges) as u64;
    let graph = graph(services);
    let mut engine = Engine::new(&graph);
    let now = Instant(1);
    let all: Vec<_> = ids(&graph).collect();
    engine.request(now, Request::Start, &all);
    let mut turns = 0;
    while !all.iter().all(|id| engine.status(*id).unit.state.is_up()) {
        turns += 1;
        assert!(turns <= MANY, "it does not get on");
        answer(&mut engine, now, backwards, |life| vec![Event::Executed(life), Event::Ready(life)]);
    }
    engine.shutdown(now, Instant(u64::MAX));
    while !engine.all_down() {
        let exit = unit::Exit::Code(0);
        answer(&mut engine, now, backwards, |life| vec![Event::Exited(life, exit)]);
    }
    engine.examined() / size
}

/// All that has been asked for is done, in order or in reverse.
fn answer(
    engine: &mut Engine,
    now: Instant,
    backwards: bool,
    events: impl Fn(unit::Incarnation) -> Vec<Event>,
) {
    let mut asked: Vec<_> = std::iter::from_fn(|| engine.next_action()).collect();
    asked.dedup_by_key(|(id, _)| *id);
    if backwards {
        asked.reverse();
    }
    for (id, _) in asked {
        for event in events(engine.status(id).unit.incarnation) {
            engine.handle(now, id, event);
        }
    }
}

#[test]
fn ten_thousand_services_cost_a_few_looks_each() {
    let id = |id: usize| ServiceId(id as u32);
    let many = |edges: &dyn Fn(usize) -> Vec<usize>| -> Vec<graph::Service> {
        let service = |at: usize| {
            let mut service = longrun(&format!("s{at}"));
            service.requires = edges(at).into_iter().map(id).collect();
            service
        };
        (0..MANY as usize).map(service).collect()
    };
    let last = MANY as usize - 1;
    let shapes: [(&str, Vec<graph::Service>); 5] = [
        ("alone", many(&|_| vec![])),
        ("chain", many(&|at| at.checked_sub(1).into_iter().collect())),
        ("one needs all", many(&|at| if at == last { (0..last).collect() } else { vec![] })),
        ("all need one", many(&|at| if at == 0 { vec![] } else { vec![0] })),
        (
            "layers of a hundred",
            many(&|at| {
                let layer = at / 100 * 100;
                if layer == 0 { vec![] } else { (layer - 100..layer).collect() }
            }),
        ),
    ];
    for (shape, services) in shapes {
        for backwards in [false, true] {
            let cost = cost(services.clone(), backwards);
            println!("{shape}, backwards {backwards}: {cost}");
            let few = (1..=12).contains(&cost);
            assert!(few, "{shape}, backwards {backwards}: {cost} looks per service and edge");
        }
    }
}
