//! Directories of configuration files as Linux has come to have them: `/etc/NAME.d`, `/run/NAME.d`
//! and those of the distribution. Of files with the same name the first directory's counts alone,
//! so that an administrator masks a file of the distribution by one of the same name, empty or a
//! link to /dev/null. All are then read in the order of their names, whichever directory they are
//! in.

use std::collections::BTreeMap;
use std::fs;

use crate::Root;

/// First the administrator's, then what was made at run time, then what was installed.
const ABOVE: [&str; 5] = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];

/// A file of such a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name alone.
    pub name: String,
    /// Its path on the machine.
    pub path: String,
}

impl Found {
    /// It is the administrator's, or was made at run time: not a distribution's.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.path.starts_with("/etc/") || self.path.starts_with("/run/")
    }
}

/// The directories called `name`, the first to count first.
pub fn directories(name: &str) -> impl Iterator<Item = String> {
    ABOVE.iter().map(move |above| format!("{above}/{name}"))
}

/// The files that count in the directories called `name`, in order. Their names end in `.conf`.
#[must_use]
pub fn find(root: &Root, name: &str) -> Vec<Found> {
    let mut found = BTreeMap::new();
    for directory in directories(name) {
        let Ok(entries) = fs::read_dir(root.path(&directory)) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        for name in names.filter(|name| name.ends_with(".conf")) {
            let path = format!("{directory}/{name}");
            found.entry(name.clone()).or_insert(Found { name, path });
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_directory_counts_and_names_are_the_order() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["usr/lib/x.d/20-b.conf", "usr/lib/x.d/10-a.conf", "etc/x.d/20-b.conf"] {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(directory.path().join("etc/x.d/README"), "").unwrap();
        let found = find(&Root::at(directory.path()), "x.d");
        let paths: Vec<_> = found.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["/usr/lib/x.d/10-a.conf", "/etc/x.d/20-b.conf"]);
        assert!(!found[0].is_local() && found[1].is_local());
    }
}
