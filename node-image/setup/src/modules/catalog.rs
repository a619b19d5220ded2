//! What this machine knows of modules: which are there, which could be, and by which names.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;

use super::config::{Config, Place};
use super::index::{Index, Line, name, normal};
use crate::{Root, glob};

/// Where the directories of the kernels' versions are; the last is NixOS's.
const DIRECTORIES: [&str; 3] =
    ["/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules"];

/// The texts that a [`Catalog`] is read from.
#[derive(Debug, Default)]
pub struct Texts {
    /// The directory of the kernel that runs; none if it has none.
    pub directory: Option<String>,
    dep: String,
    builtin: String,
    loaded: String,
}

impl Texts {
    /// Reads them.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let version = root.line("/proc/sys/kernel/osrelease").unwrap_or_default();
        let directories = DIRECTORIES.iter().map(|above| format!("{above}/{version}"));
        let directory = directories.filter(|_| !version.is_empty()).find(|it| root.exists(it));
        let text = |file: &str| {
            let directory = directory.as_deref()?;
            root.read(&format!("{directory}/{file}")).ok()
        };
        Self {
            dep: text("modules.dep").unwrap_or_default(),
            builtin: text("modules.builtin").unwrap_or_default(),
            loaded: root.read("/proc/modules").unwrap_or_default(),
            directory,
        }
    }
}

/// Whether a pattern, which may have dashes, is one for a name, which has underscores. Most of
/// the thousands are not, by their first letter.
fn is_alias(pattern: &str, name: &str) -> bool {
    let first = pattern.bytes().next();
    let may_be = matches!(first, Some(b'*' | b'?' | b'[' | b'\\' | b'-'));
    (may_be || first == name.bytes().next())
        && glob::matches(normal(pattern).as_bytes(), name.as_bytes())
}

/// How one module stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was loaded.
    Loaded,
    /// It is part of the kernel.
    BuiltIn,
    /// Its file is there.
    Loadable,
    /// Nobody knows it.
    Missing,
}

/// All that is known.
#[derive(Debug)]
pub struct Catalog<'a> {
    /// The modules that could be loaded.
    pub index: Index<'a>,
    /// What the administrator says.
    pub config: Config,
    directory: Option<&'a str>,
    builtin: HashSet<Cow<'a, str>>,
    loaded: HashSet<&'a str>,
    root: &'a Root,
    /// `modules.alias` and the aliases of what is built in: read when a name is not found
    /// otherwise, as they are long.
    aliases: std::cell::OnceCell<(String, String)>,
}

impl<'a> Catalog<'a> {
    /// Reads the texts, and the configuration.
    #[must_use]
    pub fn new(texts: &'a Texts, root: &'a Root) -> Self {
        let directory = texts.directory.as_deref();
        let mut config = Config::read(root);
        if let Some(directory) = directory {
            let path = format!("{directory}/modules.softdep");
            config.add_file(&path, &root.read(&path).unwrap_or_default());
        }
        Self {
            // A broken index is one without modules; each is then said to be missing.
            index: Index::parse(&texts.dep).unwrap_or_default(),
            config,
            directory,
            builtin: texts.builtin.lines().map(name).collect(),
            loaded: texts.loaded.lines().filter_map(|line| line.split(' ').next()).collect(),
            root,
            aliases: std::cell::OnceCell::new(),
        }
    }

    /// How the module of this very name stands.
    #[must_use]
    pub fn standing(&self, module: &str) -> Standing {
        let module = normal(module);
        if self.loaded.contains(module.as_ref()) {
            return Standing::Loaded;
        }
        if self.builtin.contains(&module) {
            return Standing::BuiltIn;
        }
        if self.index.find(&module).is_some() {
            return Standing::Loadable;
        }
        // A kernel without a list of what is built in shows those that have parameters.
        match self.root.exists(&format!("/sys/module/{module}")) {
            true => Standing::BuiltIn,
            false => Standing::Missing,
        }
    }

    /// The modules that `name` stands for: itself, or those that an alias leads to. None if
    /// nobody knows the name.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Vec<String> {
        let name = normal(name);
        if self.standing(&name) != Standing::Missing {
            return vec![name.into_owned()];
        }
        let is_match = |pattern: &str| is_alias(pattern, &name);
        let own = self.config.aliases.iter().filter(|(pattern, _)| is_match(pattern));
        let own: Vec<String> = own.map(|(_, module)| module.clone()).collect();
        if !own.is_empty() {
            return own;
        }
        let (alias, builtin) = self.aliases.get_or_init(|| self.read_aliases());
        let loadable =
            alias.lines().filter_map(|line| line.strip_prefix("alias ")?.split_once(' '));
        let builtin = builtin.split('\0').filter_map(|field| {
            let (module, alias) = field.split_once(".alias=")?;
            Some((alias, module))
        });
        let found = loadable.chain(builtin).filter(|(pattern, _)| is_match(pattern));
        let mut found: Vec<_> = found.map(|(_, module)| normal(module).into_owned()).collect();
        found.sort();
        found.dedup();
        found
    }

    /// Texts as long as they are in a general-purpose kernel: some hundred kilobytes.
    fn read_aliases(&self) -> (String, String) {
        let text = |file: &str| {
            let path = format!("{}/{file}", self.directory.unwrap_or_default());
            self.root.read(&path).unwrap_or_default()
        };
        (text("modules.alias"), text("modules.builtin.modinfo"))
    }

    /// A module's file, on the machine.
    #[must_use]
    pub fn file(&self, line: Line<'_>) -> String {
        match line.path.starts_with('/') {
            true => line.path.to_owned(),
            false => format!("{}/{}", self.directory.unwrap_or_default(), line.path),
        }
    }

    /// Where the administrator forbids a module.
    #[must_use]
    pub fn forbidden(&self, module: &str) -> Option<(&'static str, &Place)> {
        /// What people write to say "never".
        const NOTHING: [&str; 4] = ["/bin/true", "/bin/false", "/usr/bin/true", "/usr/bin/false"];
        let disabled = self.config.command(module).filter(|(command, _)| NOTHING.contains(command));
        let disabled = disabled.map(|(_, place)| ("disabled", place));
        self.config.blacklisted(module).map(|place| ("blacklisted", place)).or(disabled)
    }

    /// Why a module is missing.
    #[must_use]
    pub fn why_missing(&self) -> String {
        let version = self.root.line("/proc/sys/kernel/osrelease").unwrap_or_default();
        if self.directory.is_some() {
            return format!("the kernel {version} has no such module, built in or to be loaded");
        }
        if !self.root.exists("/proc/modules") {
            return "this kernel loads no modules, and does not say what it has built in"
                .to_owned();
        }
        let others: Vec<String> = DIRECTORIES
            .iter()
            .filter_map(|above| fs::read_dir(self.root.path(above)).ok())
            .flat_map(|entries| entries.flatten())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        let there_are = match others.as_slice() {
            [] => "there are none at all".to_owned(),
            others => format!("there are those of {}", others.join(", ")),
        };
        format!(
            "there is no /lib/modules/{version} ({there_are}): kernel and modules do not fit \
             together; install the modules of this kernel, or boot the other one"
        )
    }
}
