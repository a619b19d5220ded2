//! `node-image build netboot`

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use node_image::disk::Root;
use node_image::netboot::Netboot as Image;
use node_image::output;
use node_image::progress::Progress;

/// A node that boots from the network and keeps nothing: a directory to be served by HTTP, with
/// the kernel, an initramfs that is the whole root, the command line, and a script for iPXE:
///
///   node-image build netboot --target n100 --authorized-key id.pub -o /srv/www/n100
///   iPXE> chain http://SERVER/n100/boot.ipxe
///
/// The same sources and packages give the same bytes.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Netboot {
    #[command(flatten)]
    root: super::root::RootArgs,
    /// A word for the kernel's command line, beside the target's; may be given more than once
    #[arg(long = "parameter", value_name = "WORD")]
    words: Vec<String>,
    /// The directory, which must not be there yet
    #[arg(long, short)]
    output: PathBuf,
}

/// Builds it.
pub fn run(args: &Netboot) -> Result<()> {
    let progress = Progress::begin();
    let made = args.root.build(None, &args.output, &progress)?;
    let Root::Files(root) = made.root else {
        bail!("NixOS has an image of its own for that: nix build .#images (nix/README.md)");
    };
    let image = Image { target: made.target, root, words: args.words.clone() };
    output::directory(&args.output, |directory| image.write(directory, &progress))?;
    progress.step("done");
    Ok(())
}
