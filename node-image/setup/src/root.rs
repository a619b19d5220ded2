//! The machine that is looked at: this one, or a directory that looks like one.

use std::io;
use std::path::{Path, PathBuf};

/// Where `/proc`, `/sys`, `/etc` and the rest are looked for.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self("/".into())
    }
}

impl Root {
    /// A directory that looks like a machine's root.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// An absolute path of the machine, as this process reaches it.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.trim_start_matches('/'))
    }

    /// A file's text. What is not UTF-8 in it is replaced: it is for people, or no match.
    ///
    /// # Errors
    /// As the system says.
    pub fn read(&self, absolute: &str) -> io::Result<String> {
        std::fs::read(self.path(absolute)).map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// A file's text without the white space around it; none if it cannot be read.
    #[must_use]
    pub fn line(&self, absolute: &str) -> Option<String> {
        self.read(absolute).ok().map(|text| text.trim().to_owned())
    }

    /// It is the machine that this process runs on, whose kernel can be asked.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// There is such a file or directory.
    #[must_use]
    pub fn exists(&self, absolute: &str) -> bool {
        self.path(absolute).exists()
    }
}
