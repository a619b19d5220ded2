//! A FAT file system with files in it, by mtools: what firmware reads.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

use crate::tool;
use crate::tree::{Entry, Tree};

/// Its number, which is otherwise the time.
const SERIAL: &str = "c0095e00";
/// The date of everything in it. FAT has none before 1980, so it cannot be zero.
const EPOCH: &str = "1313280000";

/// Writes `tree` to `output`, a file of `mib` MiB. `scratch` is a directory for files on the way.
///
/// # Errors
///
/// A tool is missing or fails: what it said.
pub fn write(tree: &Tree, mib: u64, label: &str, scratch: &Path, output: &Path) -> Result<()> {
    let failed = || format!("cannot write {}", output.display());
    File::create(output).and_then(|file| file.set_len(mib << 20)).with_context(failed)?;
    let run = |program: &str, words: &[&str], paths: &[&Path]| {
        let mut command = tool::command(program)?;
        command.env("SOURCE_DATE_EPOCH", EPOCH).env("TZ", "UTC").env("MTOOLS_SKIP_CHECK", "1");
        command.arg("-i").arg(output).args(words).args(paths);
        tool::run(&mut command).map(drop)
    };
    run("mformat", &["-F", "-N", SERIAL, "-v", label, "::"], &[])?;
    for (path, entry) in tree.iter() {
        let target = format!("::/{path}");
        match entry {
            Entry::Directory(_) => run("mmd", &[&target], &[])?,
            Entry::File { content, .. } => {
                // mcopy takes the date of the file with -m, and today's without.
                let source = scratch.join("file");
                fs::write(&source, content.read()?).with_context(failed)?;
                File::options()
                    .write(true)
                    .open(&source)
                    .and_then(|file| file.set_modified(epoch()))
                    .with_context(failed)?;
                run("mcopy", &["-m"], &[&source, Path::new(&target)])?;
            }
            Entry::Symlink(_) | Entry::Device(..) => {
                anyhow::bail!("cannot put {path} on a FAT file system: it is no file");
            }
        }
    }
    Ok(())
}

fn epoch() -> std::time::SystemTime {
    let seconds = EPOCH.parse().unwrap_or_default();
    let since = std::time::Duration::from_secs(seconds);
    std::time::UNIX_EPOCH.checked_add(since).unwrap_or(std::time::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Content;

    #[test]
    fn the_same_files_are_the_same_bytes_and_can_be_read_back() {
        let scratch = tempfile::tempdir().unwrap();
        let mut tree = Tree::default();
        for (path, text) in [("EFI/Linux/cooper-1-a+3.efi", "program"), ("loader/loader.conf", "")]
        {
            let content = Content::Bytes(text.as_bytes().to_vec());
            tree.insert(path, Entry::File { mode: 0o644, content }).unwrap();
        }
        let images = ["one", "two"].map(|name| {
            let image = scratch.path().join(name);
            write(&tree, 64, "ESP", scratch.path(), &image).unwrap();
            // FAT counts two seconds.
            std::thread::sleep(std::time::Duration::from_millis(2100));
            std::fs::read(image).unwrap()
        });
        assert!(images[0] == images[1], "the time shows");
        let image = scratch.path().join("one");
        let image = image.to_str().unwrap();
        let mut mcopy = tool::command("mcopy").unwrap();
        mcopy.args(["-i", image, "::/EFI/Linux/cooper-1-a+3.efi", "-"]);
        assert_eq!(tool::run(&mut mcopy).unwrap(), b"program");
    }
}
