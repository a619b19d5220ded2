//! `node-image boot`: a machine in QEMU, for a person at a terminal or for a list of commands.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use node_image::disk::partitions::{self, Kind};
use node_image::vm;

use crate::verb::STDOUT_FAILED;

/// What to boot, and what to do then.
#[derive(Args)]
pub struct Boot {
    /// The kernel
    #[arg(long, required_unless_present_any = ["image", "netboot"], requires = "initramfs")]
    kernel: Option<PathBuf>,
    /// The initramfs
    #[arg(long)]
    initramfs: Option<PathBuf>,
    /// Instead of both, a disk of `node-image build disk`, which UEFI boots from. It is written to;
    /// its console is the serial one, if it was built with --parameter console=ttyS0
    #[arg(long, value_name = "DISK", conflicts_with_all = ["kernel", "append"])]
    image: Option<PathBuf>,
    /// Instead of both, a directory of `node-image build netboot`, which the machine gets from the
    /// network: it needs twice its size as memory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kernel", "append", "image"])]
    netboot: Option<PathBuf>,
    /// More for the kernel's command line
    #[arg(long, default_value = "quiet")]
    append: String,
    /// Memory in MiB
    #[arg(long, default_value_t = 1024)]
    memory: u32,
    /// Processors
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// Give it this disk; may be given more than once
    #[arg(long, value_name = "PATH")]
    disk: Vec<PathBuf>,
    /// Run this line of shell as root and show what it prints; may be given more than once.
    /// The first that fails ends it all
    #[arg(long, value_name = "COMMAND")]
    run: Vec<String>,
    /// Last of all run this, which must switch the machine off
    #[arg(long, value_name = "COMMAND", default_value = "poweroff")]
    poweroff: String,
    /// How long each command may take, and the boot before the first, in seconds
    #[arg(long, default_value_t = 120)]
    timeout: u64,
    /// Where to keep what the console shows
    #[arg(long, default_value = "console.log")]
    console: PathBuf,
    /// Give the console to this terminal, and run nothing
    #[arg(long, conflicts_with = "run")]
    interactive: bool,
}

/// Boots it, and returns when it is switched off.
pub fn run(args: Boot) -> Result<()> {
    let disks = args.image.iter().chain(&args.disk);
    let qemu = disks.flat_map(|path| vm::disk(path)).collect();
    let via = match (args.image, args.netboot, args.kernel, args.initramfs) {
        (Some(image), ..) => vm::firmware(&image, architecture(&image)?)?,
        (None, Some(directory), ..) => vm::Via::Network { directory },
        (None, None, Some(kernel), Some(initramfs)) => {
            vm::Via::Kernel { kernel, initramfs, append: args.append }
        }
        (None, None, ..) => bail!("give --image, --netboot, or --kernel and --initramfs"),
    };
    let boot = vm::Boot { via, memory_mib: args.memory, cpus: args.cpus, qemu };
    if args.interactive || (args.run.is_empty() && io::stdin().is_terminal()) {
        if !boot.interact()?.success() {
            bail!("QEMU failed");
        }
        return Ok(());
    }
    drive(&boot, &args.console, &args.run, &args.poweroff, Duration::from_secs(args.timeout))
}

/// Of a disk, by what its roots are for.
fn architecture(disk: &Path) -> Result<vm::Architecture> {
    let partitions = partitions::read(disk)?;
    let is_for = |kind: Kind| partitions.iter().any(|it| it.kind.eq_ignore_ascii_case(kind.uuid()));
    if is_for(Kind::RootX86_64) {
        Ok(vm::Architecture::X86_64)
    } else if is_for(Kind::RootAarch64) {
        Ok(vm::Architecture::Aarch64)
    } else {
        bail!("cannot boot {}: it is no disk of node-image's", disk.display())
    }
}

fn drive(
    boot: &vm::Boot,
    console: &Path,
    commands: &[String],
    poweroff: &str,
    timeout: Duration,
) -> Result<()> {
    let mut machine = boot.start(console)?;
    let mut stdout = io::stdout();
    for command in commands {
        writeln!(stdout, "# {command}").context(STDOUT_FAILED)?;
        let output = machine.run(command, timeout)?;
        stdout.write_all(output.text.as_bytes()).context(STDOUT_FAILED)?;
        if output.status != 0 {
            bail!("`{command}` failed in the machine with status {}", output.status);
        }
    }
    writeln!(stdout, "# {poweroff}").context(STDOUT_FAILED)?;
    machine.send(poweroff)?;
    machine.wait_poweroff(timeout)
}
