//! Services of profiles that this node leaves out: the words of `without` in `node.toml`.
//!
//! Here is whether each word means something; that nobody brings such a service up, and who would
//! not come up without it, is for `link`, which knows whom names mean.

use facts::Merged;
use graph::nearest;

use crate::{node::NodeFile, report::Findings};

/// Tells of each word that is no service of a profile, or that the same file asks for.
pub(crate) fn check(node: &NodeFile, merged: &Merged, findings: &mut Findings) {
    let brought: Vec<&str> =
        merged.node.services.iter().map(|service| service.name.as_str()).collect();
    for named in &node.without {
        let name = named.name.as_str();
        if let Some(asked) = node.services.iter().find(|other| other.name == name) {
            findings.error_with(
                named.at,
                format!("`{name}` is asked for and left out"),
                "take it out of `services`, or out of `without`",
                vec![(asked.at, format!("`{name}` is asked for here"))],
            );
        } else if !brought.contains(&name) {
            let help = match nearest(name, brought.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "take it out: only what a profile brings up can be left out".to_string(),
            };
            findings.error(
                named.at,
                format!("no profile of this node brings up a service `{name}`"),
                help,
            );
        }
    }
}
