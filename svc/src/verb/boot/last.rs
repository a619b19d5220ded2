//! How the boot before this one ended, as `login1` has written it down.

use std::path::PathBuf;

use cooper_log::Stamp;
use login1::record::{Book, Holder, Last, Shutdown};
use serde::Serialize;
use wire::describe::duration;

use crate::{paths::Paths, render::Screen};

/// The file's name, beside the compiled graphs.
const RECORD: &str = "last-shutdown.json";

/// For programs, too.
#[derive(Debug, Default, Serialize)]
pub struct LastShutdown {
    /// None: it is not known.
    orderly: Option<bool>,
    /// If it was orderly, and pods had a part in it.
    #[serde(flatten)]
    record: Option<Shutdown>,
}

impl LastShutdown {
    /// What is on record. A node without pods keeps none, and a record that cannot be read is
    /// worth a line and no more: the boot is what was asked for.
    pub fn load(paths: &Paths, screen: &mut Screen) -> Self {
        let path: PathBuf = paths.graphs.with_file_name(RECORD);
        let read = Book::load(&path).and_then(|book| Ok((book, login1::record::boot_id()?)));
        match read {
            Ok((book, boot)) => Self::of(&book, &boot),
            Err(error) => {
                screen.say(format_args!("svc: warning: {error}"));
                Self::default()
            }
        }
    }

    fn of(book: &Book, boot: &str) -> Self {
        match book.last(boot) {
            Last::Unknown => Self::default(),
            Last::Abrupt => Self { orderly: Some(false), record: None },
            Last::Orderly(shutdown) => Self { orderly: Some(true), record: Some(shutdown.clone()) },
        }
    }

    /// For people; none if there is nothing to tell.
    pub fn text(&self) -> Option<String> {
        match (&self.record, self.orderly) {
            (Some(shutdown), _) => Some(told(shutdown)),
            (None, Some(false)) => {
                Some("last shutdown: not in order: power, reset, panic, or --force".into())
            }
            (None, Some(true) | None) => None,
        }
    }
}

fn told(shutdown: &Shutdown) -> String {
    let Shutdown { ending, began_unix, waited_ms, holders, fault, .. } = shutdown;
    let stamp = Stamp(began_unix.saturating_mul(1_000_000)).text();
    let stamp = String::from_utf8_lossy(&stamp);
    let when = stamp.get(..19).unwrap_or_default().replace('T', " ");
    let waited = duration(waited_ms.saturating_mul(1000));
    let names = |holders: &[&Holder]| {
        let names: Vec<&str> = holders.iter().map(|holder| holder.who.as_str()).collect();
        names.join(", ")
    };
    let (released, stubborn): (Vec<&Holder>, Vec<&Holder>) =
        holders.iter().partition(|holder| holder.released_ms.is_some());
    let dead: Vec<&Holder> = released.iter().copied().filter(|holder| holder.died).collect();
    let how = match fault {
        Some(fault) => format!("nobody could be told, so pods were not given time: {fault}"),
        None if !stubborn.is_empty() => {
            format!("{} did not let go within {waited}", names(&stubborn))
        }
        None if !dead.is_empty() => {
            format!("{} ended without letting go, after {waited}", names(&dead))
        }
        None if released.is_empty() => "nobody asked for time".into(),
        None => format!("{} let go after {waited}", names(&released)),
    };
    format!("last shutdown: {ending}, {when} UTC; {how}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Tree;

    fn shutdown(released_ms: Option<u64>) -> Shutdown {
        let holder = Holder {
            who: "kubelet".into(),
            why: "time".into(),
            pid: 7,
            released_ms,
            died: released_ms == Some(2),
        };
        Shutdown {
            ending: "poweroff".into(),
            began_unix: 1_795_205_499,
            waited_ms: 90_000,
            patience_ms: 90_000,
            fault: None,
            holders: vec![holder],
        }
    }

    /// Each way in which a boot may have ended has its sentence.
    #[test]
    fn it_says_who_blocked() {
        let text = |book: Book| LastShutdown::of(&book, "now").text();
        assert_eq!(text(Book::default()), None);
        assert_eq!(text(Book::default().begun("now")), None);
        let before = Book::default().begun("before");
        let said = text(before.clone().begun("now")).unwrap();
        assert!(said.contains("not in order"), "{said}");
        let ended = |shutdown| text(before.clone().ended("before", shutdown)).unwrap();
        let said = ended(shutdown(None));
        let when = "last shutdown: poweroff, 2026-11-20 20:11:39 UTC; ";
        assert_eq!(said, format!("{when}kubelet did not let go within 1 min 30 s"));
        let said = ended(shutdown(Some(1)));
        assert_eq!(said, format!("{when}kubelet let go after 1 min 30 s"));
        let said = ended(shutdown(Some(2)));
        assert!(said.ends_with("kubelet ended without letting go, after 1 min 30 s"), "{said}");
        let said = ended(Shutdown { holders: vec![], ..shutdown(None) });
        assert!(said.ends_with("nobody asked for time"), "{said}");
        let said = ended(Shutdown { fault: Some("cannot x".into()), ..shutdown(None) });
        assert!(said.ends_with("not given time: cannot x"), "{said}");
    }

    /// It is read from beside the graphs; one that cannot be read costs a line.
    #[test]
    fn it_is_read_from_the_nodes_own_state() {
        let mut tree = Tree::new();
        let path = tree.context.paths.graphs.with_file_name(RECORD);
        Book::default().ended("before", shutdown(None)).save(&path).unwrap();
        let last = LastShutdown::load(&tree.context.paths, &mut tree.context.screen);
        assert!(last.text().is_some_and(|text| text.contains("kubelet did not let go")));
        let json = serde_json::to_value(&last).unwrap();
        assert_eq!((&json["orderly"], &json["holders"][0]["pid"]), (&true.into(), &7.into()));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let last = LastShutdown::load(&tree.context.paths, &mut tree.context.screen);
        assert!(last.text().is_none() && tree.err.text().contains("cannot read"));
    }
}
