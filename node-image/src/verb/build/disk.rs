//! `node-image build disk`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use node_image::checkout::Checkout;
use node_image::debian;
use node_image::disk::Disk as Image;
use node_image::progress::Progress;

/// The profile of every disk.
const PROFILE: &str = "disk-image";
const EFI: &str = "systemd-boot-efi";

/// A disk that boots a node of one kind: write it to a disk, an SSD or a card, and start the
/// machine. It has two slots for the root, which is never written to, and a partition for what the
/// node keeps; a root that does not come up three times gives way to the other one.
///
///   node-image build disk --target n100 --profile k3s-server --authorized-key id.pub -o n100.img
///   dd if=n100.img of=/dev/sdX bs=4M conv=sparse oflag=direct
///
/// The same sources and packages give the same bytes. OUTPUT.json says what is on it.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Disk {
    #[command(flatten)]
    root: super::root::RootArgs,
    /// Where systemd-boot and its stub are, if not in the root (default: Debian's)
    #[arg(long, value_name = "DIR")]
    efi: Option<PathBuf>,
    /// The size of a slot in MiB (default: the root's, and half as much again)
    #[arg(long, value_name = "MIB")]
    slot: Option<u64>,
    /// A word for the kernel's command line, beside the target's; may be given more than once
    #[arg(long = "parameter", value_name = "WORD")]
    words: Vec<String>,
    /// Write also the upgrade to this root, for nodes that are there (`node-setup disk upgrade`)
    #[arg(long, value_name = "FILE")]
    upgrade: Option<PathBuf>,
    /// The disk
    #[arg(long, short)]
    output: PathBuf,
}

/// Builds the disk.
pub fn run(args: &Disk) -> Result<()> {
    let progress = Progress::begin();
    let made = args.root.build(Some(PROFILE), &args.output, &progress)?;
    let (name, target, profiles, root) = (made.name, made.target, made.profiles, made.root);
    let efi = match (&args.efi, target.boot.method.as_str()) {
        (None, "uefi") if !args.root.is_debian() => Some(efi(&target.architecture)?),
        (efi, _) => efi.clone(),
    };
    let (slot_mib, words) = (args.slot, args.words.clone());
    let disk = Image { name, target, profiles, root, efi, slot_mib, words };
    disk.write(&args.output, args.upgrade.as_deref(), &progress)?;
    progress.step("done");
    Ok(())
}

/// Debian's systemd-boot for an architecture, whatever the root is made of.
fn efi(architecture: &str) -> Result<PathBuf> {
    let checkout = Checkout::find("give --efi")?;
    let debian = debian::debian_name(architecture)?;
    let root = checkout.debian(debian::RELEASE, debian, &[EFI])?;
    Ok(root.join("usr/lib/systemd/boot/efi"))
}
