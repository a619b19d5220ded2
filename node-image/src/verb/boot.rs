//! `node-image boot`: a machine in QEMU, for a person at a terminal or for a list of commands.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use node_image::vm;

/// What to boot, and what to do then.
#[derive(Args)]
pub struct Boot {
    /// The kernel
    #[arg(long)]
    kernel: PathBuf,
    /// The initramfs
    #[arg(long)]
    initramfs: PathBuf,
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
    let qemu = args.disk.iter().flat_map(|path| vm::disk(path)).collect();
    let boot = vm::Boot {
        kernel: args.kernel,
        initramfs: args.initramfs,
        append: args.append,
        memory_mib: args.memory,
        cpus: args.cpus,
        qemu,
    };
    if args.interactive || (args.run.is_empty() && io::stdin().is_terminal()) {
        if !boot.interact()?.success() {
            bail!("QEMU failed");
        }
        return Ok(());
    }
    drive(&boot, &args.console, &args.run, &args.poweroff, Duration::from_secs(args.timeout))
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
        writeln!(stdout, "# {command}").context("cannot write to standard output")?;
        let output = machine.run(command, timeout)?;
        stdout.write_all(output.text.as_bytes()).context("cannot write to standard output")?;
        if output.status != 0 {
            bail!("`{command}` failed in the machine with status {}", output.status);
        }
    }
    writeln!(stdout, "# {poweroff}").context("cannot write to standard output")?;
    machine.send(poweroff)?;
    machine.wait_poweroff(timeout)
}
