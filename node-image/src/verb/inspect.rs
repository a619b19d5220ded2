//! `node-image inspect`: what is in an image.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use node_image::disk::manifest;
use node_image::inspect::{self, Image, Member};

use crate::verb::STDOUT_FAILED;

/// Of which image.
#[derive(Args)]
pub struct Inspect {
    /// An OCI layout (a directory, or a tar file), an initramfs, a disk, or a directory of `build
    /// netboot`
    image: PathBuf,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Prints it.
pub fn run(args: &Inspect) -> Result<()> {
    let image = inspect::read(&args.image)?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &image).context(STDOUT_FAILED)?;
        return writeln!(out).context(STDOUT_FAILED);
    }
    match &image {
        Image::Disk(disk) => show_disk(&mut out, disk).context(STDOUT_FAILED),
        Image::Initramfs { files } => show(&mut out, files).context(STDOUT_FAILED),
        Image::Netboot { command_line, kernel, initramfs, files } => {
            writeln!(out, "  {kernel:>17}  kernel\n  {initramfs:>17}  initramfs, packed")
                .and_then(|()| writeln!(out, "  cmdline: {command_line}"))
                .and_then(|()| show(&mut out, files))
                .context(STDOUT_FAILED)
        }
        Image::Oci { images } => {
            for image in images {
                let (name, size) = (&image.name, image.size);
                writeln!(out, "{name} {}: {size} bytes packed", image.architecture)
                    .and_then(|()| writeln!(out, "  digest  {}", image.digest))
                    .and_then(|()| writeln!(out, "  runs    {}", image.runs.join(" ")))
                    .and_then(|()| show(&mut out, &image.files))
                    .context(STDOUT_FAILED)?;
            }
            Ok(())
        }
    }
}

fn show_disk(out: &mut impl Write, disk: &manifest::Image) -> io::Result<()> {
    for it in &disk.partitions {
        writeln!(out, "  {:>8} MiB  {:8}  {}", it.size / 2048, it.label, it.uuid)?;
    }
    for (path, file) in &disk.loader {
        writeln!(out, "  {:>12}  {path}", file.size)?;
    }
    for (path, line) in &disk.command_lines {
        writeln!(out, "  {path}: {line}")?;
    }
    Ok(())
}

fn show(out: &mut impl Write, files: &[Member]) -> io::Result<()> {
    for Member { path, mode, size, to } in files {
        let arrow = to.as_ref().map(|to| format!(" -> {to}")).unwrap_or_default();
        writeln!(out, "  {mode:06o} {size:>10}  {path}{arrow}")?;
    }
    Ok(())
}
