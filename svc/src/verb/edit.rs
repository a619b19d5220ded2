//! `svc edit NAME`: a drop-in or a whole file, in the admin's editor, checked afterwards.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use graph::nearest;

use super::switch;
use crate::{args::Edit, context::Context, error::Error, exit::Exit, files, paths::Paths};

/// The editor that POSIX promises.
const EDITOR: &str = "vi";
/// The drop-in's name.
const DROP_IN: &str = "local.toml";

/// Edits, then checks all service files.
pub fn run(args: &Edit, context: &mut Context) -> Result<Exit, Error> {
    let original = original(&args.name, &context.paths)?;
    let path = target(args, &context.paths)?;
    let is_new = !path.exists();
    if is_new {
        let begun = beginning(args, &path, original.as_deref())?;
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|error| Error::file("make", dir, &error))?;
        }
        switch::write_whole(&path, begun.as_bytes())?;
    }
    if let Err(error) = edit(&path) {
        if is_new {
            take_back(&path)?;
        }
        return Err(error);
    }
    let text = fs::read_to_string(&path).map_err(|error| Error::file("read", &path, &error))?;
    if is_new && says_nothing(&text) {
        take_back(&path)?;
        context.screen.say("svc: nothing was written, so nothing is kept");
        return Ok(Exit::Ok);
    }
    files::compile_node(context)?;
    context
        .screen
        .say(format_args!("svc: {} is good; `svc apply` puts it in force", path.display()));
    Ok(Exit::Ok)
}

/// The file that defines a service now; none if there is none yet, which `--full` may make.
fn original(name: &str, paths: &Paths) -> Result<Option<PathBuf>, Error> {
    let template = name.split_once('@').map(|(template, _)| format!("{template}@"));
    let names = std::iter::once(name.to_owned()).chain(template);
    let found = names.flat_map(|name| {
        let file = format!("{name}.toml");
        paths.services.iter().rev().map(move |dir| dir.join(&file)).collect::<Vec<_>>()
    });
    Ok(found.into_iter().find(|path| path.is_file()))
}

fn target(args: &Edit, paths: &Paths) -> Result<PathBuf, Error> {
    let Some(dir) = paths.own_services() else {
        return Err(Error::Usage("no directory of service files is configured".into()));
    };
    if args.name.is_empty() || args.name.contains('/') || args.name.starts_with('.') {
        return Err(Error::Usage(format!("`{}` is no service's name", args.name)));
    }
    Ok(if args.full {
        dir.join(format!("{}.toml", args.name))
    } else {
        dir.join(format!("{}.toml.d", args.name)).join(DROP_IN)
    })
}

/// What the editor shows at first: for a drop-in the file that it changes, as comments.
fn beginning(args: &Edit, path: &Path, original: Option<&Path>) -> Result<String, Error> {
    let Some(original) = original else {
        if args.full {
            return Ok(String::new());
        }
        let near = path.parent().and_then(Path::parent).map(known_in).unwrap_or_default();
        let nearest = nearest(&args.name, near.iter().map(String::as_str));
        return Err(Error::Unknown { name: args.name.clone(), nearest: nearest.map(String::from) });
    };
    let text =
        fs::read_to_string(original).map_err(|error| Error::file("read", original, &error))?;
    if args.full {
        return Ok(text);
    }
    let mut begun = format!(
        "# What is written here changes {}\n# key by key; its own text is below.\n\n",
        original.display()
    );
    for line in text.lines() {
        begun.push_str(format!("# {line}").trim_end());
        begun.push('\n');
    }
    Ok(begun)
}

fn known_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).map(|entries| entries.flatten().collect::<Vec<_>>());
    let names = entries.unwrap_or_default().into_iter();
    names
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .collect()
}

/// Removes a file that was made for nothing, and its directory if there is nothing else in it.
fn take_back(path: &Path) -> Result<(), Error> {
    switch::remove(path)?;
    if let Some(dir) = path.parent() {
        // It fails where there are other drop-ins.
        let _ = fs::remove_dir(dir);
    }
    Ok(())
}

/// Comments and empty lines only.
fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

fn edit(path: &Path) -> Result<(), Error> {
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(env::var_os);
    let editor = editor.filter(|editor| !editor.is_empty()).unwrap_or_else(|| EDITOR.into());
    // By the shell, because people write `code --wait` there.
    let mut script = editor.clone();
    script.push(" \"$1\"");
    let run = Command::new("sh").arg("-c").arg(script).arg("sh").arg(path).status();
    let editor = Path::new(&editor);
    match run {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Failed(format!("{} ended with {status}", editor.display()))),
        Err(error) => Err(Error::file("run", editor, &io::Error::from(error.kind()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Tree;

    fn edit_with(tree: &mut Tree, name: &str, full: bool) -> Result<PathBuf, Error> {
        let args = Edit { name: name.into(), full };
        let path = target(&args, &tree.context.paths)?;
        let original = original(name, &tree.context.paths)?;
        beginning(&args, &path, original.as_deref()).map(|begun| {
            assert!(full || says_nothing(&begun), "{begun}");
            path
        })
    }

    /// A drop-in begins as comments; it is the admin's, beside the file or not.
    #[test]
    fn a_drop_in_begins_with_what_it_changes() {
        let mut tree = Tree::new();
        let dir = tree.context.paths.services[0].clone();
        fs::write(dir.join("getty@.toml"), "exec = [\"/sbin/agetty\"]\n").unwrap();
        let path = edit_with(&mut tree, "getty@tty1", false).unwrap();
        assert_eq!(path, dir.join("getty@tty1.toml.d/local.toml"));
        assert_eq!(edit_with(&mut tree, "getty@", true).unwrap(), dir.join("getty@.toml"));
        let unknown = edit_with(&mut tree, "gety@", false).unwrap_err();
        assert!(matches!(unknown, Error::Unknown { nearest: Some(near), .. } if near == "getty@"));
        let wrong = edit_with(&mut tree, "../passwd", true).unwrap_err();
        assert!(matches!(wrong, Error::Usage(_)));
    }

    #[test]
    fn comments_say_nothing() {
        assert!(says_nothing("# a\n\n  # b\n"));
        assert!(!says_nothing("# a\nexec = [\"/bin/true\"]\n"));
    }
}
