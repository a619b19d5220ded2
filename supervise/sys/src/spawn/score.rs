//! This process's OOM score adjustment, which its children begin with.
//!
//! The kernel keeps all processes that share memory at one adjustment, so a child that shares ours
//! cannot have another. Services want the default, and this process has less than that. So it
//! takes theirs while any of them shares its memory, which is for as long as an exec takes.
//!
//! **Invariant:** this process has its own adjustment, unless a child shares its memory.

use std::fs;
use std::rc::Rc;

use super::prepare::Setting;

const FILE: &str = "/proc/self/oom_score_adj";

/// What it is, and what it is to be.
#[derive(Debug)]
pub(super) struct Score {
    /// None: it cannot be told.
    own: Option<i16>,
    /// What it is instead, for the children's sake.
    lent: Option<i16>,
    /// Held once for each of them.
    children: Rc<()>,
}

/// Held as long as a child may share our memory.
pub(super) type Sharer = Option<Rc<()>>;

impl Score {
    /// As it is.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(FILE).ok();
        let own = text.and_then(|text| text.trim().parse().ok());
        Self { own, lent: None, children: Rc::default() }
    }

    /// See [`super::Spawner::own_oom_score_adj`].
    pub(super) fn own(&self) -> Option<i16> {
        self.own
    }

    /// Whether a child that shares our memory begins with what it wants. Ours is changed only for
    /// the default: what few services ask for is not worth it.
    pub(super) fn suits(&mut self, wanted: Option<&Setting<i16>>) -> bool {
        let Some(wanted) = wanted else { return self.lent.is_none() };
        let now = self.lent.or(self.own);
        if now.is_none() || now == Some(wanted.value) {
            return now.is_some();
        }
        if wanted.asked || self.lent.is_some() || write(wanted.value).is_err() {
            return false;
        }
        self.lent = Some(wanted.value);
        true
    }

    /// To be held for a child that shares our memory now.
    pub(super) fn sharer(&self) -> Sharer {
        self.lent.is_some().then(|| Rc::clone(&self.children))
    }

    /// Makes it our own again, once no child is left.
    pub(super) fn take_back(&mut self) {
        if Rc::strong_count(&self.children) > 1 {
            return;
        }
        let (Some(lent), Some(own)) = (self.lent.take(), self.own) else { return };
        if write(own).is_err() {
            // We could give it up and cannot have it back: then this is ours.
            self.own = Some(lent);
        }
    }
}

fn write(value: i16) -> std::io::Result<()> {
    fs::write(FILE, value.to_string())
}
