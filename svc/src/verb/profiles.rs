//! `svc profiles`: what there is to choose from, and what this node has chosen.

use serde::Serialize;

use crate::{
    args::Profiles,
    context::Context,
    error::Error,
    exit::Exit,
    files,
    render::{Cell, Colour, Screen, Table},
};

/// All that `node.toml` can choose.
#[derive(Serialize)]
struct Report {
    profiles: Vec<Entry>,
    hardware: Vec<Entry>,
}

/// A profile or a hardware target.
#[derive(Serialize)]
struct Entry {
    name: String,
    description: String,
    /// The profiles that are part of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    includes: Vec<String>,
    /// The word of `node.toml` that brings it; its own name, if it is chosen itself.
    chosen_by: Option<String>,
}

/// Prints the list.
pub fn run(args: &Profiles, context: &mut Context) -> Result<Exit, Error> {
    let table = files::table(&[], context)?;
    let profile = |(name, profile): (&String, &facts::Profile)| Entry {
        name: name.clone(),
        description: profile.description.clone(),
        includes: profile.includes.clone(),
        chosen_by: table.members.get(name).cloned(),
    };
    let chosen = table.node.hardware.as_ref().map(|(name, _)| name);
    let target = |(name, target): (&String, &facts::Hardware)| Entry {
        name: name.clone(),
        description: target.description.clone(),
        includes: Vec::new(),
        chosen_by: chosen.filter(|chosen| *chosen == name).cloned(),
    };
    let report = Report {
        profiles: table.library.profiles.iter().map(profile).collect(),
        hardware: table.library.hardware.iter().map(target).collect(),
    };
    if args.json {
        context.screen.json(&report)?;
    } else {
        show(&report, &mut context.screen)?;
    }
    Ok(Exit::Ok)
}

fn show(report: &Report, screen: &mut Screen) -> Result<(), Error> {
    screen.table(&listed("PROFILE", &report.profiles))?;
    screen.line("")?;
    screen.table(&listed("HARDWARE", &report.hardware))
}

fn listed(heading: &str, entries: &[Entry]) -> Table {
    let mut table = Table::new(&[heading, "IN USE", "DESCRIPTION"]);
    for Entry { name, description, chosen_by, .. } in entries {
        let used = match chosen_by {
            None => Cell::new(Colour::Plain, "-"),
            Some(chosen) if chosen == name => Cell::new(Colour::Good, "yes"),
            Some(chosen) => Cell::new(Colour::Good, format!("by {chosen}")),
        };
        table.row([name.as_str().into(), used, description.as_str().into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fixture::Tree;

    /// What is chosen, what that brings along, and what is not: each is told apart.
    #[test]
    fn what_is_in_use_is_marked() {
        let mut tree = Tree::new();
        let facts = tree.context.paths.facts[0].clone();
        fs::create_dir_all(facts.join("profiles")).unwrap();
        let texts = [
            ("router", "description = \"Routes\"\nincludes = [\"packets\"]\n"),
            ("packets", "description = \"Packets\"\n"),
            ("unused", "description = \"Nobody's\"\n"),
        ];
        for (name, text) in texts {
            fs::write(facts.join("profiles").join(format!("{name}.toml")), text).unwrap();
        }
        fs::write(&tree.context.paths.node, "profiles = [\"router\"]\n").unwrap();
        let exit = run(&Profiles { json: false }, &mut tree.context).unwrap();
        assert_eq!(exit, Exit::Ok);
        let out = tree.out.text();
        let line = |name: &str| {
            let line = out.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("router"), "yes Routes");
        assert_eq!(line("packets"), "by router Packets");
        assert_eq!(line("unused"), "- Nobody's");
    }
}
