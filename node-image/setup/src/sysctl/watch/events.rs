//! What wakes the watcher: the kernel's messages about devices and modules, and written files.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{RecvFlags, recvfrom};

use crate::uevent::{self, MESSAGE_MAX};
use crate::{Root, files};

const DIRECTORY: &str = "sysctl.d";

/// What there is to know about what has happened.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// The time is up.
    Nothing,
    /// A file was written, or a module loaded.
    Files,
    /// These interfaces are new.
    Interfaces(Vec<String>),
    /// There was more than we could be told.
    Lost,
}

/// The sources.
#[derive(Debug)]
pub struct Events {
    kernel: OwnedFd,
    files: OwnedFd,
    /// The directories watched, by inotify's numbers.
    watched: Vec<(i32, PathBuf)>,
}

impl Events {
    /// Opens them.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(root: &Root) -> io::Result<Self> {
        let kernel = uevent::open()?;
        let files = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let mut events = Self { kernel, files, watched: Vec::new() };
        events.watch_directories(root);
        Ok(events)
    }

    /// Those that are there; `/etc` tells when its own is made.
    fn watch_directories(&mut self, root: &Root) {
        let mask = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        for directory in files::directories(DIRECTORY).chain(["/etc".to_owned()]) {
            let path = root.path(&directory);
            // Twice the same directory is one watch, with the same number.
            if let Ok(number) = inotify::add_watch(&self.files, &path, mask) {
                self.watched.retain(|(other, _)| *other != number);
                self.watched.push((number, path));
            }
        }
    }

    /// Sleeps until something has happened that may bring keys or values, or for so long.
    ///
    /// # Errors
    /// As the system says.
    pub fn wait(&mut self, root: &Root, timeout: Option<Duration>) -> io::Result<News> {
        let timeout = timeout.map(uevent::timespec);
        loop {
            let mut sources =
                [PollFd::new(&self.kernel, PollFlags::IN), PollFd::new(&self.files, PollFlags::IN)];
            match poll(&mut sources, timeout.as_ref()) {
                Ok(0) => return Ok(News::Nothing),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let is_written = self.drain_files(root)?;
            match self.drain_kernel()? {
                Some(news) => return Ok(news),
                None if is_written => return Ok(News::Files),
                // A disk, an input device, a file of another name: sleep on. With a time set it
                // begins again, a few times at most before everybody is quiet.
                None => {}
            }
        }
    }

    /// All messages that are there; none if none of them matters.
    fn drain_kernel(&self) -> io::Result<Option<News>> {
        let mut buffer = [0; MESSAGE_MAX];
        let mut news: Option<Vec<String>> = None;
        loop {
            match recvfrom(&self.kernel, buffer.as_mut_slice(), RecvFlags::empty()) {
                Ok((_, length, from)) => {
                    let sender = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
                    // Others may speak to the group, too, if they have the right to.
                    if sender.is_some_and(|sender| sender.pid() == 0) {
                        let message = buffer.get(..length).unwrap_or_default();
                        if let Some(interface) = matters(message) {
                            news.get_or_insert_default().extend(interface);
                        }
                    }
                }
                Err(Errno::AGAIN) => {
                    return Ok(news.map(|names| match names.is_empty() {
                        true => News::Files,
                        false => News::Interfaces(names),
                    }));
                }
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => return Ok(Some(News::Lost)),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Whether a file of ours was written, moved or removed.
    fn drain_files(&mut self, root: &Root) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); MESSAGE_MAX];
        let mut reader = Reader::new(&self.files, &mut buffer);
        let (mut is_ours, mut is_new_directory) = (false, false);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let name = OsStr::from_bytes(event.file_name().map_or(b"", |name| name.to_bytes()));
            is_new_directory |= name == DIRECTORY;
            let directory = self.watched.iter().find(|(number, _)| *number == event.wd());
            // A new file is told of once more when it has been written; a new link is not.
            let is_whole = !event.events().contains(ReadFlags::CREATE)
                || directory.is_some_and(|(_, path)| path.join(name).is_symlink());
            let bytes = name.as_bytes();
            is_ours |= is_whole && (bytes.ends_with(b".conf") || bytes.is_empty());
        }
        if is_new_directory {
            self.watch_directories(root);
        }
        Ok(is_ours || is_new_directory)
    }
}

/// Whether a message of the kernel's may mean new keys; then the interface that is new.
fn matters(message: &[u8]) -> Option<Option<String>> {
    let fields = message.split(|byte| *byte == 0);
    let value = |name: &[u8]| fields.clone().find_map(|field| field.strip_prefix(name));
    let action = value(b"ACTION=")?;
    match value(b"SUBSYSTEM=")? {
        // An interface with another name has other keys.
        b"net" if matches!(action, b"add" | b"move") => {
            let interface = value(b"INTERFACE=")?;
            Some(Some(String::from_utf8_lossy(interface).into_owned()))
        }
        // A module says so when it is ready: its keys are there.
        b"module" if action == b"add" => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_interfaces_and_modules_matter() {
        let message = |text: &str| matters(text.replace(' ', "\0").as_bytes());
        let net = "add@/devices/virtual/net/lxc1 ACTION=add SUBSYSTEM=net INTERFACE=lxc1 SEQNUM=7 ";
        assert_eq!(message(net), Some(Some("lxc1".into())));
        let moved = net.replace("ACTION=add", "ACTION=move");
        assert_eq!(message(&moved), Some(Some("lxc1".into())));
        assert_eq!(message(&net.replace("ACTION=add", "ACTION=remove")), None);
        let module = "add@/module/br_netfilter ACTION=add SUBSYSTEM=module ";
        assert_eq!(message(module), Some(None));
        assert_eq!(message("add@/devices/x ACTION=add SUBSYSTEM=block "), None);
        assert_eq!(message(""), None);
        assert_eq!(matters(&[0xff; 40]), None);
    }
}
