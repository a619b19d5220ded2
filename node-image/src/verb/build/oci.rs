//! `node-image build oci`

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use node_image::base::{Base, Shell};
use node_image::checkout::Checkout;
use node_image::debian;
use node_image::oci::{Archive, Directory, Layout, Sink};
use node_image::output;
use node_image::packing::Packing;
use node_image::progress::Progress;

/// Where the variant's busybox is from.
const BUSYBOX: &str = "the variant busybox takes Debian's";

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
    /// Debian's static busybox and mksh, and the shell as the command: 3 MB
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
}

/// Builds the image.
pub fn run(args: &Oci) -> Result<()> {
    let progress = Progress::begin();
    let applets = match args.variant {
        Variant::Scratch => Vec::new(),
        Variant::Busybox => debian::applets(&Checkout::find(BUSYBOX)?)?,
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
    let architecture = architecture.other_name();
    let shell = match args.variant {
        Variant::Scratch => None,
        Variant::Busybox => {
            progress.step(&format!("fetching busybox and mksh for {architecture}"));
            let checkout = Checkout::find(BUSYBOX)?;
            let [busybox, shell] =
                [debian::busybox, debian::shell].map(|program| program(&checkout, architecture));
            Some(Shell { busybox: busybox?, applets: applets.to_vec(), shell: shell? })
        }
    };
    Ok(Base { architecture: architecture.to_owned(), programs, shell })
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
