//! What an examination found, and what it makes of it.

use facts::{Section, Severity};
use serde::{Serialize, Serializer};

/// How an entry of the table stands, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds.
    Ok,
    /// It does not apply here, or nobody can tell; `found` says which.
    Skipped,
    /// It does not hold, which is worth knowing.
    Info,
    /// It does not hold, and something optional does not work, or may break later.
    Warning,
    /// It does not hold, and the node does not work.
    Error,
}

impl From<Severity> for Status {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
        }
    }
}

/// One entry of the table, examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name: `swap`, `module:overlay`, `port:6443/tcp`.
    pub id: String,
    /// How it stands.
    pub status: Status,
    /// What is so.
    pub found: String,
    /// What goes wrong if it does not hold.
    pub why: String,
    /// What to do about it; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fix: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it.
    pub by: Vec<String>,
    /// The section of node set-up that sees to it; `--fix` runs that.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "by_name")]
    pub set_up: Option<Section>,
    /// Root sees more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_root: bool,
}

/// What a judge says of one entry, without the entry's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be: what is so.
    Holds(String),
    /// It is not.
    Fails(Fault),
    /// It makes no sense on this machine, and why.
    DoesNotApply(String),
    /// Nobody can tell, and why.
    Unknown(String),
    /// Only root can tell.
    NeedsRoot(String),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is so.
    pub found: String,
    /// What to do, where that is more than the entry says.
    pub fix: Option<String>,
    /// It is not worse than this, whatever the entry says.
    pub at_most: Severity,
    /// The section of set-up that sees to it.
    pub set_up: Option<Section>,
}

impl Verdict {
    /// It is not as it should be, because `found` is so.
    pub fn fails(found: impl Into<String>) -> Self {
        let found = found.into();
        Self::Fails(Fault { found, fix: None, at_most: Severity::Error, set_up: None })
    }

    /// Instead of the entry's own advice.
    #[must_use]
    pub fn fix(self, fix: impl Into<String>) -> Self {
        self.change(|fault| fault.fix = Some(fix.into()))
    }

    /// Less bad than the entry has it.
    #[must_use]
    pub fn at_most(self, severity: Severity) -> Self {
        self.change(|fault| fault.at_most = severity)
    }

    /// Node set-up sees to it.
    #[must_use]
    pub fn set_up(self, section: Section) -> Self {
        self.change(|fault| fault.set_up = Some(section))
    }

    fn change(mut self, change: impl FnOnce(&mut Fault)) -> Self {
        if let Self::Fails(fault) = &mut self {
            change(fault);
        }
        self
    }
}

/// What an entry says of itself: the half of a finding that does not depend on the machine.
pub struct Entry<'a> {
    /// Its name in the report.
    pub id: String,
    /// How bad it is if it does not hold.
    pub severity: Severity,
    /// What goes wrong then.
    pub why: &'a str,
    /// What to do about it.
    pub fix: String,
    /// Where that is written.
    pub source: &'a str,
    /// Who wants it.
    pub by: &'a [String],
}

impl Finding {
    /// The entry, judged.
    pub fn new(entry: Entry<'_>, verdict: Verdict) -> Self {
        let (status, found, fault, needs_root) = match verdict {
            Verdict::Holds(found) => (Status::Ok, found, None, false),
            Verdict::DoesNotApply(why) => (Status::Skipped, why, None, false),
            Verdict::Unknown(why) => (Status::Skipped, format!("unknown: {why}"), None, false),
            Verdict::NeedsRoot(why) => (Status::Skipped, format!("needs root: {why}"), None, true),
            Verdict::Fails(fault) => {
                let severity = entry.severity.min(fault.at_most);
                (severity.into(), fault.found.clone(), Some(fault), false)
            }
        };
        let fix = match &fault {
            None => String::new(),
            Some(fault) => fault.fix.clone().unwrap_or(entry.fix),
        };
        Self {
            id: entry.id,
            status,
            found,
            why: entry.why.into(),
            fix,
            source: entry.source.into(),
            by: entry.by.to_vec(),
            set_up: fault.and_then(|fault| fault.set_up),
            needs_root,
        }
    }
}

fn by_name<S: Serializer>(section: &Option<Section>, to: S) -> Result<S::Ok, S::Error> {
    section.map(Section::name).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry<'static> {
        Entry {
            id: "swap".into(),
            severity: Severity::Warning,
            why: "memory limits mean nothing",
            fix: "swapoff -a".into(),
            source: "a page",
            by: &[],
        }
    }

    /// A check may find a thing less bad than its entry, and never worse.
    #[test]
    fn a_fault_is_never_worse_than_its_entry() {
        let fails = || Verdict::fails("swap is on");
        assert_eq!(Finding::new(entry(), fails()).status, Status::Warning);
        let mild = Finding::new(entry(), fails().at_most(Severity::Info));
        assert_eq!(mild.status, Status::Info);
        assert_eq!(Finding::new(entry(), fails().at_most(Severity::Error)).status, Status::Warning);
    }

    /// Advice is for what does not hold, the more particular first.
    #[test]
    fn only_a_fault_has_advice() {
        assert_eq!(Finding::new(entry(), Verdict::Holds("no swap".into())).fix, "");
        assert_eq!(Finding::new(entry(), Verdict::fails("on")).fix, "swapoff -a");
        assert_eq!(Finding::new(entry(), Verdict::fails("on").fix("zap it")).fix, "zap it");
    }

    /// What nobody can tell is neither right nor wrong.
    #[test]
    fn what_is_not_known_is_skipped() {
        for verdict in [
            Verdict::DoesNotApply("no swap in the kernel".into()),
            Verdict::Unknown("no such file".into()),
            Verdict::NeedsRoot("permission denied".into()),
        ] {
            let needs_root = matches!(verdict, Verdict::NeedsRoot(_));
            let finding = Finding::new(entry(), verdict);
            assert_eq!((finding.status, finding.needs_root), (Status::Skipped, needs_root));
        }
    }
}
