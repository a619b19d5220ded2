//! Match rules: which signals a client wants (`type='signal',member='PrepareForShutdown'`).

/// A signal, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Signal<'a> {
    /// The object that it is from.
    pub path: &'a str,
    /// The interface that it belongs to.
    pub interface: &'a str,
    /// Its name.
    pub member: &'a str,
    /// The names of whom it is from.
    pub senders: [&'a str; 2],
}

/// A rule, as it was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule(String);

impl Rule {
    /// Takes a rule; none if it is no list of `key='value'`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fine = pairs(text).all(|pair| pair.is_some());
        fine.then(|| Self(text.into()))
    }

    /// This is a signal that it asks for. What it asks of a signal's arguments nobody has asked
    /// yet; such a rule asks for none.
    #[must_use]
    pub fn matches(&self, signal: &Signal<'_>) -> bool {
        pairs(&self.0).all(|pair| match pair {
            Some(("type", value)) => value == "signal",
            Some(("path", value)) => value == signal.path,
            Some(("path_namespace", value)) => is_below(signal.path, value),
            Some(("interface", value)) => value == signal.interface,
            Some(("member", value)) => value == signal.member,
            Some(("sender", value)) => signal.senders.contains(&value),
            // It is not said of signals, or asks to see what is for others, of which there is none.
            Some(("destination" | "eavesdrop", _)) => true,
            Some(_) | None => false,
        })
    }
}

fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        || top == "/"
}

/// `key='value'`, separated by commas. Nothing that is asked for here contains a comma or a quote,
/// so values that do are not understood.
fn pairs(text: &str) -> impl Iterator<Item = Option<(&str, &str)>> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| {
        let (key, value) = part.split_once('=')?;
        Some((key, value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).unwrap_or(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNAL: Signal<'_> =
        Signal { path: "/a/b", interface: "c.D", member: "E", senders: [":1.0", "f.g"] };

    #[test]
    fn a_rule_asks_for_what_it_says() {
        for (rule, wanted) in [
            ("", true),
            ("type='signal',interface='c.D',member='E',path='/a/b'", true),
            ("type='signal', sender=f.g, path_namespace='/a'", true),
            ("path_namespace='/'", true),
            ("path_namespace='/a/b/c'", false),
            ("path_namespace='/a/'", false),
            ("type='method_call'", false),
            ("type='signal',member='F'", false),
            ("type='signal',arg0='x'", false),
        ] {
            assert_eq!(Rule::new(rule).unwrap().matches(&SIGNAL), wanted, "{rule}");
        }
        assert_eq!(Rule::new("nonsense"), None);
    }
}
