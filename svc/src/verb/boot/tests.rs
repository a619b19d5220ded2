//! The report of a boot.

use super::*;
use crate::fixture::{NOW, S, Tree, golden, graph, records, snapshot};
use wire::state::Live;

fn report(settled_us: Option<u64>) -> Report {
    Report {
        boot_us: S,
        settled_us,
        traces: traces(&snapshot()),
        now_us: NOW,
        set_up: SetUp::default(),
        last_shutdown: LastShutdown::default(),
    }
}

/// Totals, who took longest, and the critical chain.
#[test]
fn the_report_names_who_was_waited_for() {
    let mut tree = Tree::new();
    show(&report(Some(9 * S)), false, &mut tree.context.screen).unwrap();
    golden("boot.txt", &tree.out.text());
}

/// What was given a section of the table is counted, and nothing else.
#[test]
fn set_up_is_what_has_a_section_of_the_table() {
    let mut graph = graph();
    let mut records = records();
    for (service, record) in graph.services.iter_mut().zip(&mut records) {
        record.cpu_us = S / 10;
        if let Kind::Oneshot(process) | Kind::Longrun(process) = &mut service.kind {
            process.environment.variables.push((facts::section::VARIABLE.into(), "{}".into()));
        }
    }
    let snapshot = |graph, records| Snapshot::of_test(graph, records, Live::default(), NOW);
    let set_up = SetUp::of(&snapshot(graph, records));
    assert_eq!(set_up.services, ["network"], "the one oneshot");
    let text = "set-up: 0.100 s of processor time, in 1 service";
    assert_eq!(set_up.text().as_deref(), Some(text));
    assert_eq!(
        SetUp::of(&snapshot(crate::fixture::graph(), crate::fixture::records())).text(),
        None
    );
}

/// A boot that is not over says so.
#[test]
fn a_boot_that_is_not_over_says_so() {
    assert!(total(&report(None)).starts_with("not all services are up yet"));
}

/// One that is over although something has failed says what.
#[test]
fn a_boot_that_went_wrong_says_where() {
    let mut report = report(Some(9 * S));
    report.traces[1].ready_us = None;
    let name = &report.traces[1].name;
    let said = total(&report);
    assert!(said.starts_with("nothing more to start: 8.000 s after init began; "), "{said}");
    assert!(said.contains(&format!("not ready: {name}\n")), "{said}");
}

/// A trace that leads back to itself ends; so does one of nothing.
#[test]
fn the_chain_ends() {
    let trace = |name: &str, ready_us, after: &str| Trace {
        name: name.into(),
        start_us: 0,
        ready_us,
        after: Some(after.into()),
    };
    let traces = [trace("a", Some(5), "b"), trace("b", Some(5), "a"), trace("c", None, "a")];
    assert_eq!(critical(&traces).len(), 1);
    assert!(critical(&[]).is_empty());
}
