//! Where the state lives: a memfd, mapped shared, at a fixed descriptor number. A program that
//! this process executes next finds it there.

use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use init::State;
use init::state::{CRASHES_MAX, Crashes};

use crate::os::{self, Errno, Fd};

/// The memfd's number. It is open in nobody else, and we have few descriptors below it.
const NUMBER: i32 = 100;

/// The state, for the handler of fatal signals; null: there is none yet.
static STATE: AtomicPtr<State> = AtomicPtr::new(ptr::null_mut());

/// The state that the program before us left, if there was one.
pub enum Left {
    /// Go on from it.
    Sound(&'static mut State),
    /// It led to one crash after the other: only how many is kept.
    Suspect(Crashes),
    /// We are the first.
    Nothing,
}

/// Looks for a state that the program before us in this process left.
pub fn adopt(pid: u32) -> Left {
    let Some(fd) = os::lend(NUMBER) else { return Left::Nothing };
    if !fd.is_in_memory(SIZE) {
        return Left::Nothing;
    }
    let Ok(state) = map(Some(&fd)) else { return Left::Nothing };
    if !state.belongs_to(pid) {
        return Left::Nothing;
    }
    keep_on_exec(false);
    if state.crashes.count > CRASHES_MAX {
        return Left::Suspect(state.crashes);
    }
    publish(state);
    Left::Sound(state)
}

/// Makes a state: zero. If the kernel has no memfd, it is lost with the program.
pub fn create() -> Result<&'static mut State, Errno> {
    let state = match create_file() {
        Ok(()) => map(os::lend(NUMBER).as_deref())?,
        Err(_) => map(None)?,
    };
    publish(state);
    Ok(state)
}

/// For the handler of fatal signals.
pub fn state() -> *mut State {
    STATE.load(Ordering::Relaxed)
}

/// The state's own descriptor: whether a program executed next finds it.
pub fn keep_on_exec(keep: bool) {
    if let Some(fd) = os::lend(NUMBER) {
        fd.keep_on_exec(keep);
    }
}

const _: () = assert!(align_of::<State>() <= 4096, "a mapping begins with a page");
#[expect(clippy::as_conversions, reason = "no other conversion is const; usize fits")]
const SIZE: u64 = size_of::<State>() as u64;

fn create_file() -> Result<(), Errno> {
    let file = Fd::in_memory(c"init", SIZE)?;
    file.duplicate_onto(NUMBER)?;
    keep_on_exec(false);
    Ok(())
}

fn map(file: Option<&Fd>) -> Result<&'static mut State, Errno> {
    let (sharing, fd) = match file {
        Some(file) => (libc::MAP_SHARED, file.number()),
        None => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
    };
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
    let place = unsafe { libc::mmap(ptr::null_mut(), size_of::<State>(), access, sharing, fd, 0) };
    if place == libc::MAP_FAILED {
        return Err(os::last_error());
    }
    // SAFETY: the mapping is as large as a State, page-aligned, never unmapped, and not handed out
    // twice by this program. Nobody else has the file, so nobody shortens or writes it. Every bit
    // pattern is a State: integers only.
    Ok(unsafe { &mut *place.cast::<State>() })
}

fn publish(state: &mut State) {
    STATE.store(state, Ordering::Relaxed);
}
