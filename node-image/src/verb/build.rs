//! `node-image build`: whole images, from what we know of machines and their uses.

mod disk;
mod netboot;
mod oci;
mod root;

use anyhow::Result;
use clap::Subcommand;

/// What to build.
#[derive(Subcommand)]
pub enum Build {
    /// The container base image: an OCI layout for both architectures
    Oci(oci::Oci),
    /// A disk with a table of partitions, for one hardware target
    Disk(disk::Disk),
    /// What a machine boots from the network: kernel, initramfs, command line and an iPXE script
    Netboot(netboot::Netboot),
}

/// Builds it.
pub fn run(build: Build) -> Result<()> {
    match build {
        Build::Oci(oci) => oci::run(&oci),
        Build::Disk(disk) => disk::run(&disk),
        Build::Netboot(netboot) => netboot::run(&netboot),
    }
}
