//! How the last shutdown went: what `svc boot` tells after the next boot.
//!
//! The file says of which boot it is the record. A boot that finds an older one without an end
//! knows that the machine went down without an orderly shutdown.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

/// `/var/lib/cooper/last-shutdown.json`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Book {
    /// The kernel's id of the boot that wrote this.
    pub boot: String,
    /// How that boot ended; none: it runs, or it ended without telling.
    pub ended: Option<Shutdown>,
    /// How the one before it ended; none: as for `ended`.
    pub before: Option<Shutdown>,
    /// There was one before it.
    pub had_before: bool,
}

/// The graceful part of a shutdown.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Shutdown {
    /// `poweroff`, `reboot` …
    pub ending: String,
    /// When it began; seconds since 1970.
    pub began_unix: u64,
    /// How long it waited.
    pub waited_ms: u64,
    /// How long it would have waited.
    pub patience_ms: u64,
    /// Why holders could not be told, if that is so.
    pub fault: Option<String>,
    /// Whom it waited for.
    pub holders: Vec<Holder>,
}

/// Somebody who delayed it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Holder {
    /// Its name.
    pub who: String,
    /// What it needed the time for.
    pub why: String,
    /// Its process.
    pub pid: u32,
    /// After this long it let go; none: it never did.
    pub released_ms: Option<u64>,
    /// By its own end: it was killed, or it crashed.
    #[serde(default)]
    pub died: bool,
}

/// How the boot before this one ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Last<'a> {
    /// This is the first boot that is on record, or nothing keeps records.
    Unknown,
    /// Without telling: power, a panic, a reset.
    Abrupt,
    /// In order.
    Orderly(&'a Shutdown),
}

impl Book {
    /// Reads it; a file that is absent or no record is an empty one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::path("read", path, error)),
        }
    }

    /// Writes it, whole or not at all, and to the disk.
    ///
    /// # Errors
    /// When that fails.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let new = path.with_extension("json.new");
        let write = || {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            let mut file = File::create(&new)?;
            serde_json::to_writer_pretty(&file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            // The name itself.
            path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
        };
        write().map_err(|error: io::Error| Error::path("write", path, error))
    }

    /// A boot begins. Doing this again changes nothing.
    #[must_use]
    pub fn begun(self, boot: &str) -> Self {
        if self.boot == boot {
            return self;
        }
        Self {
            had_before: !self.boot.is_empty(),
            boot: boot.into(),
            before: self.ended,
            ended: None,
        }
    }

    /// This boot ends.
    #[must_use]
    pub fn ended(self, boot: &str, shutdown: Shutdown) -> Self {
        Self { ended: Some(shutdown), ..self.begun(boot) }
    }

    /// How the boot before `boot`, which runs, has ended.
    #[must_use]
    pub fn last(&self, boot: &str) -> Last<'_> {
        let (had, ended) = if self.boot == boot {
            (self.had_before, self.before.as_ref())
        } else {
            // This boot has not written anything yet. Whether it ever will, and whether the one
            // before it wrote at all, is not known; so only a record counts.
            (false, self.ended.as_ref())
        };
        match (had, ended) {
            (_, Some(shutdown)) => Last::Orderly(shutdown),
            (true, None) => Last::Abrupt,
            (false, None) => Last::Unknown,
        }
    }
}

/// The kernel's id of this boot.
///
/// # Errors
/// When the kernel does not tell.
pub fn boot_id() -> Result<String, Error> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let id = fs::read_to_string(path).map_err(|error| Error::path("read", path, error))?;
    Ok(id.trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shutdown() -> Shutdown {
        Shutdown {
            ending: "reboot".into(),
            began_unix: 1,
            waited_ms: 2,
            patience_ms: 3,
            fault: None,
            holders: Vec::new(),
        }
    }

    #[test]
    fn the_first_boot_knows_nothing() {
        let book = Book::default();
        assert_eq!(book.last("a"), Last::Unknown);
        assert_eq!(book.begun("a").last("a"), Last::Unknown);
    }

    #[test]
    fn an_orderly_shutdown_is_told_after_the_next_boot() {
        let book = Book::default().begun("a").ended("a", shutdown());
        assert_eq!(book.last("b"), Last::Orderly(&shutdown()), "also before b has begun");
        let book = book.begun("b").begun("b");
        assert_eq!(book.last("b"), Last::Orderly(&shutdown()));
    }

    #[test]
    fn a_boot_that_just_stops_is_told_too() {
        let book = Book::default().begun("a").begun("b");
        assert_eq!(book.last("b"), Last::Abrupt);
        let book = book.ended("b", shutdown()).begun("c").begun("d");
        assert_eq!(book.last("d"), Last::Abrupt);
    }

    #[test]
    fn it_is_written_whole_and_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/last-shutdown.json");
        assert_eq!(Book::load(&path).unwrap(), Book::default());
        let book = Book::default().ended("a", shutdown());
        book.save(&path).unwrap();
        assert_eq!(Book::load(&path).unwrap(), book);
        fs::write(&path, "half a rec").unwrap();
        assert_eq!(Book::load(&path).unwrap(), Book::default());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left");
    }
}
