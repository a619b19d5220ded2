//! `modprobe.d`, and what the kernel's command line says of modules: whatever an administrator
//! can tell modprobe.

use std::fmt;

use super::index::normal;
use crate::{Root, files};

/// Where something is said, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: String,
    /// The line, counted from 1; none where there are no lines.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", self.path),
            None => formatter.write_str(&self.path),
        }
    }
}

/// All of it. Names have underscores only.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Patterns of names, and the modules they stand for.
    pub aliases: Vec<(String, String)>,
    /// Modules and their parameters; all that are said count.
    pub options: Vec<(String, String)>,
    /// Modules that are not to be loaded.
    pub blacklist: Vec<(String, Place)>,
    /// Modules, and what to run instead of loading them.
    pub install: Vec<(String, String, Place)>,
    /// See [`Softdep`].
    pub softdeps: Vec<Softdep>,
}

/// What is loaded with a module although it does not need its symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Softdep {
    /// With which one.
    pub module: String,
    /// Before it.
    pub pre: Vec<String>,
    /// After it.
    pub post: Vec<String>,
}

impl Softdep {
    /// `softdep MODULE pre: A B post: C`, without its first word.
    fn parse<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut softdep = Self { module: normal(words.next()?).into_owned(), ..Self::default() };
        let mut is_pre = None;
        for word in words {
            match (word, is_pre) {
                ("pre:", _) => is_pre = Some(true),
                ("post:", _) => is_pre = Some(false),
                (name, Some(true)) => softdep.pre.push(normal(name).into_owned()),
                (name, Some(false)) => softdep.post.push(normal(name).into_owned()),
                // `softdep A B` as depmod writes it for a module that says so is no order.
                (_, None) => {}
            }
        }
        Some(softdep)
    }
}

impl Config {
    /// What this machine says.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let mut config = Self::default();
        for file in files::find(root, "modprobe.d") {
            let text = root.read(&file.path).unwrap_or_default();
            config.add_file(&file.path, &text);
        }
        config.add_command_line(&root.read("/proc/cmdline").unwrap_or_default());
        config
    }

    /// A file of `modprobe.d`, or `modules.softdep`, which has the same form.
    pub fn add_file(&mut self, path: &str, text: &str) {
        let (mut whole, mut first) = (String::new(), None);
        for (number, line) in (1..).zip(text.lines()) {
            first = first.or(Some(number));
            if let Some(line) = line.strip_suffix('\\') {
                whole.push_str(line);
                continue;
            }
            whole.push_str(line);
            self.add_line(&whole, &Place { path: path.to_owned(), line: first });
            whole.clear();
            first = None;
        }
    }

    fn add_line(&mut self, line: &str, place: &Place) {
        let line = line.trim();
        let mut words = line.split_ascii_whitespace();
        let (Some(verb), Some(name)) = (words.next(), words.next()) else { return };
        let own = normal(name).into_owned();
        let rest = words.clone().collect::<Vec<_>>().join(" ");
        match verb {
            "alias" => self.aliases.extend(words.next().map(|to| (own, normal(to).into_owned()))),
            "options" => self.options.push((own, rest)),
            "blacklist" => self.blacklist.push((own, place.clone())),
            "install" => self.install.push((own, rest, place.clone())),
            "softdep" => self.softdeps.extend(Softdep::parse([name].into_iter().chain(words))),
            // A comment; `remove` and what later versions of kmod may know: we only load.
            _ => {}
        }
    }

    /// `NAME.PARAMETER=VALUE` is meant for a module even when it is not built in; and
    /// `modprobe.blacklist=A,B` names modules.
    fn add_command_line(&mut self, text: &str) {
        let place = Place { path: "the kernel's command line".to_owned(), line: None };
        for word in text.split_ascii_whitespace() {
            let Some((name, parameter)) = word.split_once('.') else { continue };
            match (name, parameter.strip_prefix("blacklist=")) {
                ("modprobe", Some(names)) => {
                    let names = names.split(',').map(|name| normal(name).into_owned());
                    self.blacklist.extend(names.map(|name| (name, place.clone())));
                }
                (name, _) if parameter.contains('=') => {
                    self.options.push((normal(name).into_owned(), parameter.to_owned()));
                }
                (_, _) => {}
            }
        }
    }

    /// The parameters of a module.
    #[must_use]
    pub fn options_of(&self, module: &str) -> Vec<&str> {
        let own = self.options.iter().filter(|(name, _)| name == module);
        own.map(|(_, options)| options.as_str()).collect()
    }

    /// Where it says that a module is not to be loaded.
    #[must_use]
    pub fn blacklisted(&self, module: &str) -> Option<&Place> {
        self.blacklist.iter().find(|(name, _)| name == module).map(|(_, place)| place)
    }

    /// What is to be run instead of loading a module; the last that is said counts.
    #[must_use]
    pub fn command(&self, module: &str) -> Option<(&str, &Place)> {
        let found = self.install.iter().rev().find(|(name, _, _)| name == module);
        found.map(|(_, command, place)| (command.as_str(), place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Config {
        let mut config = Config::default();
        config.add_file("/etc/modprobe.d/a.conf", text);
        config
    }

    #[test]
    fn each_kind_of_line_is_understood() {
        let config = parsed(
            "# comment\n\nalias net-pf-10 off\noptions snd-hda power_save=1 \\\n  x=2\n\
             options snd_hda y=3\nblacklist nouveau\ninstall floppy /bin/false\n\
             softdep nfsd pre: crypto-md5 post: a b\nremove x y\nnonsense\n",
        );
        assert_eq!(config.aliases, [("net_pf_10".into(), "off".into())]);
        assert_eq!(config.options_of("snd_hda"), ["power_save=1 x=2", "y=3"]);
        assert_eq!(config.blacklisted("nouveau").unwrap().to_string(), "/etc/modprobe.d/a.conf:7");
        assert_eq!(config.command("floppy").unwrap().0, "/bin/false");
        let [softdep] = config.softdeps.as_slice() else { panic!("{config:?}") };
        assert_eq!(softdep.pre, ["crypto_md5"]);
        assert_eq!(softdep.post, ["a", "b"]);
    }

    #[test]
    fn the_kernels_command_line_counts() {
        let mut config = Config::default();
        config.add_command_line("root=/dev/vda modprobe.blacklist=a,b-c kvm.x=1 quiet a.b");
        assert!(config.blacklisted("b_c").is_some() && config.blacklisted("a").is_some());
        assert_eq!(config.options, [("kvm".into(), "x=1".into())]);
    }
}
