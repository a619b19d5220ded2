//! `node-image build`: whole images, from what we know of machines and their uses.

mod oci;

use anyhow::Result;
use clap::Subcommand;

/// What to build.
#[derive(Subcommand)]
pub enum Build {
    /// The container base image: an OCI layout for both architectures
    Oci(oci::Oci),
}

/// Builds it.
pub fn run(build: Build) -> Result<()> {
    match build {
        Build::Oci(oci) => oci::run(&oci),
    }
}
