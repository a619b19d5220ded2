//! The linked program itself.

use std::process::Command;

use crate::tree::program;

fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).arg(program()).output().expect("binutils");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn no_panic_is_linked_in() {
    // What cannot be called is not linked: core's panics are gone, and so is our handler.
    let symbols = tool("nm", &["--demangle"]);
    assert!(symbols.contains("init::run::Init::run"), "the symbols are there to be looked at");
    for forbidden in ["panic", "slice_index_fail", "unwrap_failed", "expect_failed", "core::fmt"] {
        let found: Vec<_> = symbols.lines().filter(|line| line.contains(forbidden)).collect();
        assert!(found.is_empty(), "{forbidden}: {found:#?}");
    }
}

#[test]
fn no_allocator_is_linked_in() {
    let symbols = tool("nm", &["--demangle"]);
    for forbidden in ["malloc", "calloc", "realloc", "alloc::", "__rust_alloc"] {
        let found: Vec<_> = symbols.lines().filter(|line| line.contains(forbidden)).collect();
        assert!(found.is_empty(), "{forbidden}: {found:#?}");
    }
}

#[test]
fn what_is_loaded_is_under_64_kib() {
    // Text, constants and initialised data: what a stripped file has, but for its headers.
    let sizes = tool("size", &[]);
    let numbers = sizes.lines().nth(1).expect("a line").split_whitespace();
    let loaded: u64 = numbers.take(2).map(|number| number.parse::<u64>().expect("a number")).sum();
    println!("{loaded} bytes");
    assert!(loaded < 64 * 1024, "{sizes}");
}

#[test]
fn wrong_usage_is_said_and_has_its_exit_status() {
    let run = |arguments: &[&str]| {
        let output = Command::new(program()).args(arguments).output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    };
    let (code, text) = run(&[]);
    assert_eq!((code, text.contains("--subtree")), (Some(100), true), "{text}");
    let (code, text) = run(&["--subtree", "--nonsense"]);
    assert_eq!((code, text.contains("--nonsense")), (Some(100), true), "{text}");
    let (code, text) = run(&["--help"]);
    assert_eq!((code, text.starts_with("usage: init")), (Some(0), true), "{text}");
    let (code, text) = run(&["--version"]);
    assert_eq!((code, text.starts_with("init ")), (Some(0), true), "{text}");
}
