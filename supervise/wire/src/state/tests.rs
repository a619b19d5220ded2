//! The table's promises: every value comes back, and damage is never taken for data.

extern crate std;

use std::{vec, vec::Vec};

use engine::{Goal, Wait};
use unit::{
    Cause, Command, Exit, Instant, Left, Main, Next, Reloading, SpawnError, Stage, State, Step,
    Unit, Watchdog,
};

use super::*;

const HASH: u64 = 0xfeed_beef_1234_5678;

fn memory(count: u32) -> Vec<AtomicU32> {
    (0..size(count).unwrap() / WORD).map(|_| AtomicU32::new(0)).collect()
}

fn bytes(words: &[AtomicU32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect()
}

fn states() -> Vec<State> {
    let deadline = Instant(0x1_2345_6789);
    let mut states = vec![
        State::Down,
        State::Spawning { exists: false, deadline },
        State::Spawning { exists: true, deadline },
        State::Starting { deadline, watchdog_us: 0 },
        State::Starting { deadline, watchdog_us: 1 << 40 },
        State::Ended,
        State::Backoff { until: deadline },
        State::Failed,
        State::Skipped { condition: 7 },
    ];
    for next in [Next::Down, Next::Policy] {
        states.push(State::Cleaning { deadline, next });
        states.push(State::Finishing { deadline, next });
        for stage in [Stage::Interrupt, Stage::Command, Stage::Signal, Stage::Kill] {
            for main in [Main::Asked, Main::Alive, Main::Gone] {
                for command in
                    [None, Some(Command::Stop), Some(Command::Reload), Some(Command::Finish)]
                {
                    let left = Left { main, command };
                    states.push(State::Stopping { stage, left, deadline, next });
                }
            }
        }
    }
    for degraded in [false, true] {
        for reloading in [
            Reloading::No,
            Reloading::Announced { until: Instant(0) },
            Reloading::Command { deadline: Instant(1), again: false },
            Reloading::Command { deadline: Instant(2), again: true },
            Reloading::Failed { exit: Exit::Code(1) },
            Reloading::Failed { exit: Exit::Signal(9) },
            Reloading::Failed { exit: Exit::Lost },
        ] {
            let until = Instant(u64::MAX >> 1);
            for watchdog in [None, Some(Watchdog { every_us: 1 << 33, until })] {
                states.push(State::Up { since: deadline, degraded, reloading, watchdog });
            }
        }
    }
    states
}

fn causes() -> Vec<Option<Cause>> {
    let mut causes = vec![
        None,
        Some(Cause::Stopped),
        Some(Cause::Exited(Exit::Code(255))),
        Some(Cause::Exited(Exit::Signal(9))),
        Some(Cause::Exited(Exit::Lost)),
        Some(Cause::StartTimeout),
        Some(Cause::Watchdog),
        Some(Cause::Unhealthy),
        Some(Cause::Permanent),
    ];
    for step in Step::ALL {
        causes.push(Some(Cause::Spawn(SpawnError { step, errno: 0x1234 })));
    }
    causes
}

fn sample() -> Record {
    Record {
        unit: Unit {
            state: State::Starting { deadline: Instant(5), watchdog_us: 6 },
            incarnation: Incarnation(3),
            failures: 2,
            last: Some(Cause::Stopped),
            exit: Some(Exit::Signal(15)),
        },
        goal: Goal::Up,
        wait: Wait::Requires(ServiceId(9)),
        main_start: 1 << 40,
        commands: 77,
        since_us: 1,
        start_us: 2,
        ready_us: 3,
        first_start_us: 4,
        first_ready_us: 5,
        restarts: 6,
        maxrss_kib: 7 << 33,
        cpu_us: 8 << 34,
        link_seq: 9 << 35,
        status: Status::new("Processing requests…"),
        ..Record::default()
    }
}

#[test]
fn every_value_comes_back() {
    // What is written is what is read, mapped or not, for each variant of each type.
    let words = memory(2);
    let table = Table::create(&words, 2, HASH, &Live::default()).unwrap();
    let id = ServiceId(1);
    let waits = [
        Wait::Nothing,
        Wait::Requires(ServiceId(1)),
        Wait::Order(ServiceId(2)),
        Wait::Conflict(ServiceId(3)),
        Wait::Dependent(ServiceId(u32::MAX)),
    ];
    let mut cases = Vec::new();
    for state in states() {
        for last in causes() {
            cases.push(Record { unit: Unit { state, last, ..sample().unit }, ..sample() });
        }
    }
    cases.extend(waits.map(|wait| Record { wait, ..sample() }));
    cases.extend([Goal::Down, Goal::Renew].map(|goal| Record { goal, ..sample() }));
    for exit in [None, Some(Exit::Code(3)), Some(Exit::Lost)] {
        cases.push(Record { unit: Unit { exit, ..sample().unit }, ..sample() });
    }
    for case in cases {
        table.write(id, &case);
        assert_eq!(table.record(id), Some(case));
        let copy = bytes(&words);
        assert_eq!(Table::open(&copy[..]).unwrap().record(id), Some(case));
    }
    assert_eq!(table.record(ServiceId(0)), Some(Record::default()), "the neighbour is untouched");
    assert_eq!(table.record(ServiceId(2)), None);
}

#[test]
fn the_head_comes_back() {
    // Hash, count and live data survive, for each kind of shutdown.
    use Request::{Exit, Halt, Kexec, Poweroff, Reboot, Reload};
    let words = memory(1);
    let table = Table::create(&words, 1, HASH, &Live::default()).unwrap();
    assert_eq!((table.graph_hash(), table.count()), (HASH, 1));
    assert_eq!(table.live(), Some(Live::default()));
    for request in [Poweroff, Reboot, Halt, Kexec, Exit, Reload] {
        let shutdown = Some(Shutdown { request, exit_status: 3, signal: 15, deadline_us: 1 << 50 });
        let live = Live { applied: 2, boot_us: 3 << 40, settled_us: 4 << 40, shutdown };
        table.write_live(&live);
        assert_eq!(Table::open(&words[..]).unwrap().live(), Some(live));
    }
}

#[test]
fn a_write_that_stops_half_way_leaves_the_record_before() {
    // Killed after any of its stores, the writer leaves the old record or the new one.
    let words = memory(1);
    let id = ServiceId(0);
    let table = Table::create(&words, 1, HASH, &Live::default()).unwrap();
    table.write(id, &Record { restarts: 1, ..sample() });
    let before = bytes(&words);
    table.write(id, &Record { restarts: 2, ..sample() });
    let after = bytes(&words);
    let changed: Vec<usize> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    assert!(!changed.is_empty());
    // The number of the overwritten copy goes to 0 first and gets its value last.
    let number = HEAD_SIZE + RECORD_SLOTS * WORD;
    let number = if changed.iter().any(|at| (number..number + WORD).contains(at)) {
        number
    } else {
        number + (RECORD_PAYLOAD + 2) * WORD
    };
    for stores in 0..RECORD_PAYLOAD + 2 {
        let mut torn = before.clone();
        torn[number..number + WORD].fill(0);
        let data = number + 2 * WORD;
        let end = (data + stores * WORD).min(data + RECORD_PAYLOAD * WORD);
        torn[data..end].copy_from_slice(&after[data..end]);
        let read = Table::open(&torn[..]).unwrap().record(id).unwrap();
        assert_eq!(read.restarts, 1, "after {stores} stores");
        // A later writer goes on as if nothing had happened.
        let again: Vec<AtomicU32> = torn
            .chunks_exact(WORD)
            .map(|word| AtomicU32::new(u32::from_ne_bytes(word.try_into().unwrap())))
            .collect();
        let table = Table::open(&again[..]).unwrap();
        table.write(id, &Record { restarts: 3, ..sample() });
        assert_eq!(table.record(id).unwrap().restarts, 3);
    }
}

#[test]
fn a_flipped_bit_is_seen() {
    // With one copy damaged the other one counts; with both there is no record at all.
    let words = memory(1);
    let id = ServiceId(0);
    let table = Table::create(&words, 1, HASH, &Live::default()).unwrap();
    table.write(id, &sample());
    let good = bytes(&words);
    let first = HEAD_SIZE + RECORD_SLOTS * WORD;
    let second = first + (RECORD_PAYLOAD + 2) * WORD;
    for offset in 0..(RECORD_PAYLOAD + 2) * WORD {
        for bit in [0, 7] {
            let mut bad = good.clone();
            bad[first + offset] ^= 1 << bit;
            bad[second + offset] ^= 1 << bit;
            assert_eq!(Table::open(&bad[..]).unwrap().record(id), None, "{offset}.{bit}");
            bad[second + offset] ^= 1 << bit;
            bad[first + offset] ^= 1 << bit;
            assert_eq!(Table::open(&bad[..]).unwrap().record(id), Some(sample()));
        }
    }
}

#[test]
fn a_foreign_table_is_refused() {
    // Magic, version, record size and length are all checked before any record is read.
    let words = memory(2);
    Table::create(&words, 2, HASH, &Live::default()).unwrap();
    let good = bytes(&words);
    for at in 0..12 {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(Table::open(&bad[..]).unwrap_err(), TableError::Magic, "byte {at}");
    }
    for len in [HEAD_SIZE, good.len() - RECORD_SIZE, good.len() - 1] {
        assert_eq!(Table::open(&good[..len]).unwrap_err(), TableError::Length);
    }
    assert_eq!(Table::open(&good[..7]).unwrap_err(), TableError::Magic);
    let mut endless = good.clone();
    endless[12..16].fill(0xff);
    assert_eq!(Table::open(&endless[..]).unwrap_err(), TableError::Length);
    assert!(Table::create(&words[..words.len() - 1], 2, HASH, &Live::default()).is_err());
}

#[test]
fn a_process_id_counts_for_its_own_life_only() {
    // The kernel writes the word; a new life or another command does not inherit it.
    let words = memory(1);
    let id = ServiceId(0);
    let table = Table::create(&words, 1, HASH, &Live::default()).unwrap();
    table.write(id, &sample());
    assert_eq!(table.record(id).unwrap().main_pid, 0);
    table.main_word(id, Incarnation(3)).unwrap().store(4711, Ordering::Release);
    assert_eq!(table.record(id).unwrap().main_pid, 4711);
    let next = Unit { incarnation: Incarnation(4), ..sample().unit };
    table.write(id, &Record { unit: next, ..sample() });
    assert_eq!(table.record(id).unwrap().main_pid, 0, "the old life's process");

    let up = State::Up {
        since: Instant(1),
        degraded: false,
        reloading: Reloading::Command { deadline: Instant(2), again: false },
        watchdog: None,
    };
    table.write(id, &Record { unit: Unit { state: up, ..next }, ..sample() });
    let ended = sample().commands;
    let word = table.command_word(id, ended, Command::Reload).unwrap();
    word.store(12, Ordering::Release);
    assert_eq!(table.record(id).unwrap().command_pid, 12);
    let again = Record { commands: ended + 1, unit: Unit { state: up, ..next }, ..sample() };
    table.write(id, &again);
    assert_eq!(table.record(id).unwrap().command_pid, 0, "the run before");
    table.write(id, &Record { unit: Unit { state: up, ..next }, ..sample() });
    let finishing = State::Finishing { deadline: Instant(3), next: Next::Down };
    table.write(id, &Record { unit: Unit { state: finishing, ..next }, ..sample() });
    assert_eq!(table.record(id).unwrap().command_pid, 0, "another command's process");
    table.carry(id, &Record { unit: next, main_pid: 5, ..sample() });
    table.write(id, &Record { unit: next, ..sample() });
    assert_eq!(table.record(id).unwrap().main_pid, 5);
    table.clear_main(id);
    assert_eq!(table.record(id).unwrap().main_pid, 0);
}

#[test]
fn status_text_is_cut_between_characters() {
    // Long text keeps whole characters; control characters cannot reach a terminal.
    let long = "ä".repeat(STATUS_MAX);
    assert_eq!(Status::new(&long).as_str(), "ä".repeat(STATUS_MAX / 2));
    assert_eq!(Status::new(&std::format!("a{long}")).as_str().len(), STATUS_MAX - 1);
    assert_eq!(Status::new("a\x1b[31m\nb").as_str(), "a [31m b");
    assert_eq!(Status::new("").as_str(), "");
}
