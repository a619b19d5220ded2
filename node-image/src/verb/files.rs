//! The files of an image, as the verbs below `pack` are given them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
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

/// `PATH[:TARGET]`
pub fn laid(word: &str) -> (&str, &str) {
    word.split_once(':').unwrap_or((word, ""))
}

impl Files {
    /// The files, laid over each other.
    pub fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::default();
        for lay in &self.lay {
            let (source, target) = laid(lay);
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
}
