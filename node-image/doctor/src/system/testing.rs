//! A directory that stands for a machine.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
};

use tempfile::TempDir;

use super::System;

/// Files of a machine that does not exist.
pub struct Machine(TempDir);

impl Machine {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A file, and the directories above it.
    #[must_use]
    pub fn file(self, path: &str, text: &str) -> Self {
        self.bytes(path, text.as_bytes())
    }

    /// A file of bytes.
    #[must_use]
    pub fn bytes(self, path: &str, bytes: &[u8]) -> Self {
        fs::write(self.place(path), bytes).unwrap();
        self
    }

    /// A file that can be executed.
    #[must_use]
    pub fn program(self, path: &str) -> Self {
        let place = self.place(path);
        fs::write(&place, "#!").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// A directory.
    #[must_use]
    pub fn directory(self, path: &str) -> Self {
        fs::create_dir_all(self.place(path)).unwrap();
        self
    }

    /// A symbolic link.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.place(path)).unwrap();
        self
    }

    /// `/proc/self/mountinfo`.
    #[must_use]
    pub fn mounts(self, lines: &[&str]) -> Self {
        self.file("/proc/self/mountinfo", &lines.join("\n"))
    }

    /// A process of that name.
    #[must_use]
    pub fn process(self, pid: u32, name: &str) -> Self {
        self.file(&format!("/proc/{pid}/comm"), &format!("{name}\n"))
    }

    /// We are root there.
    #[must_use]
    pub fn root(self) -> Self {
        self.file("/proc/self/status", "Name:\tsvc\nUid:\t0\t0\t0\t0\n")
    }

    /// What examines it.
    pub fn system(&self) -> System {
        System::below(self.0.path())
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }
}
