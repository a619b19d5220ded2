//! How an entry of the table stands on this machine.

use std::fmt;

/// Why an entry is in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// What goes wrong without.
    pub why: String,
    /// Where that is written.
    pub source: String,
    /// The profiles that want it; or the file of this machine that does.
    pub by: Vec<String>,
    /// The node works without.
    pub is_optional: bool,
}

/// `(routing between pods; k3s-server)`, as it stands at the end of a line.
impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.join(", ");
        // It is a sentence there, and a part of one here.
        match (self.why.trim_end_matches('.'), by.as_str()) {
            ("", "") => Ok(()),
            (one, "") | ("", one) => write!(formatter, " ({one})"),
            (why, by) => write!(formatter, " ({why}; {by})"),
        }
    }
}

/// One entry, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about: `net.ipv4.ip_forward`, `br_netfilter`, `/sys/fs/bpf`.
    pub subject: String,
    /// How it stands.
    pub state: State,
    /// Why it is asked for.
    pub need: Need,
}

/// How an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// As the table wants it: what is there.
    Holds(String),
    /// Otherwise, and set-up can change it.
    Differs {
        /// What is there.
        is: String,
        /// What the table wants.
        wanted: String,
    },
    /// Otherwise, and set-up leaves it or cannot help: the reason, and what to do.
    Cannot(String),
    /// Only root can tell: the reason. Set-up, which is root, never finds it.
    Hidden(String),
}

macro_rules! need {
    ($($entry:ident: |$it:ident| $is_optional:expr;)*) => {$(
        impl From<&facts::$entry> for Need {
            fn from($it: &facts::$entry) -> Self {
                let (why, source) = ($it.why.clone(), $it.source.clone());
                Self { why, source, by: $it.by.clone(), is_optional: $is_optional }
            }
        }
    )*};
}

need! {
    Module: |it| it.optional;
    Sysctl: |it| it.optional;
    Mount: |it| it.optional;
    Cgroup: |_it| false;
}
