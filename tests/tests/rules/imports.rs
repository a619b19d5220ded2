//! Who may import whom: DESIGN §10's rooms, checked against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::{assert_none, top};

/// A room, and all that it may import. A new crate is a decision: `docs/architecture.md` says
/// why it is here, and this table says where.
struct Room {
    name: &'static str,
    /// Of ours.
    rooms: &'static [&'static str],
    /// Of others.
    crates: &'static [&'static str],
    /// Links no std.
    pure: bool,
    /// Runs as long as the machine does: links neither a parser of text nor of arguments.
    long_lived: bool,
}

const ROOMS: &[Room] = &[
    Room {
        name: "init",
        rooms: &["wire"],
        crates: &["libc", "rustix"],
        pure: true,
        long_lived: true,
    },
    Room { name: "unit", rooms: &[], crates: &[], pure: true, long_lived: true },
    Room { name: "engine", rooms: &["graph", "unit"], crates: &[], pure: true, long_lived: true },
    Room {
        name: "graph",
        rooms: &[],
        crates: &["crc32fast", "postcard", "serde"],
        pure: true,
        long_lived: true,
    },
    Room {
        name: "wire",
        rooms: &["engine", "graph", "unit"],
        crates: &["crc32fast", "serde"],
        pure: true,
        long_lived: true,
    },
    Room {
        name: "sys",
        rooms: &["graph", "unit", "wire"],
        crates: &["caps", "libc", "nix", "rustix"],
        pure: false,
        long_lived: true,
    },
    Room {
        name: "supervise",
        rooms: &["engine", "graph", "sys", "unit", "wire"],
        crates: &[
            "caps",
            "mio",
            "rustix",
            "serde",
            "serde_json",
            "signal-hook",
            "thiserror",
            "tracing",
        ],
        pure: false,
        long_lived: true,
    },
    Room {
        name: "cooper-log",
        rooms: &["graph", "sys", "wire"],
        crates: &["crc32fast", "memchr", "mio", "rustix", "signal-hook", "thiserror"],
        pure: false,
        long_lived: true,
    },
    Room {
        name: "source",
        rooms: &["facts", "graph"],
        crates: &["caps", "serde", "toml"],
        pure: false,
        long_lived: false,
    },
    Room {
        name: "svc",
        rooms: &[
            "cooper-log",
            "doctor",
            "engine",
            "facts",
            "graph",
            "login1",
            "node-setup",
            "source",
            "sys",
            "unit",
            "wire",
        ],
        crates: &["clap", "clap_complete", "jiff", "rustix", "serde", "serde_json"],
        pure: false,
        long_lived: false,
    },
    Room {
        name: "facts",
        rooms: &[],
        crates: &["serde", "serde_json", "toml"],
        pure: false,
        long_lived: false,
    },
    Room {
        name: "login1",
        rooms: &["sys", "wire"],
        crates: &["rustix", "serde", "serde_json", "thiserror"],
        pure: false,
        long_lived: true,
    },
    Room {
        name: "node-setup",
        rooms: &["facts", "login1", "sys", "wire"],
        crates: &[
            "flate2",
            "rustix",
            "ruzstd",
            "serde",
            "serde_json",
            "sha2",
            "tar",
            "thiserror",
            "xz4rust",
        ],
        pure: false,
        long_lived: false,
    },
    Room {
        name: "doctor",
        rooms: &["facts", "node-setup", "sys"],
        crates: &["flate2", "rustix", "serde", "toml"],
        pure: false,
        long_lived: false,
    },
    Room {
        name: "node-image",
        rooms: &["facts", "graph", "node-setup", "source"],
        crates: &["anyhow", "clap", "cpio", "flate2", "serde", "serde_json", "sha1", "sha2", "tar"],
        pure: false,
        long_lived: false,
    },
];

#[test]
fn each_room_imports_only_what_it_may() {
    // An import is a decision; one that the table does not name was not decided.
    let metadata = metadata();
    let mut broken = Vec::new();
    let members = members(&metadata);
    for (name, package) in &members {
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            if name != "tests" {
                broken.push(format!("{name}: this room is not in the table"));
            }
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("a list") {
            let import = dependency["name"].as_str().expect("a name");
            if !dependency["kind"].is_null() {
                continue; // What only its tests or its build script use is not in the product.
            }
            let allowed = if members.contains_key(import) { room.rooms } else { room.crates };
            if !allowed.contains(&import) {
                broken.push(format!("{name} imports {import}"));
            }
        }
    }
    assert_none("imports that no table allows", &broken);
}

#[test]
fn nothing_that_lives_long_links_a_parser_of_text() {
    // DESIGN promise 3: what runs as supervisor parses no TOML, and no command line worth a crate.
    let metadata = metadata();
    let mut broken = Vec::new();
    for room in ROOMS.iter().filter(|room| room.long_lived) {
        for package in closure(&metadata, room.name) {
            if ["clap", "clap_builder", "toml", "toml_edit", "regex", "tokio"].contains(&&*package)
            {
                broken.push(format!("{} links {package}", room.name));
            }
        }
    }
    assert_none("parsers in long-lived rooms", &broken);
}

#[test]
fn pure_rooms_link_no_std() {
    // A pure room has no clock, no file and no lock, because it has no std to take them from.
    let mut broken = Vec::new();
    let metadata = metadata();
    for (name, package) in members(&metadata) {
        let pure = ROOMS.iter().any(|room| room.name == name && room.pure);
        let manifest = package["manifest_path"].as_str().expect("a path");
        let root = manifest.replace("Cargo.toml", "src/lib.rs");
        let text = std::fs::read_to_string(&root).unwrap_or_default();
        let declares =
            text.contains("#![no_std]") || text.contains("#![cfg_attr(not(test), no_std)]");
        if pure && (!declares || text.contains("extern crate std")) {
            broken.push(format!("{name}: {root} does not say #![no_std]"));
        }
    }
    assert_none("pure rooms with std", &broken);
}

#[test]
fn every_room_takes_the_house_lints() {
    // A lint that one room leaves out is a lint that nobody can rely on.
    let metadata = metadata();
    let mut broken = Vec::new();
    for (name, package) in members(&metadata) {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let text = std::fs::read_to_string(manifest).expect("readable");
        if !text.contains("[lints]\nworkspace = true") {
            broken.push(format!("{name}: no `[lints] workspace = true`"));
        }
    }
    let workspace = std::fs::read_to_string(top().join("Cargo.toml")).expect("readable");
    for lint in [
        "arithmetic_side_effects",
        "as_conversions",
        "cast_possible_truncation",
        "indexing_slicing",
        "undocumented_unsafe_blocks",
        "unsafe_op_in_unsafe_fn",
        "unwrap_used",
        "wildcard_enum_match_arm",
    ] {
        if !workspace.contains(&format!("\n{lint} = ")) {
            broken.push(format!("the workspace does not set {lint}"));
        }
    }
    assert_none("lints", &broken);
}

/// `cargo metadata`, all of it, without touching the network.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform"])
        .arg("x86_64-unknown-linux-gnu")
        .current_dir(top())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Our packages by name.
fn members(metadata: &Value) -> BTreeMap<String, Value> {
    let ids: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    metadata["packages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|package| ids.contains(package["id"].as_str().unwrap_or_default()))
        .map(|package| (package["name"].as_str().expect("a name").to_owned(), package.clone()))
        .collect()
}

/// Every package that `name` links, itself included: normal dependencies, transitively.
fn closure(metadata: &Value, name: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("a list");
    let name_of = |id: &str| {
        packages
            .iter()
            .find(|package| package["id"] == id)
            .and_then(|package| package["name"].as_str())
            .map(str::to_owned)
    };
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a list");
    let start = members(metadata)[name]["id"].as_str().expect("an id").to_owned();
    let (mut seen, mut queue) = (BTreeSet::new(), vec![start]);
    while let Some(id) = queue.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == *id).expect("resolved");
        for dependency in node["deps"].as_array().expect("a list") {
            let kinds = dependency["dep_kinds"].as_array().expect("a list");
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                queue.push(dependency["pkg"].as_str().expect("an id").to_owned());
            }
        }
    }
    seen.iter().filter_map(|id| name_of(id)).collect()
}
