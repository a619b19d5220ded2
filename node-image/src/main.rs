//! `node-image`: the command line. What it does is in the library.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use node_image::tree::{Entry, Tree};
use node_image::vm::{self, Boot};
use node_image::{disk, initramfs, modules, oci};

/// A program was called wrongly, in the convention of s6.
const USAGE: u8 = 100;

/// Builds images of nodes, and boots them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write an initramfs
    Initramfs {
        #[command(flatten)]
        files: Files,
        /// Take of all kernel modules only these, and what they need
        #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
        modules: Option<Vec<String>>,
        /// How to pack it
        #[arg(long, value_enum, default_value = "gzip")]
        pack: Pack,
    },
    /// Write a container image: an OCI layout in a tar file
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
    /// Write a disk: an ext4 file system, of what initramfs takes
    Disk {
        #[command(flatten)]
        files: Files,
        /// Its size in MiB
        #[arg(long, value_name = "MIB")]
        size: u64,
    },
    /// Boot an initramfs in QEMU: on a terminal to its console, else to run the commands given
    Boot {
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
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Pack {
    None,
    Gzip,
}

/// What goes into an image, and where the image goes.
#[derive(Args)]
struct Files {
    /// A directory or file, and where it goes in the image (`/` by default); later ones win
    #[arg(long = "lay", value_name = "PATH[:TARGET]", required = true)]
    lay: Vec<String>,
    /// A link in the image, and where it points
    #[arg(long = "link", value_name = "PATH:TO")]
    links: Vec<String>,
    /// An empty directory
    #[arg(long = "directory", value_name = "PATH")]
    directories: Vec<String>,
    /// A path to leave out
    #[arg(long = "without", value_name = "PATH")]
    without: Vec<String>,
    /// The file to write
    #[arg(long, short)]
    output: PathBuf,
}

impl Files {
    fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        for lay in &self.lay {
            let (source, target) = lay.split_once(':').unwrap_or((lay, ""));
            tree.lay(Path::new(source), target)?;
        }
        for link in &self.links {
            let Some((path, to)) = link.split_once(':') else {
                bail!("cannot make the link {link}: it has no colon before where it points");
            };
            tree.insert(path, Entry::Symlink(to.to_owned()))?;
        }
        for path in &self.directories {
            tree.insert(path, Entry::Directory(0o755))?;
        }
        for path in &self.without {
            tree.remove(path);
        }
        Ok(tree)
    }

    /// The image appears by a rename, when it is whole.
    fn write(&self, writer: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
        let mut unfinished = self.output.clone().into_os_string();
        unfinished.push(".new");
        let failed = || format!("cannot write {}", self.output.display());
        let mut output = BufWriter::new(File::create(&unfinished).with_context(failed)?);
        writer(&mut output)?;
        output.flush().with_context(failed)?;
        std::fs::rename(&unfinished, &self.output).with_context(failed)
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help that was asked for is no error.
            let code = if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
            let _ = error.print();
            return code;
        }
    };
    match run(arguments.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be said where standard error is closed.
            let _ = writeln!(io::stderr(), "node-image: fatal: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Initramfs { files, modules, pack } => {
            let mut tree = files.tree()?;
            if let Some(wanted) = modules {
                modules::keep(&mut tree, &wanted)?;
            }
            // The kernel opens it for PID 1, before anything can mount a /dev.
            tree.insert("dev/console", Entry::Device(0o600, 5, 1))?;
            let packing = match pack {
                Pack::None => initramfs::Packing::None,
                Pack::Gzip => initramfs::Packing::Gzip,
            };
            files.write(|output| initramfs::write(&tree, packing, output))
        }
        Verb::Oci { files, name, architecture, entrypoint } => {
            let image = oci::Image { name, architecture, entrypoint };
            let tree = files.tree()?;
            files.write(|output| oci::write(&tree, &image, output))
        }
        Verb::Disk { files, size } => {
            let mut scratch = files.output.clone().into_os_string();
            scratch.push(".tree");
            disk::write(&files.tree()?, size, Path::new(&scratch), &files.output)
        }
        Verb::Boot {
            kernel,
            initramfs,
            append,
            memory,
            cpus,
            disk,
            run,
            poweroff,
            timeout,
            console,
            interactive,
        } => {
            let qemu = disk.iter().flat_map(|path| vm::disk(path)).collect();
            let boot = Boot { kernel, initramfs, append, memory_mib: memory, cpus, qemu };
            let timeout = Duration::from_secs(timeout);
            if interactive || (run.is_empty() && io::stdin().is_terminal()) {
                if !boot.interact()?.success() {
                    bail!("QEMU failed");
                }
                return Ok(());
            }
            drive(&boot, &console, &run, &poweroff, timeout)
        }
    }
}

fn drive(
    boot: &Boot,
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
