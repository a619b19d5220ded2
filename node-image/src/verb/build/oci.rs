//! `node-image build oci`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use node_image::base::{Base, Busybox};
use node_image::checkout::Checkout;
use node_image::oci::{Archive, Directory, Layout, Sink};
use node_image::output;
use node_image::packing::Packing;
use node_image::progress::Progress;
use node_image::sbom::Component;
use node_image::tool;

/// Its Debian has the busybox.
const RELEASE: &str = "trixie";
const BUSYBOX: &str = "busybox-static";

/// `FROM` it: init is the entrypoint, `CMD` the main service, and files in /etc/cooper/services are
/// services beside it.
///
/// From a checkout (`cargo run --package node-image -- build oci -o cooper.tar`) it builds what
/// goes in. The same sources give the same bytes. Put it where your containers come from:
///
///   skopeo copy --all oci-archive:cooper.tar docker://registry.example.org/cooper
///   ctr image import cooper.tar
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Oci {
    /// What else is in it
    #[arg(long, value_enum, default_value = "scratch")]
    variant: Variant,
    /// For which architectures
    #[arg(long, value_enum, value_delimiter = ',', default_value = "x86_64,aarch64")]
    architectures: Vec<Architecture>,
    /// Its name, with the tag
    #[arg(long, default_value = concat!("cooper:", env!("CARGO_PKG_VERSION")))]
    name: String,
    /// Take programs from here, where `node-image/build-static ARCH DIR/ARCH` has put them, rather
    /// than build them
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// The layout: a tar file if it ends in .tar, else a directory, which must not be there yet
    #[arg(long, short)]
    output: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Variant {
    /// Nothing: 2 MB
    Scratch,
    /// Debian's static busybox, and a shell as the command
    Busybox,
}

#[derive(Clone, Copy, ValueEnum)]
enum Architecture {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "aarch64")]
    Aarch64,
}

impl Architecture {
    fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// In the words of OCI, and of Debian.
    fn other_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Aarch64 } else { Self::X86_64 }
    }
}

/// Builds the image.
pub fn run(args: &Oci) -> Result<()> {
    let progress = Progress::begin();
    let applets = match args.variant {
        Variant::Scratch => Vec::new(),
        Variant::Busybox => applets()?,
    };
    let mut bases = Vec::new();
    for architecture in &args.architectures {
        bases.push(base(args, *architecture, &applets, &progress)?);
    }
    progress.step(&format!("writing {}", args.output.display()));
    if args.output.extension().is_some_and(|extension| extension == "tar") {
        output::file(&args.output, |file| {
            write(&bases, &args.name, Archive::new(file)).and_then(Archive::finish)
        })
    } else {
        output::directory(&args.output, |directory| {
            write(&bases, &args.name, Directory::make(directory)?).map(drop)
        })
    }
}

/// What the image of one architecture is made from.
fn base(
    args: &Oci,
    architecture: Architecture,
    applets: &[String],
    progress: &Progress,
) -> Result<Base> {
    let programs = match &args.programs {
        Some(programs) => programs.join(architecture.name()),
        None => {
            progress.step(&format!("building our programs for {}", architecture.name()));
            Checkout::find("give --programs")?.programs(architecture.name())?
        }
    };
    let busybox = match args.variant {
        Variant::Scratch => None,
        Variant::Busybox => {
            progress.step(&format!("fetching busybox for {}", architecture.name()));
            let (program, component) = busybox(architecture)?;
            Some(Busybox { program, applets: applets.to_vec(), component })
        }
    };
    Ok(Base { architecture: architecture.other_name().to_owned(), programs, busybox })
}

fn write<S: Sink>(bases: &[Base], name: &str, sink: S) -> Result<S> {
    let mut layout = Layout::new(sink, Packing::Gzip);
    let mut images = Vec::new();
    for base in bases {
        images.push(layout.image(&base.tree()?, &base.image())?);
    }
    let index = layout.index(&images)?;
    layout.finish(&[(name, index)])
}

/// Debian's static busybox for an architecture.
fn busybox(architecture: Architecture) -> Result<(PathBuf, Component)> {
    let checkout = Checkout::find("the variant busybox takes Debian's")?;
    let root = checkout.debian(RELEASE, architecture.other_name(), &[BUSYBOX])?;
    let version = version(&output::beside(&root, ".packages"))?;
    let name = "busybox-static".to_owned();
    let purl = format!("pkg:deb/debian/{name}@{version}?arch={}", architecture.other_name());
    let license = "GPL-2.0-only".to_owned();
    Ok((root.join("usr/bin/busybox"), Component { name, version, license, purl }))
}

/// Of the line `busybox-static_1%3a1.37.0-6_amd64.deb` the version.
fn version(list: &Path) -> Result<String> {
    let text = fs::read_to_string(list);
    let text = text.with_context(|| format!("cannot read {}", list.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix(BUSYBOX)?.strip_prefix('_'));
    let version = line.and_then(|line| line.split('_').next());
    let version =
        version.with_context(|| format!("cannot find {BUSYBOX} in {}", list.display()))?;
    Ok(version.replace("%3a", ":"))
}

/// What busybox can be called as: the same on every architecture, so one that runs here is asked.
fn applets() -> Result<Vec<String>> {
    let (program, _) = busybox(Architecture::of_this_machine())?;
    let list = tool::run(Command::new(program).arg("--list"))?;
    let list = String::from_utf8(list).context("cannot read the list of busybox's applets")?;
    Ok(list.lines().filter(|name| *name != "busybox").map(str::to_owned).collect())
}
