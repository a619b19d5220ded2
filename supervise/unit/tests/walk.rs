//! Readable lives: each file of `tests/walk` is a policy and a list of events; after `----` stands
//! what the unit asks for and where it then stands. `UPDATE=1` rewrites that part; a human reads
//! the difference.

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

use std::{fmt::Write as _, fs, path::Path};

use unit::{
    Action, Actions, Alive, Cause, Command, Event, Exit, Incarnation, Instant, Kill, Kind, Left,
    Main, Next, Policy, Process, Readiness, Reload, Reloading, Restart, SpawnError, Stage, State,
    Step, Unit,
};

#[test]
fn lives_are_as_written() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walk");
    let mut walked = 0;
    for entry in fs::read_dir(directory).expect("tests/walk") {
        let path = entry.expect("an entry").path();
        let written = fs::read_to_string(&path).expect("a transcript");
        let walked_again = walk(&written);
        walked += 1;
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, walked_again).expect("cannot rewrite a transcript");
        } else {
            assert_eq!(walked_again, written, "{}: run with UPDATE=1?", path.display());
        }
    }
    assert!(walked >= 10, "transcripts are missing");
}

/// The transcript with what really happens.
fn walk(written: &str) -> String {
    let mut walk = Walk { policy: policy(""), unit: Unit::new(), now: Instant(1_000_000_000) };
    let mut out = String::new();
    for line in written.lines() {
        let (input, _) = line.split_once("----").unwrap_or((line, ""));
        let input = input.trim();
        if input.is_empty() || input.starts_with('#') {
            // An empty line begins another life.
            if input.is_empty() {
                walk.unit = Unit::new();
            }
            out.push_str(line.trim_end());
        } else if let Some(words) = input.strip_prefix("policy") {
            walk.policy = policy(words);
            out.push_str(input);
        } else {
            let actions = walk.take(input);
            let _ = write!(out, "{input:<24}----  {}", shown(&actions));
            let _ = write!(out, "  ->  {}", walk.state());
        }
        out.push('\n');
    }
    out
}

struct Walk {
    policy: Policy,
    unit: Unit,
    now: Instant,
}

impl Walk {
    fn take(&mut self, input: &str) -> Actions {
        let (words, life) = match input.strip_prefix("stale ") {
            Some(words) => (words, Incarnation(self.unit.incarnation.0 - 1)),
            None => (input, self.unit.incarnation),
        };
        let words: Vec<_> = words.split_whitespace().collect();
        match words.as_slice() {
            ["after", time] => {
                self.now = self.now.after_us(micros(time));
                Actions::none()
            }
            ["wait"] => {
                self.now = self.unit.deadline().expect("nothing to wait for");
                self.unit.step(&self.policy, self.now, Event::DeadlinePassed)
            }
            ["resume", found @ ..] => {
                let what = |name: &str| match found.iter().position(|word| *word == name) {
                    Some(at) => match found[at + 1] {
                        "never" => Process::Never,
                        "gone" => Process::Gone,
                        "alive" => Process::Alive,
                        other => panic!("{other}?"),
                    },
                    None => Process::Never,
                };
                let executed = found.contains(&"executed");
                let alive = Alive { main: what("main"), executed, command: what("command") };
                self.unit.resume(&self.policy, self.now, alive)
            }
            words => self.unit.step(&self.policy, self.now, event(words, life)),
        }
    }

    fn left(&self, until: Instant) -> String {
        let us = until.0.saturating_sub(self.now.0);
        match (us / 1_000, us % 1_000_000) {
            (ms, 0) => format!("{}s", ms / 1_000),
            (ms, _) => format!("{ms}ms"),
        }
    }

    /// How a reload goes, or has gone.
    fn reloading(&self, reloading: Reloading) -> String {
        match reloading {
            Reloading::No => String::new(),
            Reloading::Failed { exit } => {
                format!(", reload failed ({})", caused(Cause::Exited(exit)))
            }
            Reloading::Announced { until } => format!(", reloading {}", self.left(until)),
            Reloading::Command { deadline, again } => {
                let again = if again { ", and again" } else { "" };
                format!(", reload command {}{again}", self.left(deadline))
            }
        }
    }

    fn state(&self) -> String {
        let then = |next| match next {
            Next::Down => "",
            Next::Policy => ", then as its policy says",
        };
        let mut text = match self.unit.state {
            State::Down => "down".into(),
            State::Spawning { exists: false, deadline } => {
                format!("spawning {}", self.left(deadline))
            }
            State::Spawning { exists: true, deadline } => {
                format!("spawned {}", self.left(deadline))
            }
            State::Starting { deadline, .. } => format!("starting {}", self.left(deadline)),
            State::Up { degraded, reloading, watchdog, .. } => {
                let mut text = String::from(if degraded { "degraded" } else { "up" });
                text += &self.reloading(reloading);
                if let Some(watchdog) = watchdog {
                    let _ = write!(text, ", must ping in {}", self.left(watchdog.until));
                }
                text
            }
            State::Stopping { stage, left, deadline, next } => {
                let stage = match stage {
                    Stage::Interrupt => "reload command",
                    Stage::Command => "stop command",
                    Stage::Signal => "signal",
                    Stage::Kill => "kill",
                };
                let waits = match left {
                    Left { main: Main::Gone, command: None } => "the rest".into(),
                    Left { main: Main::Gone, command: Some(command) } => named(command),
                    Left { command: None, .. } => "main".into(),
                    Left { command: Some(command), .. } => format!("main and {}", named(command)),
                };
                let time = self.left(deadline);
                format!("stopping by {stage} {time}: {waits} left{}", then(next))
            }
            State::Finishing { deadline, next } => {
                format!("finishing {}{}", self.left(deadline), then(next))
            }
            State::Cleaning { deadline, next } => {
                format!("cleaning {}{}", self.left(deadline), then(next))
            }
            State::Backoff { until } => format!("back-off {}", self.left(until)),
            State::Ended => "ended".into(),
            State::Failed => "failed".into(),
            State::Skipped { condition } => format!("skipped by condition {condition}"),
        };
        if self.unit.state.is_idle() {
            if let Some(cause) = self.unit.last {
                let _ = write!(text, " ({}", caused(cause));
                if self.unit.failures > 0 {
                    let _ = write!(text, ", {} in a row", self.unit.failures);
                }
                text.push(')');
            }
        }
        text
    }
}

fn policy(words: &str) -> Policy {
    let mut policy = Policy {
        kind: Kind::Longrun,
        readiness: Readiness::Exec,
        start_timeout_ms: 60_000,
        stop_timeout_ms: 30_000,
        command_timeout_ms: 10_000,
        kill: Kill::Mixed,
        stop_command: false,
        finish_command: false,
        reload: Reload::None,
        restart: Restart::Always,
        backoff_min_ms: 100,
        backoff_max_ms: 30_000,
        watchdog_ms: 0,
        health: false,
        health_restarts: false,
    };
    for word in words.split_whitespace() {
        match word {
            "longrun" => policy.kind = Kind::Longrun,
            "oneshot" => policy.kind = Kind::Oneshot,
            "bundle" => policy.kind = Kind::Bundle,
            "notifies" => policy.readiness = Readiness::Signal,
            "kill=process" => policy.kill = Kill::Process,
            "kill=cgroup" => policy.kill = Kill::Cgroup,
            "kill=mixed" => policy.kill = Kill::Mixed,
            "stop-command" => policy.stop_command = true,
            "finish-command" => policy.finish_command = true,
            "reload=signal" => policy.reload = Reload::Signal,
            "reload=command" => policy.reload = Reload::Command,
            "restart=always" => policy.restart = Restart::Always,
            "restart=on-failure" => policy.restart = Restart::OnFailure,
            "restart=never" => policy.restart = Restart::Never,
            "watchdog" => policy.watchdog_ms = 20_000,
            "health" => policy.health = true,
            "health=restart" => (policy.health, policy.health_restarts) = (true, true),
            other => panic!("what policy is {other}?"),
        }
    }
    policy
}

fn event(words: &[&str], life: Incarnation) -> Event {
    match words {
        ["start"] => Event::Start,
        ["stop"] => Event::Stop,
        ["reload"] => Event::Reload,
        ["reset"] => Event::Reset,
        ["deadline"] => Event::DeadlinePassed,
        ["spawned"] => Event::Spawned(life),
        ["unmet", condition] => Event::Unmet(life, number(condition)),
        ["spawn-failed", errno] => {
            let error = SpawnError { step: Step::Exec, errno: number(errno).into() };
            Event::SpawnFailed(life, error)
        }
        ["executed"] => Event::Executed(life),
        ["ready"] => Event::Ready(life),
        ["exited", how] => Event::Exited(life, exit(how)),
        ["emptied"] => Event::Emptied(life),
        ["ended", command, how] => {
            let command = match *command {
                "stop" => Command::Stop,
                "reload" => Command::Reload,
                "finish" => Command::Finish,
                other => panic!("what command is {other}?"),
            };
            Event::CommandEnded(life, command, exit(how))
        }
        ["unhealthy"] => Event::Unhealthy(life),
        ["healthy"] => Event::Healthy(life),
        ["reloading"] => Event::Reloading(life),
        ["stopping"] => Event::Stopping(life),
        ["extend", time] => Event::Extend(life, micros(time)),
        ["ping"] => Event::Ping(life),
        ["trigger"] => Event::Trigger(life),
        ["watchdog", time] => Event::WatchdogInterval(life, micros(time)),
        other => panic!("what event is {other:?}?"),
    }
}

fn exit(how: &str) -> Exit {
    match how.strip_prefix("signal-") {
        Some(signal) => Exit::Signal(number(signal)),
        None if how == "lost" => Exit::Lost,
        None => Exit::Code(number(how)),
    }
}

fn number(text: &str) -> u8 {
    text.parse().expect("a number")
}

fn micros(time: &str) -> u64 {
    match time.strip_suffix("ms") {
        Some(ms) => ms.parse::<u64>().expect("milliseconds") * 1_000,
        None => time.strip_suffix('s').unwrap().parse::<u64>().expect("seconds") * 1_000_000,
    }
}

fn shown(actions: &Actions) -> String {
    let shown: Vec<_> = actions.iter().map(asked).collect();
    if shown.is_empty() { "nothing".into() } else { shown.join("; ") }
}

fn asked(action: Action) -> String {
    match action {
        Action::Spawn(life) => format!("spawn {}", life.0),
        Action::Run(_, command) => format!("run {}", named(command)),
        Action::SignalMain => "signal main".into(),
        Action::SignalAll => "signal all".into(),
        Action::SignalReload => "signal reload".into(),
        Action::AbortMain => "abort main".into(),
        Action::KillMain => "kill main".into(),
        Action::KillCommand => "kill command".into(),
        Action::KillAll => "kill all".into(),
        Action::WatchEmpty => "watch empty".into(),
        Action::ProbeReady(_) => "probe ready".into(),
        Action::ProbeHealth(_) => "probe health".into(),
        Action::ProbeNot => "probe not".into(),
    }
}

fn named(command: Command) -> String {
    let name = match command {
        Command::Stop => "stop command",
        Command::Reload => "reload command",
        Command::Finish => "finish command",
    };
    name.into()
}

fn caused(cause: Cause) -> String {
    match cause {
        Cause::Stopped => "stopped".into(),
        Cause::Exited(Exit::Code(code)) => format!("exit {code}"),
        Cause::Exited(Exit::Signal(signal)) => format!("signal {signal}"),
        Cause::Exited(Exit::Lost) => "lost".into(),
        Cause::Spawn(error) => format!("not spawned: error {}", error.errno),
        Cause::StartTimeout => "not ready in time".into(),
        Cause::Watchdog => "watchdog".into(),
        Cause::Unhealthy => "unhealthy".into(),
        Cause::Permanent => "permanent".into(),
    }
}
