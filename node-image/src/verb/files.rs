//! The files of an image, as the verbs below `pack` are given them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use node_image::tree::{Entry, Tree};

/// What goes into an image, and where the image goes.
#[derive(Args)]
pub struct Files {
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
    pub output: PathBuf,
}

impl Files {
    /// The files, laid over each other.
    pub fn tree(&self) -> Result<Tree> {
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
    pub fn write(&self, writer: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
        let mut unfinished = self.output.clone().into_os_string();
        unfinished.push(".new");
        let failed = || format!("cannot write {}", self.output.display());
        let mut output = BufWriter::new(File::create(&unfinished).with_context(failed)?);
        writer(&mut output)?;
        output.flush().with_context(failed)?;
        std::fs::rename(&unfinished, &self.output).with_context(failed)
    }
}
