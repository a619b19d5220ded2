//! Which signals are taken for others in a container: `TERM:QUIT`, or `HUP:0` for one that is not
//! to be heard. Texts like these are arguments of `svc container` and the variable of this name.

use alloc::vec::Vec;

use crate::describe::signal_named;

/// The variable: rules with commas between them.
pub const VARIABLE: &str = "COOPER_REWRITE";
/// The variable by which signals go to the main process's whole group, if it is `1`.
pub const GROUP: &str = "COOPER_GROUP";

/// The rules.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rewrites(Vec<(u8, u8)>);

impl Rewrites {
    /// The rules of this text. The error is the rule that is none.
    pub fn parse(text: &str) -> Result<Self, &str> {
        let rules = text.split(',').map(str::trim).filter(|rule| !rule.is_empty());
        rules.map(|rule| pair(rule).ok_or(rule)).collect::<Result<_, _>>().map(Self)
    }

    /// What is taken for `signal`; none: it is not heard. The last rule wins.
    #[must_use]
    pub fn of(&self, signal: u8) -> Option<u8> {
        let rule = self.0.iter().rev().find(|(from, _)| *from == signal);
        rule.map_or(Some(signal), |(_, to)| Some(*to)).filter(|to| *to != 0)
    }
}

fn pair(rule: &str) -> Option<(u8, u8)> {
    let (from, to) = rule.split_once(':')?;
    let to = to.trim();
    Some((signal_named(from.trim())?, if to == "0" { 0 } else { signal_named(to)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_pairs_of_signals_by_name_or_number() {
        let rewrites = Rewrites::parse("TERM:QUIT, 1:0,sigusr1:37,").unwrap();
        assert_eq!(
            [15, 1, 10, 2].map(|signal| rewrites.of(signal)),
            [Some(3), None, Some(37), Some(2)]
        );
        assert_eq!(Rewrites::parse("TERM:QUIT,TERM:INT").unwrap().of(15), Some(2));
        assert_eq!(Rewrites::parse("").unwrap(), Rewrites::default());
    }

    #[test]
    fn what_is_no_rule_is_named() {
        for (text, rule) in
            [("TERM", "TERM"), ("HUP:1,TERM:FOO", "TERM:FOO"), (":1", ":1"), ("0:1", "0:1")]
        {
            assert_eq!(Rewrites::parse(text), Err(rule));
        }
    }
}
