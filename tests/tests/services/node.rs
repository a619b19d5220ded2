//! The shipped services as a graph, and what is looked up in it.

use std::fs;
use std::path::{Path, PathBuf};

use graph::{Graph, Kind, Process, Service};
use source::{Colour, Text, compile};

/// Something that each node chooses.
pub const CHOICE: [&str; 2] = ["network-dhcp", "mdevd-coldplug"];

/// All of them; compiled without an error or a warning.
pub fn shipped() -> Graph {
    node(&CHOICE)
}

/// A node that wants `services`.
pub fn node(services: &[&str]) -> Graph {
    of(&format!("services = {services:?}"))
}

/// The node that this `node.toml` describes.
pub fn of(node: &str) -> Graph {
    let files = files();
    let mut texts: Vec<Text<'_>> = files.iter().map(|(path, text)| Text { path, text }).collect();
    texts.push(Text { path: "node.toml", text: node });
    let compiled =
        compile(&texts).unwrap_or_else(|report| panic!("{node}:\n{}", report.render(Colour::None)));
    assert_eq!(compiled.warnings.render(Colour::None), "", "{node}");
    compiled.graph
}

fn files() -> Vec<(String, String)> {
    let dir: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node-image/services");
    let entries = fs::read_dir(dir).expect("the shipped services");
    let mut files: Vec<(String, String)> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .collect();
    files.sort();
    files
}

pub fn service<'a>(graph: &'a Graph, name: &str) -> &'a Service {
    let found = graph.services.iter().find(|service| service.name == name);
    found.unwrap_or_else(|| panic!("{name} is not shipped"))
}

pub fn process<'a>(graph: &'a Graph, name: &str) -> &'a Process {
    process_of(service(graph, name)).unwrap_or_else(|| panic!("{name} is a bundle"))
}

pub fn process_of(service: &Service) -> Option<&Process> {
    match &service.kind {
        Kind::Longrun(process) | Kind::Oneshot(process) => Some(process),
        Kind::Bundle(_) => None,
    }
}

pub fn daemon(service: &Service) -> bool {
    matches!(service.kind, Kind::Longrun(_))
}

/// The program that the main process becomes: a shell executes it last of all.
pub fn program(process: &Process) -> &str {
    let path = match process.exec.first().map(String::as_str) {
        Some("/bin/sh") => {
            let script = process.exec.last().map_or("", String::as_str);
            let after = script.rsplit_once("exec ").map_or("", |(_, after)| after);
            after.split_whitespace().next().unwrap_or("")
        }
        other => other.unwrap_or(""),
    };
    path.rsplit('/').next().unwrap_or(path)
}
