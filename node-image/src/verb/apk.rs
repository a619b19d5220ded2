//! `node-image pack apk` and `pack apk-index`: packages of Alpine, and a repository of them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use node_image::{apk, output};

use super::files::Files;

/// A package.
#[derive(Args)]
pub struct Package {
    #[command(flatten)]
    files: Files,
    /// The lines of its .PKGINFO, but for size, date and hash
    #[arg(long, value_name = "FILE")]
    info: PathBuf,
    /// A script that apk runs: pre-install, post-install, post-upgrade, …
    #[arg(long = "script", value_name = "NAME:FILE")]
    scripts: Vec<String>,
    #[command(flatten)]
    seal: Seal,
}

/// The index of a repository.
#[derive(Args)]
pub struct Index {
    /// The packages
    #[arg(required = true, value_name = "PACKAGE")]
    packages: Vec<PathBuf>,
    /// What the repository is
    #[arg(long, default_value = "cooper")]
    description: String,
    /// The architecture of its directory
    #[arg(long)]
    arch: String,
    /// The file to write, by custom DIR/ARCH/APKINDEX.tar.gz
    #[arg(long, short)]
    output: PathBuf,
    #[command(flatten)]
    seal: Seal,
}

/// Who signs, and as of when.
#[derive(Args)]
struct Seal {
    /// The private key, NAME.rsa; apk looks for the public one as /etc/apk/keys/NAME.rsa.pub
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
    /// The date of all that is in it, in seconds since 1970
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    date: u64,
}

/// Writes a package.
pub fn package(package: &Package) -> Result<()> {
    let info = std::fs::read_to_string(&package.info)
        .with_context(|| format!("cannot read {}", package.info.display()))?;
    let mut scripts = Vec::new();
    for script in &package.scripts {
        let Some((name, path)) = script.split_once(':') else {
            bail!("cannot take the script {script}: it has no colon after its name");
        };
        scripts.push(apk::script(name, path.as_ref())?);
    }
    let about = apk::About { info, scripts, date: package.seal.date };
    let tree = package.files.tree()?;
    output::file(&package.files.output, |output| {
        apk::package(&tree, &about, &package.seal.key, output)
    })
}

/// Writes an index.
pub fn index(index: &Index) -> Result<()> {
    let seal = (index.seal.key.as_path(), index.seal.date);
    let repository = apk::Repository { description: &index.description, architecture: &index.arch };
    output::file(&index.output, |output| apk::index(&index.packages, repository, seal, output))
}
