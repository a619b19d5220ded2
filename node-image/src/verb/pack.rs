//! `node-image pack`: files laid over each other, as one image. What goes in is for the caller to
//! say.

use std::path::Path;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use node_image::oci;
use node_image::tree::Entry;
use node_image::{ext4, initramfs, modules, output, packing};

use super::files::Files;

/// What it becomes.
#[derive(Subcommand)]
pub enum Pack {
    /// An initramfs
    Initramfs {
        #[command(flatten)]
        files: Files,
        /// Take of all kernel modules only these, and what they need
        #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
        modules: Option<Vec<String>>,
        /// How to compress it
        #[arg(long = "pack", value_enum, default_value = "gzip")]
        packing: Packing,
    },
    /// A container image: an OCI layout in a tar file
    Oci {
        #[command(flatten)]
        files: Files,
        /// Its name, with the tag
        #[arg(long)]
        name: String,
        /// Its architecture, as OCI says it (amd64, arm64)
        #[arg(long)]
        architecture: String,
        /// The command it runs
        #[arg(last = true, required = true, value_name = "COMMAND")]
        entrypoint: Vec<String>,
    },
    /// A package of Alpine
    Apk(super::apk::Package),
    /// The index of a repository of Alpine's packages
    ApkIndex(super::apk::Index),
    /// A disk without partitions: one ext4 file system
    Ext4 {
        #[command(flatten)]
        files: Files,
        /// Its size in MiB
        #[arg(long, value_name = "MIB")]
        size: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Packing {
    None,
    Gzip,
}

/// Writes the image.
pub fn run(pack: Pack) -> Result<()> {
    match pack {
        Pack::Initramfs { files, modules, packing } => {
            let mut tree = files.tree()?;
            if let Some(wanted) = modules {
                modules::keep(&mut tree, &wanted)?;
            }
            // The kernel opens it for PID 1, before anything can mount a /dev.
            tree.insert("dev/console", Entry::Device(0o600, 5, 1))?;
            let packing = match packing {
                Packing::None => packing::Packing::None,
                Packing::Gzip => packing::Packing::Gzip,
            };
            output::file(&files.output, |output| initramfs::write(&tree, packing, output))
        }
        Pack::Oci { files, name, architecture, entrypoint } => {
            let environment = vec!["PATH=/bin".to_owned()];
            let image = oci::Image { architecture, entrypoint, environment, ..Default::default() };
            let tree = files.tree()?;
            output::file(&files.output, |output| oci::write(&tree, &name, &image, output))
        }
        Pack::Apk(package) => super::apk::package(&package),
        Pack::ApkIndex(index) => super::apk::index(&index),
        Pack::Ext4 { files, size } => {
            let mut scratch = files.output.clone().into_os_string();
            scratch.push(".tree");
            ext4::write(&files.tree()?, size, Path::new(&scratch), &files.output)
        }
    }
}
