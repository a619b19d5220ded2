//! What a section has looked at: how each entry stands, and what would make it true.

use crate::{Finding, Need, Report, State};

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Looked<S> {
    finding: Finding,
    step: Option<S>,
}

impl<S> Looked<S> {
    /// As it should be.
    pub fn holds(subject: impl Into<String>, is: impl Into<String>, need: Need) -> Self {
        let finding = Finding { subject: subject.into(), state: State::Holds(is.into()), need };
        Self { finding, step: None }
    }

    /// Otherwise; the step makes it so.
    pub fn differs(
        subject: impl Into<String>,
        is: impl Into<String>,
        wanted: impl Into<String>,
        need: Need,
        step: S,
    ) -> Self {
        let state = State::Differs { is: is.into(), wanted: wanted.into() };
        Self { finding: Finding { subject: subject.into(), state, need }, step: Some(step) }
    }

    /// Otherwise, and nothing here helps: the reason.
    pub fn cannot(subject: impl Into<String>, reason: impl Into<String>, need: Need) -> Self {
        let state = State::Cannot(reason.into());
        Self { finding: Finding { subject: subject.into(), state, need }, step: None }
    }

    /// For root alone to see: the reason.
    pub fn hidden(subject: impl Into<String>, reason: impl Into<String>, need: Need) -> Self {
        let state = State::Hidden(reason.into());
        Self { finding: Finding { subject: subject.into(), state, need }, step: None }
    }

    /// What would make it true.
    pub fn step(&self) -> Option<&S> {
        self.step.as_ref()
    }
}

/// The half of a section that changes nothing.
pub(crate) fn findings<S>(looked: Vec<Looked<S>>) -> Vec<Finding> {
    looked.into_iter().map(|it| it.finding).collect()
}

/// The other half: takes the step of each entry that differs. A step that could not be taken says
/// "VERB OBJECT: reason".
pub(crate) fn settle<S>(
    looked: Vec<Looked<S>>,
    report: &mut Report<'_>,
    mut take: impl FnMut(&S) -> Result<(), String>,
) {
    for Looked { finding: Finding { subject, state, need }, step } in looked {
        match (state, step) {
            (State::Holds(_), _) => report.holds(),
            (State::Differs { is, wanted }, Some(step)) => match take(&step) {
                Ok(()) => report.changed(&subject, &is, &wanted, &need),
                Err(reason) => report.failed(&format_args!("cannot {reason}"), &need),
            },
            (
                State::Differs { is: reason, .. } | State::Cannot(reason) | State::Hidden(reason),
                _,
            ) => {
                report.failed(&format_args!("{subject}: {reason}"), &need);
            }
        }
    }
}

/// Why an entry is there that no profile names: the node works without.
pub(crate) fn useful(why: &str, source: &str) -> Need {
    Need { is_optional: true, ..needed(why, source) }
}

/// The same, and it does not.
pub(crate) fn needed(why: &str, source: &str) -> Need {
    Need { why: why.into(), source: source.into(), by: Vec::new(), is_optional: false }
}
