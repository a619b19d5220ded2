//! Directories that look like machines.

use std::fs;

use tempfile::TempDir;

use crate::{Report, Root};

pub struct Machine(TempDir);

impl Machine {
    /// With these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, text)| machine.write(path, text));
        machine
    }

    pub fn root(&self) -> Root {
        Root::at(self.0.path())
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A file's text, without the white space around it.
    pub fn read(&self, path: &str) -> String {
        self.root().line(path).unwrap_or_else(|| panic!("no {path}"))
    }
}

/// What a run says.
pub fn said(run: impl FnOnce(&mut Report<'_>)) -> String {
    ended(run).1
}

/// Its exit code, too.
pub fn ended(run: impl FnOnce(&mut Report<'_>)) -> (u8, String) {
    let mut out = Vec::new();
    let mut report = Report::new("hostname", &mut out);
    run(&mut report);
    let code = report.finish();
    (code, String::from_utf8(out).unwrap())
}
