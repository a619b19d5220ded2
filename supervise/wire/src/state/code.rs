//! The forms of the smaller types in words. A tag is never reused; a new variant gets a new one.

use engine::Wait;
use graph::ServiceId;
use unit::{
    Cause, Command, Exit, Incarnation, Instant, Left, Main, Next, Reloading, SpawnError, Stage,
    State, Step, Unit, Watchdog,
};

use super::{HEAD_PAYLOAD, Live, Shutdown, slot::halves};
use crate::link::Request;

/// Fills an array of words, in order.
pub(super) struct Writer<const N: usize> {
    words: [u32; N],
    next: usize,
}

impl<const N: usize> Writer<N> {
    pub(super) const fn new() -> Self {
        Self { words: [0; N], next: 0 }
    }

    pub(super) fn u32(&mut self, value: u32) {
        debug_assert!(self.next < N, "the payload is too small for its data");
        if let Some(word) = self.words.get_mut(self.next) {
            *word = value;
        }
        self.next = self.next.saturating_add(1);
    }

    pub(super) fn u64(&mut self, value: u64) {
        halves(value).into_iter().for_each(|half| self.u32(half));
    }

    /// Four small numbers in one word.
    fn bytes(&mut self, bytes: [u8; 4]) {
        self.u32(u32::from_le_bytes(bytes));
    }

    /// No instant is the largest one, which no clock reaches.
    fn time(&mut self, time: Option<Instant>) {
        self.u64(time.map_or(u64::MAX, |time| time.0));
    }

    pub(super) const fn words(self) -> [u32; N] {
        self.words
    }
}

/// Reads what [`Writer`] wrote.
pub(super) struct Reader<'a> {
    words: core::slice::Iter<'a, u32>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(words: &'a [u32]) -> Self {
        Self { words: words.iter() }
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.words.next().copied()
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from(self.u32()?) | u64::from(self.u32()?) << 32)
    }

    fn bytes(&mut self) -> Option<[u8; 4]> {
        self.u32().map(u32::to_le_bytes)
    }

    /// `None`: the table is too short. `Some(None)`: no instant.
    fn time(&mut self) -> Option<Option<Instant>> {
        Some(Some(self.u64()?).filter(|time| *time != u64::MAX).map(Instant))
    }
}

/// Always thirteen words: tags, up to three times, the watchdog's interval, incarnation, failures,
/// cause, exit.
pub(super) fn unit_encode<const N: usize>(unit: &Unit, to: &mut Writer<N>) {
    let none = None;
    let (bytes, times, every_us) = match unit.state {
        State::Down => ([0, 0, 0, 0], [none; 3], 0),
        State::Spawning { exists, deadline } => {
            ([1, u8::from(exists), 0, 0], [Some(deadline), none, none], 0)
        }
        State::Starting { deadline, watchdog_us } => {
            ([2, 0, 0, 0], [Some(deadline), none, none], watchdog_us)
        }
        State::Up { since, degraded, reloading, watchdog } => {
            let ([reloading, detail], over) = reloading_encode(reloading);
            let until = watchdog.map(|watchdog| watchdog.until);
            let every_us = watchdog.map_or(0, |watchdog| watchdog.every_us);
            ([3, u8::from(degraded), reloading, detail], [Some(since), over, until], every_us)
        }
        State::Stopping { stage, left, deadline, next } => {
            let bytes = [4, stage_encode(stage), next_encode(next), left_encode(left)];
            (bytes, [Some(deadline), none, none], 0)
        }
        State::Cleaning { deadline, next } => {
            ([5, 0, next_encode(next), 0], [Some(deadline), none, none], 0)
        }
        State::Finishing { deadline, next } => {
            ([6, 0, next_encode(next), 0], [Some(deadline), none, none], 0)
        }
        State::Backoff { until } => ([7, 0, 0, 0], [Some(until), none, none], 0),
        State::Failed => ([8, 0, 0, 0], [none; 3], 0),
        State::Skipped { condition } => ([9, condition, 0, 0], [none; 3], 0),
        State::Ended => ([10, 0, 0, 0], [none; 3], 0),
    };
    to.bytes(bytes);
    times.into_iter().for_each(|time| to.time(time));
    to.u64(every_us);
    to.u32(unit.incarnation.0);
    to.u32(unit.failures);
    cause_encode(unit.last, to);
    cause_encode(unit.exit.map(Cause::Exited), to);
}

pub(super) fn unit_decode(from: &mut Reader<'_>) -> Option<Unit> {
    let [tag, detail, other, left] = from.bytes()?;
    let (first, second, third) = (from.time()?, from.time()?, from.time()?);
    let every_us = from.u64()?;
    let state = match tag {
        0 => State::Down,
        1 => State::Spawning { exists: detail != 0, deadline: first? },
        2 => State::Starting { deadline: first?, watchdog_us: every_us },
        3 => State::Up {
            since: first?,
            degraded: detail != 0,
            reloading: reloading_decode(other, left, second)?,
            watchdog: third.map(|until| Watchdog { every_us, until }),
        },
        4 => State::Stopping {
            stage: stage_decode(detail)?,
            left: left_decode(left)?,
            deadline: first?,
            next: next_decode(other)?,
        },
        5 => State::Cleaning { deadline: first?, next: next_decode(other)? },
        6 => State::Finishing { deadline: first?, next: next_decode(other)? },
        7 => State::Backoff { until: first? },
        8 => State::Failed,
        9 => State::Skipped { condition: detail },
        10 => State::Ended,
        _ => return None,
    };
    Some(Unit {
        state,
        incarnation: Incarnation(from.u32()?),
        failures: from.u32()?,
        last: cause_decode(from)?,
        exit: match cause_decode(from)? {
            None => None,
            Some(Cause::Exited(exit)) => Some(exit),
            Some(_) => return None,
        },
    })
}

/// Tag and a small number, and when it is over.
fn reloading_encode(reloading: Reloading) -> ([u8; 2], Option<Instant>) {
    match reloading {
        Reloading::No => ([0, 0], None),
        Reloading::Announced { until } => ([1, 0], Some(until)),
        Reloading::Command { deadline, again: false } => ([2, 0], Some(deadline)),
        Reloading::Command { deadline, again: true } => ([3, 0], Some(deadline)),
        Reloading::Failed { exit: Exit::Code(code) } => ([4, code], None),
        Reloading::Failed { exit: Exit::Signal(signal) } => ([5, signal], None),
        Reloading::Failed { exit: Exit::Lost } => ([6, 0], None),
    }
}

fn reloading_decode(tag: u8, detail: u8, over: Option<Instant>) -> Option<Reloading> {
    Some(match tag {
        0 => Reloading::No,
        1 => Reloading::Announced { until: over? },
        2 => Reloading::Command { deadline: over?, again: false },
        3 => Reloading::Command { deadline: over?, again: true },
        4 => Reloading::Failed { exit: Exit::Code(detail) },
        5 => Reloading::Failed { exit: Exit::Signal(detail) },
        6 => Reloading::Failed { exit: Exit::Lost },
        _ => return None,
    })
}

fn stage_encode(stage: Stage) -> u8 {
    match stage {
        Stage::Command => 0,
        Stage::Signal => 1,
        Stage::Kill => 2,
        Stage::Interrupt => 3,
    }
}

fn stage_decode(tag: u8) -> Option<Stage> {
    Some(match tag {
        0 => Stage::Command,
        1 => Stage::Signal,
        2 => Stage::Kill,
        3 => Stage::Interrupt,
        _ => return None,
    })
}

/// Every pair of main process and command; each one's code is its place.
const LEFT: [(Main, Option<Command>); 12] = [
    (Main::Gone, None),
    (Main::Gone, Some(Command::Stop)),
    (Main::Gone, Some(Command::Reload)),
    (Main::Gone, Some(Command::Finish)),
    (Main::Asked, None),
    (Main::Asked, Some(Command::Stop)),
    (Main::Asked, Some(Command::Reload)),
    (Main::Asked, Some(Command::Finish)),
    (Main::Alive, None),
    (Main::Alive, Some(Command::Stop)),
    (Main::Alive, Some(Command::Reload)),
    (Main::Alive, Some(Command::Finish)),
];

fn left_encode(left: Left) -> u8 {
    let place = LEFT.iter().position(|pair| *pair == (left.main, left.command));
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
}

fn left_decode(code: u8) -> Option<Left> {
    LEFT.get(usize::from(code)).map(|(main, command)| Left { main: *main, command: *command })
}

pub(super) fn wait_encode<const N: usize>(wait: Wait, to: &mut Writer<N>) {
    let (tag, on) = match wait {
        Wait::Nothing => (0, 0),
        Wait::Requires(on) => (1, on.0),
        Wait::Order(on) => (2, on.0),
        Wait::Conflict(on) => (3, on.0),
        Wait::Dependent(on) => (4, on.0),
    };
    to.u32(tag);
    to.u32(on);
}

pub(super) fn wait_decode(from: &mut Reader<'_>) -> Option<Wait> {
    let (tag, on) = (from.u32()?, ServiceId(from.u32()?));
    Some(match tag {
        0 => Wait::Nothing,
        1 => Wait::Requires(on),
        2 => Wait::Order(on),
        3 => Wait::Conflict(on),
        4 => Wait::Dependent(on),
        _ => return None,
    })
}

pub(super) fn live_encode(live: &Live) -> [u32; HEAD_PAYLOAD] {
    let mut to = Writer::new();
    to.u32(live.applied);
    to.u64(live.boot_us);
    to.u64(live.settled_us);
    let (bytes, deadline_us) = match live.shutdown {
        None => ([0; 4], 0),
        Some(Shutdown { request, exit_status, signal, deadline_us }) => {
            ([request_encode(request), exit_status, signal, 0], deadline_us)
        }
    };
    to.bytes(bytes);
    to.u64(deadline_us);
    to.words()
}

pub(super) fn live_decode(words: &[u32; HEAD_PAYLOAD]) -> Option<Live> {
    let mut from = Reader::new(words);
    let (applied, boot_us, settled_us) = (from.u32()?, from.u64()?, from.u64()?);
    let ([request, exit_status, signal, _], deadline_us) = (from.bytes()?, from.u64()?);
    let shutdown = match request {
        0 => None,
        tag => Some(Shutdown { request: request_decode(tag)?, exit_status, signal, deadline_us }),
    };
    Some(Live { applied, boot_us, settled_us, shutdown })
}

fn next_encode(next: Next) -> u8 {
    match next {
        Next::Down => 0,
        Next::Policy => 2,
    }
}

fn next_decode(tag: u8) -> Option<Next> {
    Some(match tag {
        0 => Next::Down,
        2 => Next::Policy,
        _ => return None,
    })
}

/// One word: tag, a small number, and an error number in two bytes.
fn cause_encode<const N: usize>(cause: Option<Cause>, to: &mut Writer<N>) {
    let [low, high] = match cause {
        Some(Cause::Spawn(error)) => error.errno.to_le_bytes(),
        None
        | Some(
            Cause::Stopped
            | Cause::Exited(_)
            | Cause::StartTimeout
            | Cause::Watchdog
            | Cause::Unhealthy
            | Cause::Permanent,
        ) => [0, 0],
    };
    let (tag, detail) = match cause {
        None => (0, 0),
        Some(Cause::Stopped) => (1, 0),
        Some(Cause::Exited(Exit::Code(code))) => (2, code),
        Some(Cause::Exited(Exit::Signal(signal))) => (3, signal),
        Some(Cause::Exited(Exit::Lost)) => (4, 0),
        Some(Cause::Spawn(error)) => (5, error.step.number()),
        Some(Cause::StartTimeout) => (6, 0),
        Some(Cause::Watchdog) => (7, 0),
        Some(Cause::Unhealthy) => (8, 0),
        Some(Cause::Permanent) => (9, 0),
    };
    to.bytes([tag, detail, low, high]);
}

fn cause_decode(from: &mut Reader<'_>) -> Option<Option<Cause>> {
    let [tag, detail, low, high] = from.bytes()?;
    let cause = match tag {
        0 => return Some(None),
        1 => Cause::Stopped,
        2 => Cause::Exited(Exit::Code(detail)),
        3 => Cause::Exited(Exit::Signal(detail)),
        4 => Cause::Exited(Exit::Lost),
        5 => Cause::Spawn(SpawnError {
            step: Step::of_number(detail)?,
            errno: u16::from_le_bytes([low, high]),
        }),
        6 => Cause::StartTimeout,
        7 => Cause::Watchdog,
        8 => Cause::Unhealthy,
        9 => Cause::Permanent,
        _ => return None,
    };
    Some(Some(cause))
}

fn request_encode(request: Request) -> u8 {
    match request {
        Request::Poweroff => 1,
        Request::Reboot => 2,
        Request::Halt => 3,
        Request::Kexec => 4,
        Request::Exit => 5,
        Request::Reload => 6,
    }
}

fn request_decode(tag: u8) -> Option<Request> {
    Some(match tag {
        1 => Request::Poweroff,
        2 => Request::Reboot,
        3 => Request::Halt,
        4 => Request::Kexec,
        5 => Request::Exit,
        6 => Request::Reload,
        _ => return None,
    })
}
