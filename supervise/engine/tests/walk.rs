//! Readable orders: each file of `tests/walk` is a graph and a list of what happens; after `----`
//! stands what is asked of whom, and where those who changed then stand. `UPDATE=1` rewrites that
//! part; a human reads the difference.

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

use std::{collections::HashMap, fmt::Write as _, fs, path::Path};

use common::{bundle, graph, ids, longrun, oneshot, process};
use engine::{Engine, Goal, Plan, Request, Saved, Wait};
use graph::{Graph, Kind, Process, ServiceId};
use unit::{Action, Alive, Event, Exit, Instant, SpawnError, State, Step};

#[test]
fn orders_are_as_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walk");
    let mut walked = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let written = fs::read_to_string(&path).unwrap();
        let walked_again = walk(&written);
        walked += 1;
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, walked_again).unwrap();
        } else {
            assert_eq!(walked_again, written, "{}: run with UPDATE=1?", path.display());
        }
    }
    assert!(walked >= 7, "transcripts are missing");
}

/// The transcript with what really happens. An empty line begins another world; the lines up to
/// the next empty one are its services.
fn walk(written: &str) -> String {
    let mut out = String::new();
    for world in written.trim_end().split("\n\n\n") {
        let (head, events) = world.split_once("\n\n").unwrap_or((world, ""));
        let mut walk = Walk::new(head);
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        let _ = writeln!(out, "{}\n", head.trim_end());
        for line in events.lines() {
            let (input, _) = line.split_once("----").unwrap_or((line, ""));
            let input = input.trim();
            if input.is_empty() || input.starts_with('#') {
                let _ = writeln!(out, "{input}");
            } else {
                let _ = writeln!(out, "{input:<24}----  {}", walk.take(input));
            }
        }
    }
    out
}

struct Walk {
    graph: Graph,
    names: HashMap<String, ServiceId>,
    engine: Engine,
    now: Instant,
}

impl Walk {
    fn new(head: &str) -> Self {
        let mut names: HashMap<String, ServiceId> = HashMap::new();
        let mut services = Vec::new();
        for line in head.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap();
            let mut service = longrun(name);
            let mut list = "";
            for word in words {
                let id = names.get(word).copied();
                match (word, list) {
                    ("oneshot", _) => service = oneshot(name),
                    ("bundle", _) => service = bundle(name),
                    ("reloads", _) => {
                        let reload = Some(graph::Reload::Signal(1));
                        let process = Process { reload, ..process() };
                        service = common::service(name, Kind::Longrun(process));
                    }
                    ("requires" | "wants" | "after" | "conflicts", _) => list = word,
                    (_, "requires") => service.requires.push(id.unwrap()),
                    (_, "wants") => service.wants.push(id.unwrap()),
                    (_, "after") => service.after.push(id.unwrap()),
                    (_, "conflicts") => service.conflicts.push(id.unwrap()),
                    other => panic!("what is {other:?}?"),
                }
            }
            names.insert(name.into(), ServiceId(services.len() as u32));
            services.push(service);
        }
        let graph = graph(services);
        Self { engine: Engine::new(&graph), graph, names, now: Instant(1_000_000_000) }
    }

    fn take(&mut self, input: &str) -> String {
        let words: Vec<_> = input.split_whitespace().collect();
        match words.as_slice() {
            ["plan", words @ ..] => {
                let (request, ids) = self.request(words);
                return self.planned(&self.engine.plan(request, &ids));
            }
            ["why", name] => return self.why(name),
            ["wait"] => {
                self.now = self.engine.deadline().expect("nothing to wait for");
                self.engine.tick(self.now);
            }
            ["early"] => self.engine.tick(self.now),
            ["shutdown", seconds] => {
                let deadline = self.now.after_us(seconds.parse::<u64>().unwrap() * 1_000_000);
                self.engine.shutdown(self.now, deadline);
            }
            ["over?", seconds] => {
                let then = self.now.after_us(seconds.parse::<u64>().unwrap() * 1_000_000);
                let over = self.engine.shutdown_over(then);
                let down = self.engine.all_down();
                return format!("over {over}, all down {down}, quiet {}", self.engine.quiet());
            }
            ["crash"] => self.crash(),
            [name, what @ ..] if self.names.contains_key(*name) => self.seen(name, what),
            words => {
                let (request, ids) = self.request(words);
                self.engine.request(self.now, request, &ids);
            }
        }
        self.followed()
    }

    fn seen(&mut self, name: &str, what: &[&str]) {
        let id = self.names[name];
        let life = self.engine.status(id).unit.incarnation;
        let refused = SpawnError { step: Step::Exec, errno: 2 };
        let events = match what {
            ["up"] => vec![Event::Spawned(life), Event::Executed(life), Event::Ready(life)],
            ["runs"] => vec![Event::Spawned(life), Event::Executed(life)],
            ["ready"] => vec![Event::Ready(life)],
            ["refused"] => vec![Event::SpawnFailed(life, refused)],
            ["unmet"] => vec![Event::Unmet(life, 0)],
            ["exits", code] => vec![Event::Exited(life, Exit::Code(code.parse().unwrap()))],
            other => panic!("what is {other:?}?"),
        };
        for event in events {
            self.engine.handle(self.now, id, event);
        }
    }

    fn request(&self, words: &[&str]) -> (Request, Vec<ServiceId>) {
        let (request, names) = match words {
            ["start", names @ ..] => (Request::Start, names),
            ["stop", names @ ..] => (Request::Stop, names),
            ["restart", names @ .., "with", "dependents"] => {
                (Request::Restart { with_dependents: true }, names)
            }
            ["restart", names @ ..] => (Request::Restart { with_dependents: false }, names),
            ["reload", names @ ..] => (Request::Reload, names),
            ["reset", names @ ..] => (Request::Reset, names),
            other => panic!("what is {other:?}?"),
        };
        (request, names.iter().map(|name| self.names[*name]).collect())
    }

    /// The records were all published, and no action was carried out.
    fn crash(&mut self) {
        while self.engine.next_change().is_some() {}
        let saved: Vec<Saved> = ids(&self.graph).map(|id| self.engine.saved(id)).collect();
        let alive = |id: ServiceId| {
            let main = match self.engine.status(id).unit.state {
                State::Spawning { exists: false, .. } => unit::Process::Never,
                _ => unit::Process::Alive,
            };
            Alive { main, executed: true, command: unit::Process::Never }
        };
        self.engine = Engine::resume(&self.graph, &saved, alive, self.now);
    }

    fn followed(&mut self) -> String {
        let mut changed = Vec::new();
        while let Some(id) = self.engine.next_change() {
            changed.push(self.stands(id));
        }
        let mut actions = Vec::new();
        while let Some((id, action)) = self.engine.next_action() {
            let verb = match action {
                Action::Spawn(_) => "spawn",
                Action::SignalMain => "signal",
                Action::KillMain => "kill",
                Action::SignalReload => "reload",
                Action::ProbeReady(_) | Action::ProbeNot => continue,
                other => panic!("{other:?} is of policies that are not here"),
            };
            actions.push(format!("{verb} {}", self.name(id)));
        }
        let or_nothing = |list: Vec<String>| match list.len() {
            0 => "nothing".into(),
            _ => list.join("; "),
        };
        format!("{}  ->  {}", or_nothing(actions), or_nothing(changed))
    }

    fn stands(&self, id: ServiceId) -> String {
        let status = self.engine.status(id);
        let state = match status.unit.state {
            State::Down => "down",
            State::Spawning { .. } => "spawning",
            State::Starting { .. } => "starting",
            State::Up { .. } => "up",
            State::Stopping { .. } => "stopping",
            State::Finishing { .. } => "finishing",
            State::Cleaning { .. } => "cleaning",
            State::Backoff { .. } => "backing off",
            State::Ended => "ended",
            State::Failed => "failed",
            State::Skipped { .. } => "skipped",
        };
        let goal = match (status.goal, status.unit.state.is_idle()) {
            (Goal::Up, false) | (Goal::Down, true) => "",
            (Goal::Up, true) => ", wanted",
            (Goal::Down, false) => ", not wanted",
            (Goal::Renew, _) => ", to be renewed",
        };
        let wait = self.waits(status.wait);
        format!("{} {state}{goal}{wait}", self.name(id))
    }

    fn waits(&self, wait: Wait) -> String {
        match wait {
            Wait::Nothing => String::new(),
            Wait::Requires(on) => format!(", requires {}", self.name(on)),
            Wait::Order(on) => format!(", comes after {}", self.name(on)),
            Wait::Conflict(on) => format!(", conflicts with {}", self.name(on)),
            Wait::Dependent(on) => format!(", is needed by {}", self.name(on)),
        }
    }

    fn why(&self, name: &str) -> String {
        let chain = self.engine.why(self.names[name]);
        let links: Vec<_> = chain.into_iter().map(|(id, _)| self.stands(id)).collect();
        links.join("  <-  ")
    }

    fn planned(&self, plan: &Plan) -> String {
        let mut text = String::new();
        let lists = [
            ("stop", &plan.stop),
            ("restart", &plan.restart),
            ("start", &plan.start),
            ("reload", &plan.reload),
        ];
        for (verb, list) in lists {
            if !list.is_empty() {
                let names: Vec<_> = list.iter().map(|id| self.name(*id)).collect();
                let _ = write!(text, "{verb} {}; ", names.join(" "));
            }
        }
        for (goes, comes) in &plan.conflicts {
            let _ = write!(text, "{} gives way to {}; ", self.name(*goes), self.name(*comes));
        }
        text.trim_end_matches("; ").into()
    }

    fn name(&self, id: ServiceId) -> &str {
        &self.graph.services[id.0 as usize].name
    }
}
