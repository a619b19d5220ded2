//! Users and groups by the node's own files. Not the C library's getpwnam: that one would load
//! modules, ask the network and take locks, and static binaries have only these files anyway.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use graph::UserSpec;
use rustix::process::Gid;

/// Who a process runs as, in numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups, in the kernel's form.
    pub groups: Vec<Gid>,
    /// The user's home directory, if the user has an entry.
    pub home: Option<String>,
}

/// A name that no file knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unknown {
    /// No such user.
    User(String),
    /// No such group.
    Group(String),
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(formatter, "no user {name}"),
            Self::Group(name) => write!(formatter, "no group {name}"),
        }
    }
}

impl std::error::Error for Unknown {}

/// The contents of /etc/passwd and /etc/group.
#[derive(Clone, Debug, Default)]
pub struct Users {
    passwd: String,
    group: String,
}

impl Users {
    /// Reads `passwd` and `group` in `directory`, which is a disk's: not to be called where a
    /// disk that hangs must not be waited for.
    ///
    /// # Errors
    /// What reading them gave; a file that is absent is an empty one.
    pub fn read(directory: &Path) -> std::io::Result<Self> {
        let read = |name| match std::fs::read(directory.join(name)) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error),
        };
        Ok(Self { passwd: read("passwd")?, group: read("group")? })
    }

    /// From text.
    #[must_use]
    pub fn parse(passwd: &str, group: &str) -> Self {
        Self { passwd: passwd.to_owned(), group: group.to_owned() }
    }

    /// The numbers of what a definition says.
    ///
    /// # Errors
    /// The first name that is not known. Numbers need not be.
    pub fn resolve(&self, spec: &UserSpec) -> Result<Identity, Unknown> {
        let user = self.user(&spec.user);
        let uid = user.as_ref().map(|user| user.uid).or_else(|| spec.user.parse().ok());
        let uid = uid.ok_or_else(|| Unknown::User(spec.user.clone()))?;
        let gid = match (spec.group.as_str(), &user) {
            ("", Some(user)) => user.gid,
            // A number without an entry has no primary group; its own number is what adduser
            // would have made.
            ("", None) => uid,
            (group, _) => self.gid(group)?,
        };
        let groups: BTreeSet<u32> = match &spec.groups {
            Some(names) => names.iter().map(|name| self.gid(name)).collect::<Result<_, _>>()?,
            None => user.as_ref().map(|user| self.listing(user.name)).unwrap_or_default(),
        };
        let groups = groups.into_iter().chain([gid]).collect::<BTreeSet<_>>();
        Ok(Identity {
            uid,
            gid,
            groups: groups.into_iter().map(Gid::from_raw).collect(),
            home: user.map(|user| user.home.to_owned()),
        })
    }

    /// The number of a group's name, or the number itself.
    ///
    /// # Errors
    /// If it is neither.
    pub fn gid(&self, group: &str) -> Result<u32, Unknown> {
        let named = entries(&self.group).find(|fields| fields.first() == Some(&group));
        let gid = named.and_then(|fields| fields.get(2)?.parse().ok());
        gid.or_else(|| group.parse().ok()).ok_or_else(|| Unknown::Group(group.to_owned()))
    }

    /// The number of a user's name, or the number itself.
    ///
    /// # Errors
    /// If it is neither.
    pub fn uid(&self, user: &str) -> Result<u32, Unknown> {
        let named = self.user(user).map(|user| user.uid);
        named.or_else(|| user.parse().ok()).ok_or_else(|| Unknown::User(user.to_owned()))
    }

    /// The entry of this name, or of this number.
    fn user(&self, name: &str) -> Option<User<'_>> {
        let by_name = entries(&self.passwd).filter_map(User::new).find(|user| user.name == name);
        by_name.or_else(|| {
            let uid = name.parse::<u32>().ok()?;
            entries(&self.passwd).filter_map(User::new).find(|user| user.uid == uid)
        })
    }

    /// The groups that list `user`.
    fn listing(&self, user: &str) -> BTreeSet<u32> {
        entries(&self.group)
            .filter(|fields| {
                fields.get(3).is_some_and(|members| members.split(',').any(|name| name == user))
            })
            .filter_map(|fields| fields.get(2)?.parse().ok())
            .collect()
    }
}

struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> User<'a> {
    fn new(fields: Vec<&'a str>) -> Option<Self> {
        Some(Self {
            name: fields.first()?,
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
            home: fields.get(5).copied().unwrap_or_default(),
        })
    }
}

/// The lines that are entries, as fields.
fn entries(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '+', '-']))
        .map(|line| line.split(':').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        Users::parse(
            "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\n\
             chrony:x:105:110:,,,:/var/lib/chrony:/bin/false\n+::::::\n",
            "root:x:0:\nchrony:x:110:\nvideo:x:44:seat,chrony\naudio:x:29:chrony\n\
             bad:x:no:chrony\n",
        )
    }

    fn resolve(
        user: &str,
        group: &str,
        groups: Option<&[&str]>,
    ) -> Result<(u32, u32, Vec<u32>), Unknown> {
        let groups = groups.map(|names| names.iter().map(ToString::to_string).collect());
        let spec = UserSpec { user: user.to_owned(), group: group.to_owned(), groups };
        let identity = users().resolve(&spec)?;
        Ok((identity.uid, identity.gid, identity.groups.iter().map(|gid| gid.as_raw()).collect()))
    }

    #[test]
    fn names_and_numbers_are_resolved() {
        assert_eq!(resolve("chrony", "", None), Ok((105, 110, vec![29, 44, 110])));
        assert_eq!(resolve("105", "", None), Ok((105, 110, vec![29, 44, 110])));
        assert_eq!(resolve("chrony", "video", None), Ok((105, 44, vec![29, 44])));
        assert_eq!(resolve("chrony", "", Some(&[])), Ok((105, 110, vec![110])));
        assert_eq!(resolve("chrony", "", Some(&["44", "root"])), Ok((105, 110, vec![0, 44, 110])));
        assert_eq!(resolve("4242", "", None), Ok((4242, 4242, vec![4242])));
    }

    #[test]
    fn unknown_names_are_told_by_kind() {
        assert_eq!(resolve("nobody", "", None), Err(Unknown::User("nobody".into())));
        assert_eq!(resolve("root", "wheel", None), Err(Unknown::Group("wheel".into())));
        assert_eq!(resolve("root", "", Some(&["bad"])), Err(Unknown::Group("bad".into())));
    }
}
