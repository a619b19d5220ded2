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
    // Who chooses profiles that do not go together needs the list most.
    let table = files::table_as_it_is(context);
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

    /// A node that has chosen these words, of profiles with these texts.
    fn choosing(words: &str, texts: &[(&str, &str)]) -> Tree {
        let tree = Tree::new();
        let profiles = tree.context.paths.facts[0].join("profiles");
        fs::create_dir_all(&profiles).unwrap();
        for (name, text) in texts {
            fs::write(profiles.join(format!("{name}.toml")), text).unwrap();
        }
        fs::write(&tree.context.paths.node, format!("profiles = [{words}]\n")).unwrap();
        tree
    }

    /// The line of a profile, but for its name.
    fn line(tree: &Tree, name: &str) -> String {
        let out = tree.out.text();
        let line = out.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    }

    /// What is chosen, what that brings along, and what is not: each is told apart.
    #[test]
    fn what_is_in_use_is_marked() {
        let texts = [
            ("router", "description = \"Routes\"\nincludes = [\"packets\"]\n"),
            ("packets", "description = \"Packets\"\n"),
            ("unused", "description = \"Nobody's\"\n"),
        ];
        let mut tree = choosing("\"router\"", &texts);
        let exit = run(&Profiles { json: false }, &mut tree.context).unwrap();
        assert_eq!(exit, Exit::Ok);
        assert_eq!(line(&tree, "router"), "yes Routes");
        assert_eq!(line(&tree, "packets"), "by router Packets");
        assert_eq!(line(&tree, "unused"), "- Nobody's");
        assert_eq!(tree.err.text(), "");
    }

    /// A choice that cannot be made into a table is listed all the same, and what is wrong with it
    /// is said beside the list.
    #[test]
    fn a_contradiction_is_a_warning_and_the_list_is_whole() {
        let sysctl = |value| {
            format!(
                "description = \"d\"\n[[sysctl]]\nkey = \"kernel.panic\"\nvalue = \"{value}\"\n\
                 why = \"w\"\nsource = \"s\"\n"
            )
        };
        let texts = [("one", sysctl(1)), ("other", sysctl(2))];
        let texts = texts.each_ref().map(|(name, text)| (*name, text.as_str()));
        let mut tree = choosing("\"one\", \"other\", \"othr\"", &texts);
        let exit = run(&Profiles { json: false }, &mut tree.context).unwrap();
        assert_eq!(exit, Exit::Ok);
        assert_eq!([line(&tree, "one"), line(&tree, "other")], ["yes d", "yes d"]);
        let told = tree.err.text();
        assert!(told.contains("warning: `kernel.panic` cannot be both 1 (one) and 2"), "{told}");
        assert!(told.contains("did you mean \"other\"?") && !told.contains("error:"), "{told}");
    }
}
