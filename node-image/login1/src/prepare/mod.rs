//! `login1 prepare-for-shutdown`: tells the holders of locks that the node goes down, and waits
//! for them.
//!
//! It waits for the locks themselves, not for the daemon's word: the daemon may die meanwhile. It
//! never fails because somebody does not let go: the shutdown goes on, and the record says who.

mod client;
mod wait;

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use wire::state::Shutdown;

use crate::Error;
use crate::daemon::timespec;
use crate::lock::Lock;
use crate::manager::Private;
use crate::node::{self, now_us};
use crate::record::{self, Book};
use crate::store::{Held, Store};
use crate::talk::{print, say};

use client::Connection;
use wait::{Change, Waiting};

/// A daemon that has died is looked for again after so long.
const RETRY_US: u64 = 1_000_000;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Order {
    /// The run directory.
    pub run: PathBuf,
    /// Where to write what came of it.
    pub record: PathBuf,
    /// How long to wait at most.
    pub patience_us: u64,
    /// Also if the node does not shut down: a rehearsal, of which there is no record.
    pub force: bool,
}

/// Does it.
///
/// # Errors
/// When it cannot be found out whether the node shuts down, or what came of it not be written.
/// That somebody has not let go is no error.
pub fn prepare(order: &Order) -> Result<(), Error> {
    let shutdown = match node::shutdown(&order.run) {
        // A rehearsal needs no tree.
        Err(_) if order.force => None,
        shutdown => shutdown?,
    };
    if shutdown.is_none() && !order.force {
        print("the node does not shut down, so nobody is told (--force: tell them all the same)");
        return Ok(());
    }
    let began_unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let began_us = now_us();
    let patience_us = order.patience_us.min(share(shutdown.as_ref(), began_us));
    let mut waiting = Waiting::new(began_us, patience_us);
    let fault = match Connection::open(&order.run).and_then(|c| c.call(Private::Prepare)) {
        Ok(connection) => {
            wait(order, connection, &mut waiting)?;
            None
        }
        // Whoever holds a lock does not know; to wait for it would be in vain.
        Err(error) => Some(error.to_string()),
    };
    let now = now_us();
    tell(&waiting, now, fault.as_deref());
    // A rehearsal is not how this boot ends.
    let Some(Shutdown { request, .. }) = shutdown else { return Ok(()) };
    let shutdown = record::Shutdown {
        ending: node::ending(request).into(),
        began_unix,
        waited_ms: now.saturating_sub(began_us) / 1000,
        patience_ms: patience_us / 1000,
        fault,
        holders: waiting.holders(is_alive),
    };
    Book::load(&order.record)?.ended(&record::boot_id()?, shutdown).save(&order.record)
}

/// Takes an announced shutdown back.
///
/// # Errors
/// When the daemon does not answer.
pub fn cancel(run: &Path) -> Result<(), Error> {
    Connection::open(run)?.call(Private::Cancel).map(drop)
}

/// A boot begins: how the one before it ended is kept. Where that cannot be, it is said and no
/// more: a disk that is full must not cost the pods their time at the end of this boot.
pub fn note_boot(path: &Path) {
    let note = || {
        let (boot, book) = (record::boot_id()?, Book::load(path)?);
        let begun = book.clone().begun(&boot);
        if begun == book { Ok(()) } else { begun.save(path) }
    };
    if let Err(error) = note() {
        let error: Error = error;
        say(format_args!("warning: {error}"));
    }
}

/// The most that may be spent here of what is left until init ends everything: the services that
/// stop afterwards need their part of it. A third of a short budget, and of a long one what a node
/// without a fault takes several times over.
fn share(shutdown: Option<&Shutdown>, now_us: u64) -> u64 {
    const REST_US: u64 = 120_000_000;
    shutdown.map_or(u64::MAX, |shutdown| {
        let left = shutdown.deadline_us.saturating_sub(now_us);
        left.saturating_sub((left / 3).min(REST_US))
    })
}

/// Until nobody holds a lock, or time is up.
fn wait(order: &Order, connection: Connection, waiting: &mut Waiting) -> Result<(), Error> {
    let store = Store::new(&order.run);
    let mut daemon = Some(connection);
    loop {
        let held: Vec<Held> =
            store.held()?.into_iter().filter(|held| held.lock.delays_shutdown()).collect();
        let locks: Vec<&Lock> = held.iter().map(|held| &held.lock).collect();
        let now = now_us();
        for change in waiting.seen(now, &locks) {
            report(waiting, now, &change);
        }
        if waiting.is_over(now) {
            break;
        }
        let sleep_us = waiting.left_us(now).min(if daemon.is_some() { u64::MAX } else { RETRY_US });
        let daemon_is_gone = sleep(&held, daemon.as_ref(), sleep_us)?;
        if daemon_is_gone || daemon.is_none() {
            // A new one has not announced anything yet, and clients that connect to it must hear.
            let again = Connection::open(&order.run).and_then(|c| c.call(Private::Prepare));
            daemon = again.ok();
        }
    }
    // If it cannot be told any more, there is nobody whom it could tell the wrong thing.
    if let Some(Err(error)) = daemon.map(|daemon| daemon.call(Private::Proceed)) {
        say(format_args!("warning: {error}"));
    }
    Ok(())
}

/// Sleeps until something changes; says whether the daemon is gone.
fn sleep(held: &[Held], daemon: Option<&Connection>, us: u64) -> Result<bool, Error> {
    // A held lock is silent until it hangs up.
    let mut fds: Vec<PollFd<'_>> = held
        .iter()
        .map(|held| PollFd::from_borrowed_fd(held.end.as_fd(), PollFlags::empty()))
        .chain(daemon.map(|daemon| PollFd::from_borrowed_fd(daemon.as_fd(), PollFlags::IN)))
        .collect();
    match poll(&mut fds, Some(&timespec(us))) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(Error::system("wait", errno)),
    }
    // It has nothing to say while it lives.
    let last = fds.last().filter(|_| daemon.is_some());
    Ok(last.is_some_and(|fd| !fd.revents().is_empty()))
}

fn report(waiting: &Waiting, now_us: u64, change: &Change) {
    match change {
        Change::Waits(lock) => print(format_args!(
            "waiting for {} (process {}), {} s at most: {}",
            lock.who,
            lock.pid,
            waiting.left_us(now_us) / 1_000_000,
            lock.why
        )),
        Change::Released(holder) => print(format_args!(
            "{} has let go after {}",
            holder.who,
            seconds(holder.released_ms.unwrap_or(0))
        )),
    }
}

/// What came of it.
fn tell(waiting: &Waiting, now_us: u64, fault: Option<&str>) {
    let holders = waiting.holders(is_alive);
    let stubborn = holders.iter().filter(|holder| holder.released_ms.is_none());
    let stubborn: Vec<&str> = stubborn.map(|holder| holder.who.as_str()).collect();
    let waited = seconds(waiting.waited_us(now_us) / 1000);
    match fault {
        Some(fault) => say(format_args!("warning: nobody was told of the shutdown: {fault}")),
        None if !stubborn.is_empty() => say(format_args!(
            "warning: {} did not let go within {waited}; the shutdown goes on",
            stubborn.join(", ")
        )),
        None if holders.is_empty() => print("nobody delays the shutdown"),
        None => print(format_args!("everyone has let go, after {waited}")),
    }
}

fn is_alive(pid: u32) -> bool {
    sys::process::Stat::of(pid).is_ok_and(|stat| !stat.is_zombie())
}

/// Milliseconds, for people.
#[must_use]
pub fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, (ms / 100).checked_rem(10).unwrap_or(0))
}
