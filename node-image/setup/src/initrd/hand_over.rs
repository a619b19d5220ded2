//! The node's own init.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::CommandLine;

/// Where it is, if nobody says otherwise.
const INITS: [&str; 2] = ["/usr/lib/cooper/init", "/sbin/init"];

/// Becomes it. What the kernel did not understand of its command line are its arguments, as ever.
pub fn to_init(line: &CommandLine, words: &[OsString]) -> Result<Infallible, String> {
    let usual = || INITS.into_iter().find(|init| Path::new(init).exists());
    let Some(init) = line.init.as_deref().or_else(usual) else {
        return Err(format!("the root has no {}", INITS.join(" and no ")));
    };
    Err(format!("cannot run {init}: {}", Command::new(init).args(words).exec()))
}
