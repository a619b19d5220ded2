//! The sources that this program is run from, if it is: `cargo run --package node-image` builds
//! what an image needs and is not there yet, by the scripts beside this crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::disk::partitions;

/// What cargo says of the crate that it runs.
const CRATE: &str = "CARGO_MANIFEST_DIR";

/// A checkout.
#[derive(Debug)]
pub struct Checkout {
    scripts: PathBuf,
    target: PathBuf,
}

impl Checkout {
    /// The one that cargo runs this program from.
    ///
    /// # Errors
    ///
    /// Cargo does not: `otherwise` says what to do.
    pub fn find(otherwise: &str) -> Result<Self> {
        let scripts = std::env::var_os(CRATE).map(PathBuf::from);
        let Some(scripts) = scripts.filter(|scripts| scripts.join("build-static").is_file()) else {
            bail!(
                "cannot build what the image needs: {otherwise}, or run this from a checkout \
                 (cargo run --package node-image)"
            );
        };
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = target.unwrap_or_else(|| scripts.join("../target"));
        Ok(Self { scripts, target })
    }

    /// Builds our programs for an architecture; the directory that they are in.
    pub fn programs(&self, architecture: &str) -> Result<PathBuf> {
        let directory = self.target.join("static").join(architecture);
        self.run("build-static", &[architecture.as_ref(), &directory])?;
        Ok(directory)
    }

    /// Unpacks packages of a Debian release for an architecture, in Debian's words; the directory.
    /// Beside it, `NAME.packages` says which versions.
    pub fn debian(&self, release: &str, architecture: &str, packages: &[&str]) -> Result<PathBuf> {
        let directory = cache()?.join("roots").join(root_name(release, architecture, packages));
        let mut words = vec![Path::new(release), Path::new(architecture), &directory];
        words.extend(packages.iter().map(Path::new));
        self.run("unpack", &words)?;
        Ok(directory)
    }

    /// A file or directory beside this crate's sources: `services`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }

    /// A `svc` that runs on this machine.
    pub fn svc(&self) -> Result<PathBuf> {
        Ok(self.programs(std::env::consts::ARCH)?.join("svc"))
    }

    fn run(&self, script: &str, words: &[&Path]) -> Result<()> {
        let script = self.scripts.join(script);
        let done = Command::new(&script).args(words).status();
        let done = done.with_context(|| format!("cannot run {}", script.display()))?;
        if !done.success() {
            bail!("{} failed ({done})", script.display());
        }
        Ok(())
    }
}

/// Names of files end at 255 bytes, and lists of packages do not.
fn root_name(release: &str, architecture: &str, packages: &[&str]) -> String {
    let words = packages.join("+");
    let words = if words.len() <= 100 { words } else { partitions::uuid("packages", &words) };
    format!("{release}-{words}-{architecture}")
}

/// Where the scripts keep what they fetch.
fn cache() -> Result<PathBuf> {
    if let Some(cache) = std::env::var_os("COOPER_CACHE") {
        return Ok(cache.into());
    }
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME") {
        return Ok(Path::new(&cache).join("cooper"));
    }
    let home = std::env::var_os("HOME").context("cannot find the cache: $HOME is not set")?;
    Ok(Path::new(&home).join(".cache/cooper"))
}
