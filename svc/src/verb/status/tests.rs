//! The table, and what `status` ends with.

use super::*;
use crate::fixture::{Tree, golden, graph, records, snapshot};
use wire::state::Record;

fn status(tree: &mut Tree, names: &[&str], json: bool) -> Result<Exit, Error> {
    let names = names.iter().map(ToString::to_string).collect();
    run(&Status { names, all: false, json }, &mut tree.context)
}

/// One line per service, and why; on a terminal, none is longer than it is wide.
#[test]
fn one_line_per_service_and_why() {
    let snapshot = snapshot();
    let ids: Vec<_> = snapshot.ids().collect();
    let table = table(&snapshot.list(&ids));
    golden("status.txt", &table.text(None, false));
    golden("status-60.txt", &table.text(Some(60), false));
    golden("status-colours.txt", &table.text(None, true));
}

/// The JSON is what the control protocol answers.
#[test]
fn json_is_the_protocols() {
    let snapshot = snapshot();
    let ids: Vec<_> = snapshot.ids().collect();
    golden("status.json", &serde_json::to_string_pretty(&snapshot.list(&ids)).unwrap());
}

/// It works from the two files alone, and says by its exit status whether what was named is up.
#[test]
fn the_exit_status_says_whether_it_is_up() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    assert_eq!(status(&mut tree, &[], false).unwrap(), Exit::Ok);
    assert_eq!(status(&mut tree, &["network", "ssh"], false).unwrap(), Exit::Ok);
    assert_eq!(status(&mut tree, &["sshd", "kubelet"], false).unwrap(), Exit::Failed);
    assert_eq!(tree.out.text().lines().count(), 6 + 3 + 3);
}

/// Services for other nodes are counted, and shown when asked for.
#[test]
fn what_nothing_has_wanted_is_counted() {
    let mut tree = Tree::new();
    let mut records = records();
    *records.last_mut().unwrap() = Record::default();
    tree.publish(&graph(), &records);
    for (all, lines) in [(false, 5), (true, 6)] {
        let before = tree.out.text().lines().count();
        run(&Status { names: Vec::new(), all, json: false }, &mut tree.context).unwrap();
        assert_eq!(tree.out.text().lines().count() - before, lines);
    }
    assert_eq!(tree.err.text(), "svc: 1 more that nothing wants: svc status --all\n");
}

/// A name that is none ends with the nearest that is one.
#[test]
fn unknown_names_suggest_the_nearest() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let error = status(&mut tree, &["kublet"], false).unwrap_err();
    assert_eq!(error.exit(), Exit::Unknown);
    assert_eq!(error.to_string(), "no service is named kublet; did you mean kubelet?");
}

/// Where Cooper does not run, that is said.
#[test]
fn absence_is_told() {
    let mut tree = Tree::new();
    let error = status(&mut tree, &[], false).unwrap_err();
    assert_eq!(error.exit(), Exit::System);
    assert!(error.to_string().ends_with("no such file; Cooper does not run here"), "{error}");
}

/// A state table that is damaged is an error, never a wrong answer.
#[test]
fn a_damaged_table_is_refused() {
    let mut tree = Tree::new();
    tree.publish(&graph(), &records());
    let path = tree.context.paths.state();
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 7, 64, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(status(&mut tree, &[], false).unwrap_err().exit(), Exit::System, "{length}");
    }
}

/// One service in detail.
#[test]
fn one_name_is_shown_in_detail() {
    let mut tree = Tree::new();
    detail::show(&snapshot(), graph::ServiceId(1), &mut tree.context).unwrap();
    golden("status-containerd.txt", &tree.out.text());
}
